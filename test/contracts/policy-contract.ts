/** The contract of every policy; the test of a new policy is one call. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EpisodePlayer } from "../../benchmarks/play/episode-player.js";
import type { LookAheadHandle, PolicyEntry, RolloutHandle } from "../../benchmarks/policies/index.js";
import { isObservedActionAvailable, lookAheadOfState, type ObservationData, resolveScenario } from "../../env/index.js";

const paper = resolveScenario("paper-v1");

/** Any observation of 1 to 12 servers in a scenario in which servers do not leave. */
const withoutChurn: fc.Arbitrary<ObservationData> = fc.integer({ min: 1, max: 12 }).chain((numServers) => {
  const perServer = (min: number, max: number) =>
    fc.array(fc.double({ min, max, noNaN: true }), { minLength: numServers, maxLength: numServers });
  return fc.record({
    slot: fc.nat(1000),
    decisionIndex: fc.nat(1000),
    sizeMbit: fc.double({ min: 0.1, max: 20, noNaN: true }),
    densityGcyclesPerMbit: fc.constant(0.297),
    deadlineSlots: fc.constant(10),
    penaltySlots: fc.constant(10),
    slotSeconds: fc.constant(0.1),
    userIndex: fc.nat(20),
    localCpuGHz: fc.constant(2),
    localBacklogMbit: fc.double({ min: 0, max: 50, noNaN: true }),
    localWaitSlots: fc.constant(0),
    numServers: fc.constant(numServers),
    rateMbps: perServer(1, 40),
    cpuGHz: perServer(20, 48),
    activeTasks: fc.array(fc.nat(30), { minLength: numServers, maxLength: numServers }),
    workloadMbit: perServer(0, 100),
    workloadHistoryMbit: fc.constant(Array.from({ length: numServers }, () => [0, 0, 0])),
  });
});

/** The same observation with only some servers available; what it shows of an absent one is 0. */
export function withAvailable(observation: ObservationData, isAvailable: readonly boolean[]): ObservationData {
  const present = (values: readonly number[]) => values.map((value, e) => (isAvailable[e] ? value : 0));
  const { rateMbps, activeTasks, workloadMbit } = observation;
  return {
    ...observation,
    isAvailable: [...isAvailable],
    rateMbps: present(rateMbps),
    activeTasks: present(activeTasks),
    workloadMbit: present(workloadMbit),
  };
}

/** The same in a scenario in which servers leave: some or all of them may be absent. */
const withChurn: fc.Arbitrary<ObservationData> = fc
  .tuple(withoutChurn, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), fc.integer({ min: 0, max: 5 }))
  .map(([observation, draws, kind]) => {
    // none available, all, or some
    const available = draws.slice(0, observation.numServers).map((isThere) => kind !== 0 && (kind === 1 || isThere));
    return withAvailable(observation, available);
  });

/** Any observation that a simulator could show. */
export const anyObservation: fc.Arbitrary<ObservationData> = fc.oneof(withoutChurn, withChurn);

/** The look-ahead of an observation, as if it were recorded in episode 0. */
function lookAheadOf(observation: ObservationData): LookAheadHandle {
  return (options) => lookAheadOfState(paper, 0, observation, options);
}

/** Rollouts of an observation without an episode: arbitrary sums, the same for the same request. */
const rollout: RolloutHandle = ({ candidates, numCandidates, firstFuture, numFutures }, out) => {
  for (let i = 0; i < numCandidates; i++) {
    for (let m = 0; m < numFutures; m++) out[i * numFutures + m] = ((7 * candidates[i]) % 5) + ((firstFuture + m) % 3);
  }
};

export function describePolicyContract(entry: PolicyEntry): void {
  describe(`policy ${entry.name}`, () => {
    it("answers every observation with an existing action, and never with an absent server", () => {
      fc.assert(
        fc.property(anyObservation, fc.nat(), (observation, seed) => {
          const action = entry.make(seed, paper)(observation, lookAheadOf(observation), rollout);
          expect(isObservedActionAvailable(observation, action)).toBe(true);
        }),
        { seed: 1, numRuns: 500 },
      );
    });

    it("decides the same whether availability is left out or all servers are marked available", () => {
      fc.assert(
        fc.property(withoutChurn, fc.nat(), (observation, seed) => {
          const all = { ...observation, isAvailable: new Array<boolean>(observation.numServers).fill(true) };
          const silent = entry.make(seed, paper);
          const told = entry.make(seed, paper);
          for (let i = 0; i < 3; i++) {
            expect(told(all, lookAheadOf(all), rollout)).toBe(silent(observation, lookAheadOf(observation), rollout));
          }
        }),
        { seed: 3, numRuns: 100 },
      );
    });

    it("never names an absent server in an episode", () => {
      const scenario = { ...resolveScenario("churn-v1"), churn: { leaveProbability: 0.2, returnProbability: 0.2 } };
      const { decisions } = new EpisodePlayer(scenario).play(entry.make(5, scenario), 5);
      for (let i = 0; i < decisions.length; i++) expect(decisions.isInvalid(i)).toBe(false);
    });

    it("does not change the observation", () => {
      fc.assert(
        fc.property(anyObservation, (observation) => {
          const before = structuredClone(observation);
          entry.make(0, paper)(observation, lookAheadOf(observation), rollout);
          expect(observation).toEqual(before);
        }),
        { seed: 2, numRuns: 100 },
      );
    });

    it("decides the same for the same seed, whatever is played in between", () => {
      const scenario = { ...resolveScenario("paper-3-to-11-servers-v1"), episodeSlots: 30 };
      const actionsOf = (seed: number) => {
        const player = new EpisodePlayer(scenario);
        return player.play(entry.make(seed, scenario), seed).decisions.actions();
      };
      const first = actionsOf(7);
      actionsOf(8);
      expect(actionsOf(7)).toEqual(first);
    });
  });
}
