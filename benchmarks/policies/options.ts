/** Policies whose name sets options, such as `lacs:weight=1` or `rollout:base=priced:horizonSlots=5`. */

import { isIntegerIn, isNumberIn } from "../../env/checks.js";
import { MecgymError } from "../../env/index.js";
import type { OptionBounds, PolicyEntry, PolicyParameters } from "./policy.js";

/** The part before the first colon. */
export function baseNameOf(name: string): string {
  return name.split(":", 1)[0];
}

/**
 * The entry that plays with the options in a name; the entry itself if the name sets none.
 *
 * @throws MecgymError `invalidOption` for an unknown option, an option given twice, or a bad value
 */
export function withOptions(entry: PolicyEntry, name: string): PolicyEntry {
  if (name === entry.name) return entry;
  const bounds = entry.options ?? {};
  const given: Record<string, number | string> = {};
  for (const part of name.slice(entry.name.length + 1).split(":")) {
    const [key, value = "", ...rest] = part.split("=");
    const fail = (expected: string): never => {
      throw new MecgymError("invalidOption", { path: `policy/${entry.name}`, got: part, expected });
    };
    if (!Object.hasOwn(bounds, key) || rest.length > 0) {
      const known = Object.keys(bounds).map((one) => `${one}=…`);
      fail(known.length === 0 ? "a policy without options" : `one of ${known.join(", ")}`);
    }
    if (Object.hasOwn(given, key)) fail(`${key} once`);
    const parsed = parse(value, bounds[key]);
    given[key] = parsed ?? fail(`${key}=${describe(bounds[key])}`);
  }
  return {
    ...entry,
    name,
    parameters: (scenario) => ({ ...entry.parameters?.(scenario, given), ...given }),
    make: (seed, scenario) => entry.make(seed, scenario, given),
  };
}

function parse(text: string, bounds: OptionBounds): number | string | undefined {
  if ("words" in bounds) return bounds.words.includes(text) ? text : undefined;
  const value = Number(text);
  const isGood = (bounds.isInteger ? isIntegerIn : isNumberIn)(value, bounds.min, bounds.max);
  return isGood && text.trim() !== "" ? value : undefined;
}

function describe(bounds: OptionBounds): string {
  if ("words" in bounds) return bounds.words.join(" or ");
  return `${bounds.isInteger ? "an integer" : "a number"} from ${bounds.min} to ${bounds.max}`;
}

/** Default options, overridden by those that were given. */
export function optionsOver<T extends object>(defaults: T, given: PolicyParameters | undefined): T {
  return { ...defaults, ...given };
}
