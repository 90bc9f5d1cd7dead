/** Checks the actions of a step, and says in words which ones a lane has. */

import { describeActionRange } from "../checks.js";
import { isActionAvailable, type Lanes } from "../core/kernel.js";
import { PHASE_ENDED, PHASE_RUNNING, PHASE_UNUSED } from "../core/phases.js";
import { MecgymError } from "../errors.js";
import type { BatchSettings } from "./options.js";

export class ActionChecker {
  readonly #lanes: Lanes;
  readonly #settings: Pick<BatchSettings, "autoreset" | "invalidActions">;
  readonly #checked: Int32Array;

  constructor(lanes: Lanes, settings: BatchSettings) {
    this.#lanes = lanes;
    this.#settings = settings;
    this.#checked = new Int32Array(settings.numLanes);
  }

  /**
   * Checks one action for each lane, and returns them as integers.
   *
   * @throws MecgymError `needsReset`, `invalidAction`
   */
  check(actions: ArrayLike<number>): Int32Array {
    const { phase } = this.#lanes.arrays;
    const checked = this.#checked;
    for (let lane = 0; lane < checked.length; lane++) {
      const action = actions[lane];
      const integer = typeof action === "number" ? action | 0 : Number.NaN;
      checked[lane] = integer;
      if (phase[lane] !== PHASE_RUNNING) {
        if (phase[lane] === PHASE_ENDED && this.#settings.autoreset === "next-step") continue;
        throw needsReset(this.#lanes, lane);
      }
      const isInteger = integer === action;
      if (isInteger && isActionAvailable(this.#lanes, lane, action)) continue;
      if (isInteger && this.#settings.invalidActions === "costliest") continue;
      const expected = describeActions(this.#lanes, lane);
      throw new MecgymError("invalidAction", { path: `actions/${lane}`, got: action, expected });
    }
    return checked;
  }
}

/** The error of a lane that has no current decision. */
export function needsReset(lanes: Lanes, lane: number): MecgymError {
  const isUnused = lanes.arrays.phase[lane] === PHASE_UNUSED;
  return new MecgymError("needsReset", {
    path: `lanes/${lane}`,
    got: isUnused ? "a lane before its first reset" : "a lane after its end",
    expected: "a reset first",
  });
}

function describeActions(lanes: Lanes, lane: number): string {
  const numServers = lanes.arrays.numServers[lane];
  const range = describeActionRange(numServers);
  const absent: number[] = [];
  for (let action = 1; action <= numServers; action++) {
    if (!isActionAvailable(lanes, lane, action)) absent.push(action);
  }
  return absent.length === 0 ? range : `${range}; absent now: ${absent.join(", ")}`;
}
