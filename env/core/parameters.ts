/** The constants of a scenario, as the kernel wants them: plain numbers, derived once. */

import { exp, expIntegralE1, LN10 } from "../math.js";
import type { Scenario } from "../scenario/scenario.js";

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
  readonly isBursty: boolean;
  /** Bernoulli: λ_p. Poisson: e^(−λ_p), the probability of no task. Bursty: λ_p while busy. */
  readonly arrivalThreshold: number;
  /** Bursty: λ_p while quiet. */
  readonly quietThreshold: number;
  /** Poisson: λ_p, tasks per user and slot. */
  readonly arrivalRate: number;
  /** Bursty: probability that a busy slot is followed by a quiet one, and the other way round. */
  readonly leaveBusyProbability: number;
  readonly leaveQuietProbability: number;
  /** Bursty: probability of a busy slot in the long run, with which an episode starts. */
  readonly busyShare: number;
  /** Whether servers leave and return. */
  readonly hasChurn: boolean;
  /** Probabilities for each server and slot. */
  readonly leaveProbability: number;
  readonly returnProbability: number;
  /** Mean SNR as a ratio. */
  readonly snrRatio: number;
  /** B/ln 2: the rate in Mbit/s for each unit of ln(1 + SNR·|h|²). */
  readonly rateScaleMbps: number;
  readonly minRateMbps: number;
}

export function deriveParameters(scenario: Scenario): Parameters {
  const { arrivals, uplink, taskSizeMbit, churn } = scenario;
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
    ...deriveArrivals(arrivals),
    hasChurn: churn !== undefined,
    leaveProbability: churn?.leaveProbability ?? 0,
    returnProbability: churn?.returnProbability ?? 0,
    snrRatio,
    // eq. 1 has E[R] = (B/ln 2)·e^(1/s)·E1(1/s) for |h|² exponential of mean 1 and mean SNR s
    rateScaleMbps: uplink.meanRateMbps / (exp(1 / snrRatio) * expIntegralE1(1 / snrRatio)),
    minRateMbps: uplink.minRateMbps,
  };
}

function deriveArrivals(
  arrivals: Scenario["arrivals"],
): Pick<
  Parameters,
  | "isPoisson"
  | "isBursty"
  | "arrivalThreshold"
  | "quietThreshold"
  | "arrivalRate"
  | "leaveBusyProbability"
  | "leaveQuietProbability"
  | "busyShare"
> {
  const none = {
    isPoisson: false,
    isBursty: false,
    arrivalThreshold: 0,
    quietThreshold: 0,
    arrivalRate: 0,
    leaveBusyProbability: 0,
    leaveQuietProbability: 0,
    busyShare: 0,
  };
  switch (arrivals.process) {
    case "bernoulli":
      return { ...none, arrivalThreshold: arrivals.probability };
    case "poisson":
      return {
        ...none,
        isPoisson: true,
        arrivalThreshold: exp(-arrivals.ratePerSlot),
        arrivalRate: arrivals.ratePerSlot,
      };
    case "bursty": {
      const { meanBusySlots, meanQuietSlots } = arrivals;
      return {
        ...none,
        isBursty: true,
        arrivalThreshold: arrivals.busyProbability,
        quietThreshold: arrivals.quietProbability,
        leaveBusyProbability: 1 / meanBusySlots,
        leaveQuietProbability: 1 / meanQuietSlots,
        busyShare: meanBusySlots / (meanBusySlots + meanQuietSlots),
      };
    }
  }
}
