/** Says why a step is refused: which lane has no decision to take, or which action it does not have. */

import { describeActionRange } from "../checks.js";
import { PHASE_ENDED, PHASE_RUNNING, PHASE_UNUSED } from "../core/phases.js";
import { MecgymError } from "../errors.js";
import type { Lanes } from "./lanes.js";
import type { BatchSettings } from "./options.js";

/**
 * Checks one action for each lane, in their order. The core checks all of them as well, and faster; this finds the
 * words for what it refuses, and refuses what is no integer.
 *
 * @throws MecgymError `needsReset`, `invalidAction`
 */
export function checkActions(lanes: Lanes, settings: BatchSettings, actions: ArrayLike<number>): void {
  for (let lane = 0; lane < lanes.numLanes; lane++) {
    const action = actions[lane];
    const phase = lanes.phaseOf(lane);
    if (phase !== PHASE_RUNNING) {
      if (phase === PHASE_ENDED && settings.autoreset === "next-step") continue;
      throw needsReset(lanes, lane);
    }
    const isInteger = typeof action === "number" && (action | 0) === action;
    if (isInteger && (settings.invalidActions === "costliest" || isActionAvailable(lanes, lane, action))) continue;
    const expected = describeActions(lanes, lane);
    throw new MecgymError("invalidAction", { path: `actions/${lane}`, got: action, expected });
  }
}

/** Whether a lane's current task can take `action`: 0, or a server that exists and is available. */
function isActionAvailable(lanes: Lanes, lane: number, action: number): boolean {
  const mask = lanes.core.view("outputs.actionMask");
  const width = mask.length / lanes.numLanes;
  return action >= 0 && action < width && mask[lane * width + action] === 1;
}

/** The error of a lane that has no current decision. */
export function needsReset(lanes: Lanes, lane: number): MecgymError {
  const isUnused = lanes.phaseOf(lane) === PHASE_UNUSED;
  return new MecgymError("needsReset", {
    path: `lanes/${lane}`,
    got: isUnused ? "a lane before its first reset" : "a lane after its end",
    expected: "a reset first",
  });
}

function describeActions(lanes: Lanes, lane: number): string {
  const numServers = lanes.numberOf("numServers", lane);
  const range = describeActionRange(numServers);
  const absent: number[] = [];
  for (let action = 1; action <= numServers; action++) {
    if (!isActionAvailable(lanes, lane, action)) absent.push(action);
  }
  return absent.length === 0 ? range : `${range}; absent now: ${absent.join(", ")}`;
}
