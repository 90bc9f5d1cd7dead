/**
 * Prints a world and what the kernel made of it, as JSON, so that an implementation in another language can be given
 * the same world and compared: `node node_modules/tsx/dist/cli.mjs benchmarks/peers/export-world.ts SPEC`.
 *
 * SPEC is JSON: `scenario` (an id or fields), `numLanes`, `numEpisodes` of each lane, `policy` ("greedy" or "random").
 */

import { cheapestAction } from "../../env/core/kernel.js";
import { deriveParameters } from "../../env/core/parameters.js";
import { BatchEnv, createStream, FLAG_TRUNCATED, resolveScenario, type ScenarioInput } from "../../env/index.js";

interface Spec {
  readonly scenario: string | ScenarioInput;
  readonly numLanes: number;
  readonly numEpisodes: number;
  readonly policy: "greedy" | "random";
}

const spec: Spec = JSON.parse(process.argv[2]);
const parameters = deriveParameters(resolveScenario(spec.scenario));
const lanes = Array.from({ length: spec.numLanes }, (_, lane) => exportLane(lane));
process.stdout.write(JSON.stringify({ parameters, lanes }));

/** Plays the episodes of one lane, and writes down each task as it comes, and what was done with it. */
function exportLane(lane: number) {
  const batch = new BatchEnv({ scenarios: [spec.scenario], numLanes: 1 });
  const { arrays } = batch.lanes;
  const draw = createStream(`mecgym/v1/peers/${lane}`);
  const episodes = [];
  for (let k = 0; k < spec.numEpisodes; k++) {
    batch.reset([lane * spec.numEpisodes + k]);
    const numServers = arrays.numServers[0];
    const episode = {
      numUsers: arrays.numUsers[0],
      cpuGHz: Array.from(arrays.cpuGHz.subarray(0, numServers)),
      // one entry for each task, that of the final observation included
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
      episode.slot.push(arrays.slot[0]);
      episode.user.push(arrays.userIndex[0]);
      episode.sizeMbit.push(arrays.sizeMbit[0]);
      episode.rateMbps.push(Array.from(arrays.rateMbps.subarray(0, numServers)));
      episode.observation.push(Array.from(batch.observation));
    };
    noteTask();
    do {
      const action = spec.policy === "greedy" ? cheapestAction(batch.lanes, 0) : Math.floor(draw() * (numServers + 1));
      batch.step([action]);
      episode.action.push(action);
      episode.costSlots.push(batch.costSlots[0]);
      noteTask();
    } while ((batch.flags[0] & FLAG_TRUNCATED) === 0);
    episodes.push(episode);
  }
  return episodes;
}
