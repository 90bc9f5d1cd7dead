/**
 * The paired difference of two policies of one result file: their logs are replayed, episode by episode.
 *
 * npx tsx benchmarks/studies/paired-difference.ts RESULT POLICY OTHER
 */

import { readFileSync } from "node:fs";
import { resolveScenario } from "../../env/index.js";
import type { Result } from "../../schemas/generated/types.js";
import { estimate, ResamplePlan } from "../metrics/statistics.js";
import { LogDecider } from "../play/deciders.js";
import { EpisodePlayer, playEpisodes } from "../play/episode-player.js";
import { findSuite } from "../suites/suites.js";

const [file, policy, other] = process.argv.slice(2);
const result: Result = JSON.parse(readFileSync(file, "utf8"));
const suite = findSuite(result.suite);

console.log(`| setting | ${policy} | ${other} | difference, slots | 95 %, paired |`);
console.log("| :-- | --: | --: | --: | --: |");
for (const { id, protocol, seeds, policies } of result.settings) {
  const setting = suite.settings.find((one) => one.id === id);
  if (protocol !== "episodic" || setting === undefined) continue;
  const player = new EpisodePlayer(resolveScenario(setting.scenario));
  /** Sum and number of the costs of each episode. */
  const [own, others] = [policy, other].map((name) => {
    const logs = policies.find((one) => one.policy.name === name)?.actions;
    if (logs === undefined) throw new Error(`${file} has no ${name} in ${id}`);
    const units = playEpisodes(player, seeds.first, seeds.count, new LogDecider(logs));
    return units.map(({ decisions }) => {
      let sum = 0;
      for (let d = 0; d < decisions.length; d++) sum += decisions.costSlots(d);
      return { sum, count: decisions.length };
    });
  });
  const mean = (parts: typeof own, weights: ArrayLike<number>) => {
    const total = (of: (part: (typeof own)[number]) => number) =>
      parts.reduce((sum, part, i) => sum + weights[i] * of(part), 0);
    return total(({ sum }) => sum) / total(({ count }) => count);
  };
  const ones = new Array<number>(own.length).fill(1);
  const plan = new ResamplePlan(`${suite.id}/${id}`, own.length);
  const { value, low, high } = estimate(plan, (weights) => mean(own, weights) - mean(others, weights));
  const figures = [mean(own, ones), mean(others, ones), value].map((number) => number.toFixed(3));
  console.log(`| ${id} | ${figures.join(" | ")} | ${low.toFixed(3)} to ${high.toFixed(3)} |`);
}
