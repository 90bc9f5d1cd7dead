/** Which episode seeds may choose or fit a policy: those of training and validation, never those of the test split. */

import { checkSeed, MecgymError, type Split, splits } from "../../env/index.js";

/** Splits that may be tuned on. */
const tuningSplits: readonly Split[] = ["train", "validation"];

/**
 * @param count episodes, which take the seeds firstSeed … firstSeed + count − 1
 * @param allowed splits, one of which must hold all of them
 * @throws MecgymError `invalidSeed`: a test seed that chose a policy would make its results worthless
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
    expected: `seeds within ${ranges.join(" or ")}, for test seeds choose nothing`,
  });
}
