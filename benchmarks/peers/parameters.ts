/** The constants of a scenario that the peers are given: plain numbers, derived once. */

import { exp, expIntegralE1, LN10 } from "../../env/math.js";
import type { Scenario } from "../../env/scenario/scenario.js";

/** The constants of a scenario whose arrivals are Bernoulli and whose servers stay: the peers play no other. */
export function parametersOf(scenario: Scenario) {
  const { arrivals, uplink, taskSizeMbit } = scenario;
  if (arrivals.process !== "bernoulli") throw new Error(`the peers have no ${arrivals.process} arrivals`);
  const snrRatio = exp(uplink.meanSnrDb * (LN10 / 10));
  return {
    densityGcyclesPerMbit: scenario.densityGcyclesPerMbit,
    slotSeconds: scenario.slotSeconds,
    localCpuGHz: scenario.localCpuGHz,
    deadlineSlots: scenario.deadlineSlots,
    penaltySlots: scenario.deadlinePenaltySlots,
    episodeSlots: scenario.episodeSlots,
    minSizeMbit: taskSizeMbit.min,
    sizeSpanMbit: taskSizeMbit.max - taskSizeMbit.min,
    arrivalThreshold: arrivals.probability,
    /** Mean SNR as a ratio. */
    snrRatio,
    // eq. 1 has E[R] = (B/ln 2)·e^(1/s)·E1(1/s) for |h|² exponential of mean 1 and mean SNR s
    rateScaleMbps: uplink.meanRateMbps / (exp(1 / snrRatio) * expIntegralE1(1 / snrRatio)),
    minRateMbps: uplink.minRateMbps,
  };
}
