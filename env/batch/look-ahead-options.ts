/** What a look-ahead can be asked: its settings, the actions of interest, and the checks of both. */

import {
  checkInteger,
  checkNames,
  checkNumber,
  checkOption,
  describeActionRange,
  isIntegerIn,
  isNumberIn,
} from "../checks.js";
import { MecgymError } from "../errors.js";
import type { Scenario } from "../scenario/scenario.js";

export interface LookAheadOptions {
  /** K: future tasks. */
  readonly numSamples: number;
  /** λ: weight of the future in the reward. */
  readonly weight: number;
  /** Future sizes are uniform on [min, max] times the current task's. */
  readonly sizeFactor: { readonly min: number; readonly max: number };
  /** K alternatives at the next step (eq. 24, 25), or K tasks one after another, a slot apart. */
  readonly mode: Scenario["lookAhead"]["mode"];
  /** Rates of the future tasks: the current ones, or new draws. */
  readonly rates: Scenario["lookAhead"]["rates"];
}

/** A request for a look-ahead: settings that replace the scenario's own, and the actions of interest. */
export interface LookAheadRequest extends Partial<LookAheadOptions> {
  /** Actions in {0, …, E}, in any order; all of them by default. */
  readonly actions?: ArrayLike<number>;
}

const optionNames = ["numSamples", "weight", "sizeFactor", "mode", "rates"] as const;
/** The names a request may hold. */
export const lookAheadRequestNames: readonly (keyof LookAheadRequest)[] = [...optionNames, "actions"];

/**
 * A scenario's settings, with those of `options` in their place; a setting that is undefined there keeps its value.
 *
 * @param names the names `options` may hold
 * @throws MecgymError `invalidOption` for an unknown name, or a value outside the bounds of the scenario schema
 */
export function resolveLookAheadOptions(
  own: LookAheadOptions,
  options: Partial<LookAheadOptions> | undefined,
  names: readonly string[] = optionNames,
): LookAheadOptions {
  if (options === undefined) return own;
  checkNames(options, names, "lookAhead");
  const settings: Record<string, unknown> = { ...own };
  for (const name of optionNames) if (options[name] !== undefined) settings[name] = options[name];
  checkLookAheadOptions(settings as unknown as LookAheadOptions);
  return settings as unknown as LookAheadOptions;
}

function checkLookAheadOptions({ numSamples, weight, sizeFactor, mode, rates }: LookAheadOptions): void {
  checkInteger(numSamples, "lookAhead/numSamples", 1, 64);
  checkNumber(weight, "lookAhead/weight", 0, 1000);
  const isRange =
    typeof sizeFactor === "object" &&
    sizeFactor !== null &&
    isNumberIn(sizeFactor.min, 0.001, 1000) &&
    isNumberIn(sizeFactor.max, sizeFactor.min, 1000);
  checkOption(isRange, "lookAhead/sizeFactor", sizeFactor, "{min, max} with 0.001 ≤ min ≤ max ≤ 1000");
  const isMode = mode === "independent" || mode === "sequential";
  checkOption(isMode, "lookAhead/mode", mode, "independent or sequential");
  const isRates = rates === "frozen" || rates === "resampled";
  checkOption(isRates, "lookAhead/rates", rates, "frozen or resampled");
}

/**
 * Checks which actions a look-ahead is asked for.
 *
 * @throws MecgymError `invalidOption`, or `invalidAction` for one outside {0, …, E}
 */
export function checkLookAheadActions(actions: ArrayLike<number>, numServers: number): void {
  const { length } = actions;
  checkOption(Number.isInteger(length), "lookAhead/actions", actions, "a list of actions");
  for (let i = 0; i < length; i++) {
    if (isIntegerIn(actions[i], 0, numServers)) continue;
    const expected = describeActionRange(numServers);
    throw new MecgymError("invalidAction", { path: `lookAhead/actions/${i}`, got: actions[i], expected });
  }
}
