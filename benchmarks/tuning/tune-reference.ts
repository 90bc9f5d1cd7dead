/** Chooses a scenario's reference: the native policy that is best on validation seeds, of those that see no future. */

import { MecgymError, resolveScenario } from "../../env/index.js";
import type { JobRunner } from "../jobs/jobs.js";
import { averageLatency, type CostSums, compareAverageLatency } from "../metrics/metrics.js";
import { type Estimate, estimate, ResamplePlan } from "../metrics/statistics.js";
import { checkCanPlay, findPolicy } from "../policies/index.js";
import { checkTuningSeeds } from "./tuning-seeds.js";

/** What one candidate costs. */
export interface CandidateRow {
  readonly policy: string;
  readonly averageLatencySlots: Estimate;
  /** Average latency minus that of the best candidate on the same episodes, slots. */
  readonly differenceToBestSlots: Estimate;
}

export interface ReferenceChoice {
  readonly scenario: string;
  /** Name of the candidate of the smallest average latency, the first of equals. */
  readonly reference: string;
  readonly firstSeed: number;
  readonly episodes: number;
  /** The best one first. */
  readonly candidates: readonly CandidateRow[];
}

/** Slots of episodes in a job, about. */
const SLOTS_PER_JOB = 1000;

/**
 * Plays every candidate on the same validation seeds.
 *
 * @throws MecgymError `unknownScenario`, `unknownPolicy`, `invalidSeed` unless all seeds are validation seeds,
 *   `invalidOption` for a candidate that sees the future
 */
export async function tuneReference(
  scenarioId: string,
  names: readonly string[],
  episodes: number,
  firstSeed: number,
  runner: JobRunner,
  onEpisodes: (count: number, policy: string) => void = () => {},
): Promise<ReferenceChoice> {
  const scenario = resolveScenario(scenarioId);
  checkTuningSeeds(firstSeed, episodes, "--seed", ["validation"]);
  for (const name of names) {
    checkCanPlay(name, "episodic");
    if (!findPolicy(name).isClairvoyant) continue;
    const expected = "policies that see nothing of the future";
    throw new MecgymError("invalidOption", { path: "--policies", got: name, expected });
  }
  const step = Math.max(1, Math.floor(SLOTS_PER_JOB / scenario.episodeSlots));
  const starts = Array.from({ length: Math.ceil(episodes / step) }, (_, i) => i * step);
  const played = await Promise.all(
    names.map(async (policy): Promise<[string, CostSums]> => {
      const parts = await Promise.all(
        starts.map(async (start) => {
          const count = Math.min(step, episodes - start);
          const job = { kind: "play", scenario: scenarioId, policy, firstSeed: firstSeed + start, count } as const;
          const { costs } = await runner.run(job);
          onEpisodes(count, policy);
          return costs;
        }),
      );
      const joined = (field: keyof CostSums) => Float64Array.from(parts.flatMap((part) => [...part[field]]));
      return [policy, { costSlots: joined("costSlots"), decisions: joined("decisions") }];
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
  return { scenario: scenarioId, reference: ranked[0].policy, firstSeed, episodes, candidates };
}
