/** Lanes that play without end, in the state that long play leads to. */

import { cheapestAction } from "../../env/batch/action-costs.js";
import { BatchEnv, createStream, LaneView, resolveScenario, type ScenarioInput } from "../../env/index.js";

export type Play = "greedy" | "random";

/** Number of lanes that are played to their state; further lanes are copies of them. */
const MOST_PLAYED_LANES = 1024;
/** Number of steps for that. */
const WARM_UP_STEPS = 200_000;

export interface Player {
  readonly batch: BatchEnv;
  /** Plays at least `steps` steps, in whole rounds of all lanes. */
  readonly run: (steps: number) => number;
  /** Mean of N_e over all servers and lanes now. */
  readonly activeTasks: () => number;
}

/**
 * A batch whose lanes are spread over their episodes, so that queues have their average length, and lanes begin new
 * episodes at different times. Lanes that start together would be measured while all are empty, or all near their end.
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
      const slot = single.outputs.slot[0];
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
      if (play === "greedy") batch.step(batch.cheapestActions());
      else {
        for (let lane = 0; lane < numLanes; lane++) actions[lane] = choose(lane);
        batch.step(actions);
      }
    }
    return rounds * numLanes;
  };
  const activeTasks = () => {
    const sum = (values: ArrayLike<number>) => Array.from(values).reduce((all, value) => all + value, 0);
    const views = Array.from({ length: numLanes }, (_, lane) => new LaneView(batch.lanes, lane));
    return sum(views.map((view) => sum(view.activeTasks))) / sum(batch.outputs.numServers);
  };
  return { batch, run, activeTasks };
}

function chooser(batch: BatchEnv, play: Play): (lane: number) => number {
  if (play === "greedy") return (lane) => cheapestAction(batch, lane);
  const draw = createStream("mecgym/v1/speed/random-actions");
  return (lane) => Math.floor(draw() * (batch.outputs.numServers[lane] + 1));
}

/** Slots of an episode, and roughly how many decisions it has. */
function lengthOf(scenario: string | ScenarioInput): { slots: number; decisions: number } {
  const { episodeSlots } = resolveScenario(scenario);
  const env = new BatchEnv({ scenarios: [scenario], numLanes: 1 });
  env.reset([0]);
  const slots = Math.min(episodeSlots, 10);
  while (env.outputs.slot[0] < slots) env.step([cheapestAction(env, 0)]);
  return { slots: episodeSlots, decisions: Math.max(1, (env.outputs.decisionIndex[0] / slots) * episodeSlots) };
}
