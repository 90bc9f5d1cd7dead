/** The profiles that figures are computed in, and the rule that two profiles never share a column. */

import { MecgymError } from "../../env/index.js";

/** `paper` follows docs/model.md, `comllm-release` the published evaluation code of the paper's authors. */
export const profiles = ["paper", "comllm-release"] as const;
export type Profile = (typeof profiles)[number];

/**
 * The profile of all figures in a column.
 *
 * @param figures the results or rows in the column
 * @throws MecgymError `mixedProfiles` if there are two: their costs, rewards and metrics are different quantities
 */
export function oneProfile<P extends string>(figures: readonly { readonly profile: P }[]): P {
  const [first] = figures;
  for (const [i, { profile }] of figures.entries()) {
    if (profile === first.profile) continue;
    const expected = `figures of profile ${first.profile}, as in row 0: a column holds one profile`;
    throw new MecgymError("mixedProfiles", { path: `rows/${i}/profile`, got: profile, expected });
  }
  return first.profile;
}
