/** The constants of a scenario, as the kernel wants them: plain numbers, derived once. */

import { exp, expIntegralE1, LN10 } from "./math.js";
import type { Scenario } from "./scenario.js";

export interface Parameters {
  /** γ, Gcycles/Mbit. */
  readonly densityGcyclesPerMbit: number;
  /** Δt, s. */
  readonly slotSeconds: number;
  /** f_loc, GHz. */
  readonly localCpuGHz: number;
  /** τ, slots. */
  readonly deadlineSlots: number;
  /** ρ, slots. */
  readonly penaltySlots: number;
  /** f_loc·Δt/γ: work a user's device serves in a slot, Mbit. */
  readonly localServiceMbit: number;
  /** Whether a server slows with the number of its tasks (eq. 9) or works at full speed while work waits. */
  readonly isSharedRate: boolean;
  /** T, slots. */
  readonly episodeSlots: number;
  /** W, slots. */
  readonly historySlots: number;
  readonly minSizeMbit: number;
  readonly sizeSpanMbit: number;
  readonly isPoisson: boolean;
  /** Bernoulli: λ_p. Poisson: e^(−λ_p), the probability of no task. */
  readonly arrivalThreshold: number;
  /** λ_p, tasks per user and slot. */
  readonly arrivalRate: number;
  /** Mean SNR as a ratio. */
  readonly snrRatio: number;
  /** B/ln 2: the rate in Mbit/s for each unit of ln(1 + SNR·|h|²). */
  readonly rateScaleMbps: number;
  readonly minRateMbps: number;
}

export function deriveParameters(scenario: Scenario): Parameters {
  const { arrivals, uplink, taskSizeMbit } = scenario;
  const arrivalRate = arrivals.process === "poisson" ? arrivals.ratePerSlot : arrivals.probability;
  const snrRatio = exp(uplink.meanSnrDb * (LN10 / 10));
  return {
    densityGcyclesPerMbit: scenario.densityGcyclesPerMbit,
    slotSeconds: scenario.slotSeconds,
    localCpuGHz: scenario.localCpuGHz,
    deadlineSlots: scenario.deadlineSlots,
    penaltySlots: scenario.deadlinePenaltySlots,
    localServiceMbit: (scenario.localCpuGHz * scenario.slotSeconds) / scenario.densityGcyclesPerMbit,
    isSharedRate: scenario.service === "shared-rate",
    episodeSlots: scenario.episodeSlots,
    historySlots: scenario.historySlots,
    minSizeMbit: taskSizeMbit.min,
    sizeSpanMbit: taskSizeMbit.max - taskSizeMbit.min,
    isPoisson: arrivals.process === "poisson",
    arrivalThreshold: arrivals.process === "poisson" ? exp(-arrivalRate) : arrivalRate,
    arrivalRate,
    snrRatio,
    // eq. 1 has E[R] = (B/ln 2)·e^(1/s)·E1(1/s) for |h|² exponential of mean 1 and mean SNR s
    rateScaleMbps: uplink.meanRateMbps / (exp(1 / snrRatio) * expIntegralE1(1 / snrRatio)),
    minRateMbps: uplink.minRateMbps,
  };
}
