/** Native policies that play whole runs of steps within one request. */

import type { BatchEnv } from "../../env/batch/batch-env.js";
import { episodeStatsFields } from "../../env/batch/episode-stats.js";
import { FLAG_INVALID_ACTION, FLAG_RESET } from "../../env/core/flags.js";
import { BridgeError } from "../wire/protocol.js";
import type { ReplyArray } from "../wire/reply-body.js";
import type { RequestOf } from "../wire/requests.js";
import type { Cancellation } from "./cancellation.js";
import type { PolicyProvider } from "./policy-provider.js";
import type { StepParts } from "./reply-buffers.js";

/** Bytes of the rows of one ended episode in the reply. */
const BYTES_PER_FINAL = 4 + 4 + 8 * episodeStatsFields.length + 4;

/**
 * Plays all lanes with a native policy, for as many steps as the request asks for and the reply has room for.
 *
 * @param room bytes for what follows the step's arrays
 * @param cancellation ends the run between two steps or decisions; then the steps so far are played
 * @throws BridgeError `replyTooLarge`, `sessionLost`; MecgymError `unknownPolicy`, `needsReset`
 */
export function runPolicy(
  env: BatchEnv,
  policies: PolicyProvider,
  request: RequestOf<"policy">,
  room: number,
  cancellation: Cancellation,
): StepParts {
  const { numLanes, outputs } = env;
  const player = policies.player(request.policy, env);
  const costSumSlots = new Float64Array(numLanes);
  const decisions = new Int32Array(numLanes);
  const invalidActions = new Int32Array(numLanes);
  const finals = new FinalList();
  const actions = new Int32Array(numLanes);
  let left = room - 16 * numLanes - 8 * 8;
  let steps = 0;
  for (; steps < request.steps; steps++) {
    left -= numLanes * BYTES_PER_FINAL; // all lanes may end in this step
    if (left < 0 || (steps > 0 && needsReset(env))) break;
    cancellation.check();
    player.choose(actions, cancellation);
    env.step(actions);
    for (let lane = 0; lane < numLanes; lane++) {
      const flags = outputs.flags[lane];
      if ((flags & FLAG_RESET) !== 0) continue;
      costSumSlots[lane] += outputs.costSlots[lane];
      decisions[lane] += 1;
      if ((flags & FLAG_INVALID_ACTION) !== 0) invalidActions[lane] += 1;
    }
    finals.add(env, steps);
    left += (numLanes - env.numFinal) * BYTES_PER_FINAL;
  }
  if (steps === 0) {
    const expected = `room for one step of all lanes: ${numLanes * BYTES_PER_FINAL} bytes`;
    throw new BridgeError("replyTooLarge", { path: "body", expected, got: `${room} bytes` });
  }
  const policyLayout: ReplyArray[] = [
    { name: "costSumSlots", values: costSumSlots },
    { name: "decisions", values: decisions },
    { name: "invalidActions", values: invalidActions },
    ...finals.arrays(),
  ];
  return {
    result: { numFinal: finals.count, steps },
    sections: [{ name: "policyLayout", arrays: policyLayout }],
  };
}

/** Whether a lane has ended that the next step would not reset. Before the first step, that is an error of the step. */
function needsReset({ autoreset, numFinal }: BatchEnv): boolean {
  return autoreset === "disabled" && numFinal > 0;
}

/** Rows of the episodes that ended during a run. */
class FinalList {
  readonly #step: number[] = [];
  readonly #lane: number[] = [];
  readonly #slot: number[] = [];
  readonly #stats: number[] = [];

  get count(): number {
    return this.#lane.length;
  }

  add({ numFinal, finalLane, finalSlot, finalStats }: BatchEnv, step: number): void {
    const width = episodeStatsFields.length;
    for (let row = 0; row < numFinal; row++) {
      this.#step.push(step);
      this.#lane.push(finalLane[row]);
      this.#slot.push(finalSlot[row]);
      for (let i = 0; i < width; i++) this.#stats.push(finalStats[row * width + i]);
    }
  }

  arrays(): ReplyArray[] {
    const k = this.count;
    return [
      { name: "finalStep", values: Int32Array.from(this.#step) },
      { name: "finalLane", values: Int32Array.from(this.#lane) },
      { name: "finalStats", values: Float64Array.from(this.#stats), shape: [k, episodeStatsFields.length] },
      { name: "finalSlot", values: Int32Array.from(this.#slot) },
    ];
  }
}
