/** Random scenarios for the tests that play against the reference model and against themselves. */

import fc from "fast-check";
import type { ScenarioInput } from "../../env/index.js";

/** Round numbers of a range, which give ties and exact multiples, and arbitrary ones. */
function numberIn(min: number, max: number, ...written: readonly number[]): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...written) },
    { weight: 2, arbitrary: fc.double({ min, max, noNaN: true }) },
    { weight: 1, arbitrary: fc.constantFrom(min, max) },
  );
}

function rangeOf(value: fc.Arbitrary<number>): fc.Arbitrary<{ min: number; max: number }> {
  return fc.tuple(value, value).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }));
}

const numServers = fc.oneof(
  fc.integer({ min: 1, max: 7 }),
  fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }),
  rangeOf(fc.integer({ min: 1, max: 7 })),
);

const users = fc.oneof(
  fc.integer({ min: 1, max: 8 }).map((count) => ({ count })),
  fc.integer({ min: 1, max: 3 }).map((perServer) => ({ perServer })),
);

const capacity = numberIn(1, 60, 1, 5, 10, 20, 40);

const sizes = fc.oneof(
  { weight: 4, arbitrary: rangeOf(numberIn(0.5, 8, 0.5, 1, 2, 3, 4, 5)) },
  { weight: 2, arbitrary: numberIn(0.1, 6, 0.1, 0.3, 1, 2, 4).map((size) => ({ min: size, max: size })) },
  { weight: 1, arbitrary: rangeOf(numberIn(0.001, 0.01, 0.001)) },
  { weight: 1, arbitrary: rangeOf(numberIn(50, 500, 100)) },
);

function burstyArrivals(min: number, max: number) {
  return fc.record({
    process: fc.constant("bursty" as const),
    busyProbability: numberIn(min, max, max),
    quietProbability: numberIn(min, max, min),
    meanBusySlots: numberIn(1, 30, 1, 2, 10),
    meanQuietSlots: numberIn(1, 30, 1, 2, 20),
  });
}

const busyArrivals = fc.oneof(
  numberIn(0.05, 1, 0.3, 1).map((probability) => ({ process: "bernoulli" as const, probability })),
  numberIn(0.05, 4, 0.3, 1).map((ratePerSlot) => ({ process: "poisson" as const, ratePerSlot })),
  burstyArrivals(0.05, 1),
);

const rareArrivals = fc.oneof(
  numberIn(0.001, 0.2, 0.001, 0.02).map((probability) => ({ process: "bernoulli" as const, probability })),
  numberIn(0.001, 0.2, 0.001, 0.02).map((ratePerSlot) => ({ process: "poisson" as const, ratePerSlot })),
  burstyArrivals(0.001, 0.2),
);

const factors = rangeOf(numberIn(0.001, 5, 0.5, 1, 1.5));

export const lookAheadArbitrary = fc.record({
  numSamples: fc.integer({ min: 1, max: 6 }),
  weight: numberIn(0, 10, 0, 0.3, 1),
  sizeFactor: factors,
  mode: fc.constantFrom("independent" as const, "sequential" as const),
  rates: fc.constantFrom("frozen" as const, "resampled" as const),
});

/** Rare, frequent, certain or impossible churn; none in about half of the scenarios. */
const churn = fc.option(
  fc.record({
    leaveProbability: numberIn(0, 1, 0.005, 0.1, 0.3),
    returnProbability: numberIn(0, 1, 0.05, 0.3),
  }),
  { nil: undefined, freq: 2 },
);

interface Kind {
  readonly arrivals: "busy" | "rare";
  readonly maxSlots: number;
}

/** A scenario with every field drawn. */
export function scenarioArbitrary({ arrivals, maxSlots }: Kind): fc.Arbitrary<ScenarioInput> {
  return fc
    .record({
      numServers,
      users,
      capacities: fc.oneof(rangeOf(capacity), fc.array(capacity, { minLength: 7, maxLength: 7 })),
      localCpuGHz: numberIn(0.05, 8, 0.1, 1, 2),
      slotSeconds: numberIn(0.01, 2, 0.1, 0.5, 1),
      densityGcyclesPerMbit: numberIn(0.01, 3, 0.25, 0.297, 1),
      taskSizeMbit: sizes,
      arrivals: arrivals === "busy" ? busyArrivals : rareArrivals,
      uplink: fc.record({
        meanRateMbps: numberIn(0.001, 200, 0.001, 14),
        meanSnrDb: numberIn(-20, 80, 0, 30),
        minRateMbps: numberIn(0, 20, 0, 1, 14),
      }),
      deadlineSlots: numberIn(0.01, 30, 1, 5, 10),
      deadlinePenaltySlots: numberIn(0, 30, 0, 10),
      service: fc.constantFrom("shared-rate" as const, "work-conserving" as const),
      historySlots: fc.integer({ min: 1, max: 12 }),
      episodeSlots: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: maxSlots })),
      lookAhead: lookAheadArbitrary,
      churn,
    })
    .map(({ capacities, churn: changes, ...fields }) => ({
      ...fields,
      ...(changes === undefined ? {} : { churn: changes }),
      serverCpuGHz: Array.isArray(capacities) ? capacities.slice(0, mostServers(fields.numServers)) : capacities,
    }));
}

function mostServers(count: number | number[] | { max: number }): number {
  if (typeof count === "number") return count;
  return Array.isArray(count) ? Math.max(...count) : count.max;
}
