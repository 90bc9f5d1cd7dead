/** Fits the weights of `adaptive`, one set for all loads: CMA-ES on episodes that all sets of a generation play. */

import { checkOption } from "../../env/checks.js";
import { BatchEnv, createStream, FLAG_TRUNCATED, LaneView, resolveScenario, streamName } from "../../env/index.js";
import { ln } from "../../env/math.js";
import { adaptiveFeatures, makeAdaptive } from "../policies/adaptive.js";
import { makePriced, type Policy, tollSlotsOf } from "../policies/index.js";
import { CmaEs } from "./cma-es.js";
import { checkTuningSeeds } from "./tuning-seeds.js";

/** A load that the weights must do well at. */
interface TrainingLoad {
  readonly scenario: string;
  /** Slots of it that are played. */
  readonly slots: number;
  readonly weight: number;
  /** How much more a loss against `priced` counts than a gain: low loads must not pay for gains at high loads. */
  readonly lossFactor: number;
}

/** Loads that can collapse are played long enough for a collapse to show; the others are short. */
export const trainingLoads: readonly TrainingLoad[] = [
  { scenario: "paper-long-v1", slots: 500, weight: 2, lossFactor: 6 },
  { scenario: "load-18-users-long-v1", slots: 500, weight: 1.5, lossFactor: 6 },
  { scenario: "load-24-users-long-v1", slots: 600, weight: 1, lossFactor: 2.5 },
  { scenario: "load-30-users-long-v1", slots: 1000, weight: 1, lossFactor: 2.5 },
  { scenario: "size-6-mbit-long-v1", slots: 1000, weight: 1, lossFactor: 2.5 },
  { scenario: "size-8-mbit-long-v1", slots: 1000, weight: 0.2, lossFactor: 2.5 },
  { scenario: "bursty-long-v1", slots: 1000, weight: 1, lossFactor: 2.5 },
  { scenario: "churn-24-users-long-v1", slots: 600, weight: 0.7, lossFactor: 2.5 },
  { scenario: "paper-3-servers-v1", slots: 400, weight: 1, lossFactor: 6 },
  { scenario: "paper-11-servers-v1", slots: 300, weight: 1, lossFactor: 6 },
];

/** The search starts at a price that grows with N and N·N, with this standard deviation. */
const START = { N: 0.3, "N*N": 0.3 } as Readonly<Record<string, number>>;
const DEVIATION = 0.3;
/** Decimal places of a weight; more make no difference to decisions. */
const DIGITS = 4;

/** Plays a load and returns nothing but its average latency. */
class CostPlayer {
  readonly #batch: BatchEnv;
  readonly #view: LaneView;
  readonly tollSlots: number;

  constructor({ scenario, slots }: TrainingLoad) {
    const whole = resolveScenario(scenario);
    this.tollSlots = tollSlotsOf(whole);
    this.#batch = new BatchEnv({ scenarios: [{ ...whole, episodeSlots: slots }], numLanes: 1 });
    this.#view = new LaneView(this.#batch.lanes, 0);
  }

  /** Average latency of an episode, slots. */
  play(policy: Policy, seed: number): number {
    const batch = this.#batch;
    const actions = [0];
    batch.reset([seed]);
    let sum = 0;
    let count = 0;
    do {
      actions[0] = policy(this.#view);
      batch.step(actions);
      sum += batch.costSlots[0];
      count++;
    } while ((batch.flags[0] & FLAG_TRUNCATED) === 0);
    return sum / count;
  }
}

export interface AdaptiveFit {
  /** By name of the feature, slots. */
  readonly weights: Readonly<Record<string, number>>;
  /** For each load, the mean of ln(AL ÷ AL of `priced`) over the last generations, with their weights. */
  readonly logRatios: Readonly<Record<string, number>>;
  /** Episodes that were played, including those of `priced`. */
  readonly episodes: number;
}

/** Generations whose figures `logRatios` averages. */
const REPORTED_GENERATIONS = 20;

/**
 * Every generation plays one new training seed in each load. All its sets of weights play the same episode, and so does
 * `priced`. The value of a set is the weighted sum of ln(AL ÷ AL of `priced`), in which losses count more.
 *
 * @param firstSeed seeds firstSeed … firstSeed + generations − 1 are played
 * @returns the weights; yields after each generation
 * @throws MecgymError `invalidSeed` unless all seeds are training seeds, `invalidOption`
 */
export function* tuneAdaptive(
  generations: number,
  population: number,
  firstSeed: number,
  loads = trainingLoads,
): Generator<string, AdaptiveFit> {
  checkTuningSeeds(firstSeed, generations, "--seed", ["train"]);
  checkOption(population >= 4, "--population", population, "4 or more");
  const players = loads.map((load) => new CostPlayer(load));
  const search = new CmaEs({
    start: adaptiveFeatures.map((name) => START[name] ?? 0),
    deviation: DEVIATION,
    population,
    uniform: createStream(streamName("tune", "adaptive", firstSeed)),
  });
  const recent: number[][] = [];
  for (let g = 0; g < generations; g++) {
    const seed = firstSeed + g;
    const marks = players.map((player) => player.play(makePriced(player.tollSlots), seed));
    const logRatios = (weights: ArrayLike<number>) =>
      players.map((player, i) => ln(player.play(makeAdaptive(weights), seed) / marks[i]));
    search.tell(
      search.ask().map((weights) =>
        logRatios(weights).reduce((sum, ratio, i) => {
          const { weight, lossFactor } = loads[i];
          return sum + weight * (ratio > 0 ? lossFactor * ratio : ratio);
        }, 0),
      ),
    );
    if (g >= generations - REPORTED_GENERATIONS) recent.push(logRatios(search.mean));
    yield `generation ${g + 1}, deviation ${search.deviation.toFixed(3)}`;
  }
  const meanOf = (i: number) => recent.reduce((sum, row) => sum + row[i], 0) / recent.length;
  return {
    weights: Object.fromEntries(adaptiveFeatures.map((name, i) => [name, Number(search.mean[i].toFixed(DIGITS))])),
    logRatios: Object.fromEntries(loads.map(({ scenario }, i) => [scenario, Number(meanOf(i).toFixed(DIGITS))])),
    episodes: players.length * (generations * (population + 1) + recent.length),
  };
}
