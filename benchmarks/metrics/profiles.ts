/** Which reading of the paper figures are made by, and the rule that figures of two profiles never share a column. */

import { MecgymError } from "../../env/index.js";

/** `paper`: docs/model.md. `comllm-release`: what the published evaluation code of the paper's authors computes. */
export const profiles = ["paper", "comllm-release"] as const;
export type Profile = (typeof profiles)[number];

/**
 * The profile that all figures of a column are of.
 *
 * @param figures what stands in the column, a result or a row each
 * @throws MecgymError `mixedProfiles` where there are two: their costs, rewards and metrics are other quantities
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
