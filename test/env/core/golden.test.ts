/** The golden trajectories: played here, they must give the digests on file. A change to them is a change of physics. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { resolveScenario, TrajectoryDigest } from "../../../env/index.js";
import { type GoldenTrajectory, listGolden, playGolden } from "../../golden/rules.js";
import { ReferenceEpisode } from "../../reference/reference-model.js";

const file = new URL("../../golden/trajectories.json", import.meta.url);
const trajectories = JSON.parse(readFileSync(file, "utf8")) as GoldenTrajectory[];

describe("golden trajectories", () => {
  it("are on file, each of them, as they are played", () => {
    const inputs = trajectories.map(({ digest: _digest, numSteps: _numSteps, ...input }) => input);
    expect(inputs).toEqual(listGolden());
    expect(new Set(trajectories.map(({ digest }) => digest)).size).toBe(trajectories.length);
  });

  it.each(trajectories)("$name", (golden) => {
    expect(playGolden(golden)).toEqual({ digest: golden.digest, numSteps: golden.numSteps });
  });

  it.each(trajectories)("$name, by the reference model and another hash", (golden) => {
    const scenario = resolveScenario(golden.scenario);
    const { numServers: count, densityGcyclesPerMbit, deadlineSlots, localCpuGHz, slotSeconds } = scenario;
    const maxServers = typeof count === "number" ? count : Array.isArray(count) ? Math.max(...count) : count.max;
    const hash = createHash("sha256");
    for (const seed of golden.seeds) {
      const reference = new ReferenceEpisode(scenario, seed);
      const rows: number[][] = [];
      const steps: { action: number; latencySlots: number; costSlots: number }[] = [];
      while (!reference.truncated) {
        const { servers, decision, devices, decisionIndex: d } = reference;
        const { backlogMbit } = devices[decision.userIndex];
        const row = [
          decision.sizeMbit,
          densityGcyclesPerMbit,
          deadlineSlots,
          decision.userIndex,
          localCpuGHz,
          (backlogMbit * densityGcyclesPerMbit) / localCpuGHz / slotSeconds,
          ...servers.flatMap((s, e) =>
            s.isThere ? [decision.rateMbps[e], s.cpuGHz, s.activeTasks, s.workloadMbit] : [0, 0, 0, 0],
          ),
        ];
        rows.push([...row, ...new Array<number>(6 + 4 * maxServers - row.length).fill(0)]);
        const cycle = (golden.rule === "in-turn" ? d : d * 7) % (servers.length + 1);
        const outside = golden.rule === "out-of-range" && d % 10 === 0;
        steps.push(reference.step(golden.rule === "cheapest" ? reference.oracleAction() : outside ? 99 : cycle));
      }
      const head = Buffer.alloc(16);
      head.writeBigUInt64LE(BigInt(seed), 0);
      head.writeBigUInt64LE(BigInt(steps.length), 8);
      hash.update(head);
      for (const step of steps) hash.update(int32(step.action));
      for (const step of steps) hash.update(float64(step.latencySlots));
      for (const step of steps) hash.update(float64(step.costSlots));
      for (const row of rows) for (const value of row) hash.update(float32(value));
    }
    expect(hash.digest("hex")).toBe(golden.digest);
  });

  it("differ in the digest where a trajectory differs in one bit, one action, one seed or one episode's end", () => {
    const digest = (...episodes: [seed: number, ...steps: [row: number, action: number, c: number, j: number][]][]) => {
      const result = new TrajectoryDigest();
      for (const [seed, ...steps] of episodes) {
        for (const [row, action, c, j] of steps) result.addStep(new Float32Array([row, 0]), action, c, j);
        result.endEpisode(seed);
      }
      return result.digest();
    };
    const all = [
      digest([1, [5, 0, 2, 3], [6, 1, 2, 3]]),
      digest([2, [5, 0, 2, 3], [6, 1, 2, 3]]),
      digest([1, [5, 1, 2, 3], [6, 1, 2, 3]]),
      digest([1, [5, 0, 2 + 2 ** -51, 3], [6, 1, 2, 3]]),
      digest([1, [5, 0, 2, 3 + 2 ** -51], [6, 1, 2, 3]]),
      digest([1, [5 + 2 ** -21, 0, 2, 3], [6, 1, 2, 3]]),
      digest([1, [5, 0, 2, 3]], [1, [6, 1, 2, 3]]),
      digest([1, [6, 1, 2, 3], [5, 0, 2, 3]]),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function float64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}
