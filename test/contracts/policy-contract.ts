/** The contract every policy must keep; a new policy's test is one call of it. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LookAheadHandle, PolicyEntry } from "../../benchmarks/policies/index.js";
import { EpisodePlayer } from "../../benchmarks/runner.js";
import { lookAheadOfState, type ObservationData, resolveScenario } from "../../env/index.js";

/** Any observation a simulator could show, of 1 to 12 servers. */
export const anyObservation: fc.Arbitrary<ObservationData> = fc.integer({ min: 1, max: 12 }).chain((numServers) => {
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

/** The look-ahead of an observation, as if it had been recorded in episode 0. */
function lookAheadOf(observation: ObservationData): LookAheadHandle {
  return (options) => lookAheadOfState(resolveScenario("paper-v1"), 0, observation, options);
}

export function describePolicyContract(entry: PolicyEntry): void {
  describe(`policy ${entry.name}`, () => {
    it("answers every observation with an action that exists", () => {
      fc.assert(
        fc.property(anyObservation, fc.nat(), (observation, seed) => {
          const action = entry.make(seed)(observation, lookAheadOf(observation));
          expect(Number.isInteger(action) && action >= 0 && action <= observation.numServers).toBe(true);
        }),
        { seed: 1, numRuns: 300 },
      );
    });

    it("changes nothing of what it is shown", () => {
      fc.assert(
        fc.property(anyObservation, (observation) => {
          const before = structuredClone(observation);
          entry.make(0)(observation, lookAheadOf(observation));
          expect(observation).toEqual(before);
        }),
        { seed: 2, numRuns: 100 },
      );
    });

    it("decides alike for the same seed, whatever else is played between", () => {
      const scenario = { ...resolveScenario("paper-3-to-11-servers-v1"), episodeSlots: 30 };
      const actionsOf = (seed: number) => {
        const player = new EpisodePlayer(scenario);
        return player.play(entry.make(seed), seed).decisions.actions();
      };
      const first = actionsOf(7);
      actionsOf(8);
      expect(actionsOf(7)).toEqual(first);
    });
  });
}
