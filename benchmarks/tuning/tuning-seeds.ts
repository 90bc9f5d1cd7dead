/** Which episode seeds may be used to choose or fit a policy: training and validation seeds, never test seeds. */

import { checkSeed, MecgymError, type Split, splits } from "../../env/index.js";

/** The splits that tuning may use. */
const tuningSplits: readonly Split[] = ["train", "validation"];

/**
 * @param count number of episodes; their seeds are firstSeed … firstSeed + count − 1
 * @param allowed all seeds must be in one of these splits
 * @throws MecgymError `invalidSeed`: test results are worthless if a test seed chose the policy
 */
export function checkTuningSeeds(
  firstSeed: number,
  count: number,
  path: string,
  allowed: readonly Split[] = tuningSplits,
): void {
  checkSeed(firstSeed, path);
  const lastSeed = firstSeed + count - 1;
  const isWithin = allowed.some((split) => {
    const { start, size } = splits[split];
    return firstSeed >= start && lastSeed < start + size;
  });
  if (isWithin) return;
  const ranges = allowed.map((split) => {
    const { start, size } = splits[split];
    return `${start} to ${start + size - 1} (${split})`;
  });
  throw new MecgymError("invalidSeed", {
    path,
    got: `seeds ${firstSeed} to ${lastSeed}`,
    expected: `seeds within ${ranges.join(" or ")}, because test seeds choose nothing`,
  });
}
