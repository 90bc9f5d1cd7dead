/**
 * What `rollout` gains on its base for settings of M, H and its threshold, and what `clairvoyant` gains.
 *
 * npx tsx benchmarks/rollout-study.ts [episodes] [scenarios, comma-separated] [base:M:H:threshold, comma-separated]
 */

import { resolveScenario } from "../env/index.js";
import { makePolicy, type Policy } from "./policies/index.js";
import { makeRollout, type RolloutOptions, rolloutDefaults } from "./policies/rollout.js";
import { EpisodePlayer } from "./runner.js";

const FIRST_SEED = 1_000_000;
const [episodes = "20", ids = "paper-v1,load-24-users-v1,load-30-users-v1,size-6-mbit-v1", grid = "priced:16:10:2"] =
  process.argv.slice(2);
const count = Number(episodes);

console.log("| scenario | base:M:H:threshold | base, slots | gain, slots | ± 1.96 standard errors |");
console.log("| :-- | :-- | --: | --: | --: |");
for (const id of ids.split(",")) {
  const scenario = resolveScenario(id);
  const player = new EpisodePlayer(scenario);
  /** Mean cost of each episode. */
  const play = (make: (seed: number) => Policy) =>
    Array.from({ length: count }, (_, i) => {
      const { decisions } = player.play(make(FIRST_SEED + i), FIRST_SEED + i);
      let sum = 0;
      for (let d = 0; d < decisions.length; d++) sum += decisions.costSlots(d);
      return sum / decisions.length;
    });
  const bases = {
    oracle: play(() => makePolicy("oracle", 0, id)),
    priced: play(() => makePolicy("priced", 0, id)),
  };
  const report = (name: string, base: readonly number[], own: readonly number[]) => {
    const gains = base.map((cost, i) => cost - own[i]);
    const mean = gains.reduce((a, b) => a + b) / count;
    const variance = gains.reduce((a, b) => a + (b - mean) * (b - mean), 0) / (count - 1);
    const baseMean = base.reduce((a, b) => a + b) / count;
    const figures = [baseMean, mean, 1.96 * Math.sqrt(variance / count)].map((value) => value.toFixed(3));
    console.log(`| ${id} | ${name} | ${figures.join(" | ")} |`);
  };
  for (const cell of grid.split(",")) {
    const [base, M, H, threshold] = cell.split(":");
    const options: RolloutOptions = {
      ...rolloutDefaults,
      base: base as RolloutOptions["base"],
      numFutures: Number(M),
      horizonSlots: Number(H),
      threshold: Number(threshold),
    };
    const own = play((seed) => makeRollout(seed, scenario, options));
    report(cell, bases[options.base], own);
  }
  const mark = play((seed) => makePolicy("clairvoyant", seed, id));
  report("clairvoyant, against priced", bases.priced, mark);
}
