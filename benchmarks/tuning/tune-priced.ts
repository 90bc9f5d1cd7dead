/** Tunes κ of `priced`: a grid first, then points around the best one, all on the same episodes. */

import { resolveScenario, type ScenarioInput } from "../../env/index.js";
import type { Estimate } from "../figures.js";
import { averageLatency, type CostSums, compareAverageLatency, costSums } from "../metrics/metrics.js";
import { estimate, ResamplePlan } from "../metrics/statistics.js";
import type { Unit } from "../metrics/units.js";
import { EpisodePlayer } from "../play/episode-player.js";
import { makePriced } from "../policies/index.js";
import { checkTuningSeeds } from "./tuning-seeds.js";

/** The values of κ that are tried first, slots. */
export const TOLL_GRID_SLOTS: readonly number[] = [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 10, 12, 15, 20, 30];

/** How often the interval around the best κ is halved. */
const NUM_REFINEMENTS = 2;

/** The largest number of values of κ that are tried. */
export const MOST_TOLLS = TOLL_GRID_SLOTS.length + 2 * NUM_REFINEMENTS;

/** The cost of one κ. */
export interface TollRow {
  readonly tollSlots: number;
  readonly averageLatencySlots: Estimate;
  /** Average latency minus that of the best κ on the same episodes, slots. */
  readonly differenceToBestSlots: Estimate;
}

/**
 * Finds the κ with the smallest average latency; ties go to the smaller κ.
 *
 * @returns a row for each κ that was tried, in increasing order; yields after each episode
 * @throws MecgymError `unknownScenario`, `invalidScenario`; `invalidSeed` unless all seeds are training seeds or all
 *   are validation seeds
 */
export function* tunePriced(
  given: string | ScenarioInput,
  episodes: number,
  firstSeed: number,
): Generator<"episode", { rows: TollRow[]; best: TollRow }> {
  const scenario = resolveScenario(given);
  checkTuningSeeds(firstSeed, episodes, "--seed");
  const player = new EpisodePlayer(scenario);
  const costs = new Map<number, CostSums>();
  const equal = new Uint8Array(episodes).fill(1);
  const averageOf = (tollSlots: number) => averageLatency(costs.get(tollSlots) as CostSums, equal);
  const bestOf = () => [...costs.keys()].reduce((best, toll) => (averageOf(toll) < averageOf(best) ? toll : best));
  const tryAll = function* (tolls: readonly number[]): Generator<"episode"> {
    for (const toll of tolls) {
      const units: Unit[] = [];
      for (let i = 0; i < episodes; i++) {
        units.push(player.play(makePriced(toll), firstSeed + i));
        yield "episode";
      }
      costs.set(toll, costSums(units));
    }
  };
  yield* tryAll(TOLL_GRID_SLOTS);
  for (let i = 0; i < NUM_REFINEMENTS; i++) {
    const best = bestOf();
    const tried = [...costs.keys()].sort((a, b) => a - b);
    const at = tried.indexOf(best);
    const neighbours = [tried[at - 1], tried[at + 1]].filter((toll) => toll !== undefined);
    yield* tryAll(neighbours.map((toll) => (toll + best) / 2));
  }
  const best = bestOf();
  const plan = new ResamplePlan(`tune/priced/${scenario.id}`, episodes);
  const rows = [...costs.keys()]
    .sort((a, b) => a - b)
    .map((tollSlots) => ({
      tollSlots,
      averageLatencySlots: estimate(plan, (weights) => averageLatency(costs.get(tollSlots) as CostSums, weights)),
      differenceToBestSlots: compareAverageLatency(costs.get(tollSlots) as CostSums, costs.get(best) as CostSums, plan),
    }));
  return { rows, best: rows.find((row) => row.tollSlots === best) as TollRow };
}
