/** The decisions of `learned-price` that every implementation of it must take, and the prices of the first ones. */

import { LearnedPrices } from "../../benchmarks/policies/learned-price.js";
import { cheapestActions } from "../../benchmarks/policies/prices.js";
import { makeEnv } from "../../env/index.js";

/** One episode. */
export interface LearnedPriceGolden {
  readonly scenario: string;
  readonly seed: number;
  /** Of the first decisions, of every action; null for an absent server. */
  readonly prices: readonly (readonly (number | null)[])[];
  /** All decisions, joined by spaces. */
  readonly actions: string;
}

const NUM_PRICED = 12;
const episodes: readonly (readonly [string, number])[] = [
  ["paper-v1", 1_000_000],
  ["load-30-users-v1", 1_000_001],
  ["size-8-mbit-v1", 1_000_002],
  ["bursty-v1", 1_000_003],
  ["churn-v1", 1_000_004],
  ["paper-3-to-11-servers-v1", 1_000_005],
  ["paper-poisson-v1", 1_000_006],
  ["scale-32-servers-v1", 1_000_007],
];

export function playLearnedPrices(): LearnedPriceGolden[] {
  return episodes.map(([scenario, seed]) => {
    const env = makeEnv(scenario, { seed });
    const learned = new LearnedPrices(env.scenario);
    const prices: (number | null)[][] = [];
    const actions: number[] = [];
    const cheapest = new Int32Array(1);
    let step: { readonly observation: typeof observation; readonly truncated: boolean };
    let { observation } = env.reset();
    do {
      const own = new Float64Array(observation.numServers + 1);
      learned.see(observation);
      learned.priceAll(observation, own);
      if (prices.length < NUM_PRICED) prices.push(Array.from(own, (price) => (Number.isFinite(price) ? price : null)));
      cheapestActions(own, observation.numServers, cheapest);
      actions.push(cheapest[0]);
      step = env.step(cheapest[0]);
      observation = step.observation;
    } while (!step.truncated);
    return { scenario, seed, prices, actions: actions.join(" ") };
  });
}
