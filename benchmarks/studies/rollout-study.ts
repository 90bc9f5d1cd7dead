/**
 * What `rollout` gains on its base for settings of M, H, its threshold and its base, and what `clairvoyant` gains.
 *
 * npx tsx benchmarks/studies/rollout-study.ts [episodes] [scenarios, comma-separated] [base:M:H:threshold, comma-separated]
 */

import { resolveScenario, splits } from "../../env/index.js";
import { EpisodePlayer } from "../play/runner.js";
import { findPolicy } from "../policies/index.js";
import { checkTuningSeeds } from "../tuning/tuning-seeds.js";

const FIRST_SEED = splits.validation.start;
const [episodes = "20", ids = "paper-v1,load-24-users-v1,load-30-users-v1,size-6-mbit-v1", grid = "adaptive:16:10:2"] =
  process.argv.slice(2);
const count = Number(episodes);
checkTuningSeeds(FIRST_SEED, count, "episodes", ["validation"]);

console.log("| scenario | base:M:H:threshold | base (slots) | gain (slots) | ± 1.96 standard errors |");
console.log("| :-- | :-- | --: | --: | --: |");
for (const id of ids.split(",")) {
  const scenario = resolveScenario(id);
  const player = new EpisodePlayer(scenario);
  const played = new Map<string, number[]>();
  /** Mean cost of each episode. */
  const play = (name: string): number[] => {
    const known = played.get(name);
    if (known !== undefined) return known;
    const entry = findPolicy(name);
    const costs = Array.from({ length: count }, (_, i) => {
      const { decisions } = player.play(entry.make(FIRST_SEED + i, scenario), FIRST_SEED + i);
      let sum = 0;
      for (let d = 0; d < decisions.length; d++) sum += decisions.costSlots(d);
      return sum / decisions.length;
    });
    played.set(name, costs);
    return costs;
  };
  const report = (label: string, baseName: string, name: string) => {
    const base = play(baseName);
    const own = play(name);
    const gains = base.map((cost, i) => cost - own[i]);
    const mean = gains.reduce((a, b) => a + b) / count;
    const variance = gains.reduce((a, b) => a + (b - mean) * (b - mean), 0) / (count - 1);
    const baseMean = base.reduce((a, b) => a + b) / count;
    const figures = [baseMean, mean, 1.96 * Math.sqrt(variance / count)].map((value) => value.toFixed(3));
    console.log(`| ${id} | ${label} | ${figures.join(" | ")} |`);
  };
  for (const cell of grid.split(",")) {
    const [base, M, H, threshold] = cell.split(":");
    const options = `base=${base}:numFutures=${M}:horizonSlots=${H}:threshold=${threshold}`;
    report(cell, base, `rollout:${options}`);
  }
  report("clairvoyant, against adaptive", "adaptive", "clairvoyant");
}
