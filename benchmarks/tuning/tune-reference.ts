/** Chooses a scenario's reference: the best native policy on validation seeds that does not see the future. */

import { checkOption } from "../../env/checks.js";
import { resolveScenario, type ScenarioInput } from "../../env/index.js";
import type { Estimate } from "../figures.js";
import { inSteps, type JobRunner } from "../jobs/jobs.js";
import { averageLatency, type CostSums, compareAverageLatency, joinCostSums } from "../metrics/metrics.js";
import { estimate, ResamplePlan } from "../metrics/statistics.js";
import { checkCanPlay, findPolicy } from "../policies/index.js";
import { checkTuningSeeds } from "./tuning-seeds.js";

/** The cost of one candidate. */
export interface CandidateRow {
  readonly policy: string;
  readonly averageLatencySlots: Estimate;
  /** Average latency minus that of the best candidate on the same episodes, slots. */
  readonly differenceToBestSlots: Estimate;
}

export interface ReferenceChoice {
  readonly scenario: string;
  /** Name of the candidate with the smallest average latency; ties go to the first. */
  readonly reference: string;
  readonly firstSeed: number;
  readonly episodes: number;
  /** The best one first. */
  readonly candidates: readonly CandidateRow[];
}

/** Slots that one job plays, roughly. */
const SLOTS_PER_JOB = 1000;

/**
 * Plays every candidate on the same validation seeds.
 *
 * @throws MecgymError `unknownScenario`, `invalidScenario`, `unknownPolicy`, `invalidSeed` unless all seeds are
 *   validation seeds, `invalidOption` for a candidate that sees the future
 */
export async function tuneReference(
  given: string | ScenarioInput,
  names: readonly string[],
  episodes: number,
  firstSeed: number,
  runner: JobRunner,
  onEpisodes: (count: number, policy: string) => void = () => {},
): Promise<ReferenceChoice> {
  const scenario = resolveScenario(given);
  checkTuningSeeds(firstSeed, episodes, "--seed", ["validation"]);
  for (const name of names) {
    checkCanPlay(name, "episodic");
    checkOption(!findPolicy(name).isClairvoyant, "--policies", name, "policies that see nothing of the future");
  }
  const step = Math.max(1, Math.floor(SLOTS_PER_JOB / scenario.episodeSlots));
  const played = await Promise.all(
    names.map(async (policy): Promise<[string, CostSums]> => {
      const parts = await inSteps(episodes, step, async (start, count) => {
        const job = { kind: "play", scenario, policy, firstSeed: firstSeed + start, count } as const;
        const { costs } = await runner.run(job);
        onEpisodes(count, policy);
        return costs;
      });
      return [policy, joinCostSums(parts)];
    }),
  );
  const equal = new Uint8Array(episodes).fill(1);
  const ranked = played
    .map(([policy, costs]) => ({ policy, costs, value: averageLatency(costs, equal) }))
    .sort((a, b) => a.value - b.value);
  const plan = new ResamplePlan(`tune/reference/${scenario.id}`, episodes);
  const candidates = ranked.map(({ policy, costs }) => ({
    policy,
    averageLatencySlots: estimate(plan, (weights) => averageLatency(costs, weights)),
    differenceToBestSlots: compareAverageLatency(costs, ranked[0].costs, plan),
  }));
  return { scenario: scenario.id, reference: ranked[0].policy, firstSeed, episodes, candidates };
}
