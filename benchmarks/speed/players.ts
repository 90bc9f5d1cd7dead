/** Lanes that play on and on, in the state that playing for long leads to. */

import { cheapestAction } from "../../env/core/kernel.js";
import { BatchEnv, resolveScenario, type ScenarioInput } from "../../env/index.js";
import { drawUniform, seedStream } from "../../env/random.js";

export type Play = "greedy" | "random";

/** Lanes that are played to where they are measured; further lanes are copies of them. */
const MOST_PLAYED_LANES = 1024;
/** Steps that may take. */
const WARM_UP_STEPS = 200_000;

export interface Player {
  readonly batch: BatchEnv;
  /** Plays at least so many steps, whole rounds of all lanes. */
  readonly run: (steps: number) => number;
  /** Mean of N_e over all servers and lanes now. */
  readonly activeTasks: () => number;
}

/**
 * A batch whose lanes are spread over their episodes, so that queues are as long as they are on average, and lanes
 * begin anew at any time: lanes that all start together would be measured empty, or all at their end.
 */
export function makePlayer(scenario: string | ScenarioInput, numLanes: number, play: Play): Player {
  const batch = new BatchEnv({ scenarios: [scenario], numLanes, autoreset: "same-step" });
  batch.reset();
  const { slots, decisions } = lengthOf(scenario);
  const wanted = Math.round((2 * WARM_UP_STEPS) / decisions);
  const numPlayed = Math.min(numLanes, Math.max(4, Math.min(wanted, MOST_PLAYED_LANES)));
  const single = new BatchEnv({ scenarios: [scenario], numLanes: 1, autoreset: "same-step" });
  const chooseSingle = chooser(single, play);
  for (let lane = 0; lane < numPlayed; lane++) {
    single.reset([lane]);
    const untilSlot = ((lane + 0.5) / numPlayed) * slots;
    for (let last = -1; ; ) {
      const slot = single.lanes.arrays.slot[0];
      if (slot >= untilSlot || slot < last) break;
      last = slot;
      single.step([chooseSingle(0)]);
    }
    batch.restore(lane, single.snapshot(0));
  }
  for (let lane = numPlayed; lane < numLanes; lane++) batch.fork(lane % numPlayed, lane);

  const actions = new Int32Array(numLanes);
  const choose = chooser(batch, play);
  const run = (steps: number) => {
    const rounds = Math.ceil(steps / numLanes);
    for (let k = 0; k < rounds; k++) {
      for (let lane = 0; lane < numLanes; lane++) actions[lane] = choose(lane);
      batch.step(actions);
    }
    return rounds * numLanes;
  };
  const activeTasks = () => {
    const { numTasks, numServers } = batch.lanes.arrays;
    const sum = (values: Int32Array) => values.reduce((all, value) => all + value, 0);
    return sum(numTasks) / sum(numServers);
  };
  return { batch, run, activeTasks };
}

function chooser({ lanes }: BatchEnv, play: Play): (lane: number) => number {
  if (play === "greedy") return (lane) => cheapestAction(lanes, lane);
  const stream = new Float64Array(4);
  seedStream("mecgym/v1/speed/random-actions", stream, 0);
  return (lane) => Math.floor(drawUniform(stream, 0) * (lanes.arrays.numServers[lane] + 1));
}

/** Slots of an episode, and about how many decisions it has. */
function lengthOf(scenario: string | ScenarioInput): { slots: number; decisions: number } {
  const { episodeSlots } = resolveScenario(scenario);
  const env = new BatchEnv({ scenarios: [scenario], numLanes: 1 });
  env.reset([0]);
  const { arrays } = env.lanes;
  const slots = Math.min(episodeSlots, 10);
  while (arrays.slot[0] < slots) env.step([cheapestAction(env.lanes, 0)]);
  return { slots: episodeSlots, decisions: Math.max(1, (arrays.decisionIndex[0] / slots) * episodeSlots) };
}
