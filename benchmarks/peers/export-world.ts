/**
 * Prints a world and mecgym's results in it as JSON, so that an implementation in another language can play the
 * same world and be compared: `node node_modules/tsx/dist/cli.mjs benchmarks/peers/export-world.ts SPEC`.
 *
 * SPEC is JSON: `scenario` (an id or fields), `numLanes`, `numEpisodes` of each lane, `policy` ("greedy" or "random").
 */

import { cheapestAction } from "../../env/batch/action-costs.js";
import {
  BatchEnv,
  createStream,
  FLAG_TRUNCATED,
  LaneView,
  resolveScenario,
  type ScenarioInput,
} from "../../env/index.js";
import { parametersOf } from "./parameters.js";

interface Spec {
  readonly scenario: string | ScenarioInput;
  readonly numLanes: number;
  readonly numEpisodes: number;
  readonly policy: "greedy" | "random";
}

const spec: Spec = JSON.parse(process.argv[2]);
const parameters = parametersOf(resolveScenario(spec.scenario));
const lanes = Array.from({ length: spec.numLanes }, (_, lane) => exportLane(lane));
process.stdout.write(JSON.stringify({ parameters, lanes }));

/** Plays the episodes of one lane, and records each task and the decision about it. */
function exportLane(lane: number) {
  const batch = new BatchEnv({ scenarios: [spec.scenario], numLanes: 1 });
  const view = new LaneView(batch.lanes, 0);
  const draw = createStream(`mecgym/v1/peers/${lane}`);
  const episodes = [];
  for (let k = 0; k < spec.numEpisodes; k++) {
    batch.reset([lane * spec.numEpisodes + k]);
    const { numServers } = view;
    const episode = {
      numUsers: batch.lanes.read(0)?.numUsers[0],
      cpuGHz: Array.from(view.cpuGHz),
      // one entry for each task, including that of the final observation
      slot: [] as number[],
      user: [] as number[],
      sizeMbit: [] as number[],
      rateMbps: [] as number[][],
      observation: [] as number[][],
      // one entry for each decision
      action: [] as number[],
      costSlots: [] as number[],
    };
    const noteTask = () => {
      episode.slot.push(view.slot);
      episode.user.push(view.userIndex);
      episode.sizeMbit.push(view.sizeMbit);
      episode.rateMbps.push(Array.from(view.rateMbps));
      episode.observation.push(Array.from(batch.observation));
    };
    noteTask();
    do {
      const action = spec.policy === "greedy" ? cheapestAction(batch, 0) : Math.floor(draw() * (numServers + 1));
      batch.step([action]);
      episode.action.push(action);
      episode.costSlots.push(batch.costSlots[0]);
      noteTask();
    } while ((batch.flags[0] & FLAG_TRUNCATED) === 0);
    episodes.push(episode);
  }
  return episodes;
}
