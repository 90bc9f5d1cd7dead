/** Branching: snapshots, restores and forks play on with the same bits, and damaged snapshots are rejected. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchEnv, FLAG_INVALID_ACTION, FLAG_TRUNCATED, MecgymError, type ScenarioInput } from "../../../env/index.js";
import { snapshotWith, stateOf } from "../snapshot-fields.js";

const busy: ScenarioInput = {
  numServers: { min: 2, max: 5 },
  users: { perServer: 5 },
  arrivals: { process: "bursty", busyProbability: 0.6, quietProbability: 0.15, meanBusySlots: 10, meanQuietSlots: 20 },
  episodeSlots: 40,
};

const restless: ScenarioInput = {
  ...busy,
  deadlineSlots: 4,
  churn: { leaveProbability: 0.08, returnProbability: 0.3 },
};

function play(env: BatchEnv, lane: number, numSteps: number, rule: (i: number) => number): string {
  const trace: unknown[] = [];
  for (let i = 0; i < numSteps; i++) {
    const actions = Array.from({ length: env.numLanes }, (_, l) => rule(i + l) % (env.outputs.numServers[l] + 1));
    env.step(actions);
    const width = env.observationSize;
    trace.push(
      env.costSlots[lane],
      env.flags[lane],
      env.lostTasks[lane],
      env.lostOnTimeTasks[lane],
      ...env.observation.subarray(lane * width, (lane + 1) * width),
    );
  }
  return JSON.stringify(trace);
}

function make(numLanes = 1, scenario: string | ScenarioInput = busy): BatchEnv {
  // with churn, the server of an action may have left
  const options = { autoreset: "same-step", history: true, invalidActions: "costliest" } as const;
  const env = new BatchEnv({ scenarios: [scenario], numLanes, ...options });
  env.reset(Array.from({ length: numLanes }, (_, i) => i));
  return env;
}

describe.each([
  ["without churn", busy],
  ["under churn", restless],
])("a snapshot, %s,", (_name, scenario) => {
  it("restored plays on as the lane did, past the end of the episode", () => {
    const env = make(1, scenario);
    play(env, 0, 57, (i) => i * 7);
    const snapshot = env.snapshot(0);
    const hash = env.stateHash(0);
    const straight = play(env, 0, 500, (i) => i * 5);
    env.restore(0, snapshot);
    expect(env.stateHash(0)).toBe(hash);
    expect(env.snapshot(0)).toEqual(snapshot);
    expect(play(env, 0, 500, (i) => i * 5)).toBe(straight);
  });

  it("can be restored in another batch with more room", () => {
    const env = make(1, scenario);
    play(env, 0, 33, (i) => i * 3);
    const room = { laneScenario: [0, 1], numLanes: 2, maxServers: 9, invalidActions: "costliest" } as const;
    const other = new BatchEnv({ scenarios: ["paper-v1", scenario], ...room });
    other.reset();
    other.restore(1, env.snapshot(0));
    expect(other.stateHash(1)).toBe(env.stateHash(0));
    for (let i = 0; i < 100; i++) {
      const action = i % 3;
      env.step([action]);
      other.step([0, action]);
      expect(other.costSlots[1]).toBe(env.costSlots[0]);
    }
  });

  it("shows the observation and mask of its decision", () => {
    const env = make(1, scenario);
    play(env, 0, 20, (i) => i);
    const [snapshot, observation, mask] = [env.snapshot(0), env.observation.slice(), env.actionMask.slice()];
    env.reset([99]);
    env.restore(0, snapshot);
    expect(env.observation).toEqual(observation);
    expect(env.actionMask).toEqual(mask);
  });

  it("any interleaving of steps, snapshots, restores and forks equals the straight run", () => {
    const command = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("step" as const), action: fc.nat(5) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("save" as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("back" as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("branch" as const), action: fc.nat(5) }) },
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 120 }), fc.nat(1000), (commands, seed) => {
        const env = make(2, scenario);
        env.reset([seed, seed + 1]);
        let history: number[] = [];
        let saved = { snapshot: env.snapshot(0), history };
        for (const one of commands) {
          const numServers = env.outputs.numServers[0];
          if (one.kind === "step") {
            const action = one.action % (numServers + 1);
            env.step([action, 0]);
            history = [...history, action];
          } else if (one.kind === "save") saved = { snapshot: env.snapshot(0), history };
          else if (one.kind === "back") {
            env.restore(0, saved.snapshot);
            history = saved.history;
          } else {
            const before = env.stateHash(0);
            env.fork(0, 1);
            expect(env.stateHash(1)).toBe(before);
            const snapshot = env.snapshot(0);
            env.step([0, one.action % (numServers + 1)]);
            env.restore(0, snapshot);
            expect(env.stateHash(0)).toBe(before);
          }
        }
        const straight = make(1, scenario);
        straight.reset([seed]);
        for (const action of history) straight.step([action]);
        expect(env.stateHash(0)).toBe(straight.stateHash(0));
      }),
      { seed: 1, numRuns: 150 },
    );
  });
});

describe("a fork", () => {
  it("starts equal, and neither changes the other", () => {
    const env = make(2);
    play(env, 0, 30, (i) => i);
    env.fork(0, 1);
    expect(env.snapshot(1)).toEqual(env.snapshot(0));
    const parent = env.snapshot(0);
    const twin = make(1);
    twin.restore(0, parent);
    for (let i = 0; i < 200; i++) {
      env.step([1, 2]);
      twin.step([1]);
    }
    expect(env.snapshot(0)).toEqual(twin.snapshot(0));
    expect(env.stateHash(1)).not.toBe(env.stateHash(0));
  });

  it("is rejected between scenarios, before a reset and outside the batch", () => {
    const env = new BatchEnv({ scenarios: ["paper-v1", busy], laneScenario: [0, 1], numLanes: 2 });
    expect(() => env.fork(0, 0)).toThrow(/needsReset/);
    expect(() => env.snapshot(1)).toThrow(/needsReset/);
    env.reset();
    expect(() => env.fork(0, 1)).toThrow(/invalidOption at to/);
    expect(() => env.fork(0, 2)).toThrow(/invalidOption at lane/);
    expect(() => env.fork(-1, 0)).toThrow(/invalidOption at lane/);
  });
});

describe("a state", () => {
  it("without churn has the bytes from before churn existed", () => {
    const env = new BatchEnv({ scenarios: [busy], numLanes: 1 });
    env.reset([7]);
    for (let i = 0; i < 100; i++) env.step([(i * 3) % (env.outputs.numServers[0] + 1)]);
    expect(env.stateHash(0)).toBe("c1e3a750e2bc2614");
  });

  it("with churn holds which tasks were late: without it, a loss would be charged differently", () => {
    const env = make(2, restless);
    // the last of a task's five columns
    const marksOf = (lane: number) => stateOf(env, lane).tasks.filter((_, i) => i % 5 === 4);
    for (let i = 0; i < 10 || new Set(marksOf(0)).size < 2; i++) env.step([i % (env.outputs.numServers[0] + 1), 0]);
    env.fork(0, 1);
    expect(env.stateHash(1)).toBe(env.stateHash(0));
    const tasks = stateOf(env, 1).tasks.map((value, i) => (i % 5 === 4 ? 1 - value : value));
    env.restore(1, snapshotWith(env, 1, { tasks }));
    expect(env.stateHash(1)).not.toBe(env.stateHash(0));
    let differ = 0;
    for (let i = 0; i < 30; i++) {
      env.step([0, 0]);
      if (env.lostOnTimeTasks[0] !== env.lostOnTimeTasks[1]) differ++;
    }
    expect(differ).toBeGreaterThan(0);
  });
});

describe("a state under churn that contradicts itself", () => {
  it("is rejected: an absent server has tasks or a rate, or an available one has no rate", async () => {
    const { sha256 } = await import("@noble/hashes/sha2.js");
    const env = make(1, restless);
    for (let i = 0; i < 40 || stateOf(env, 0).isAvailable.every(Boolean); i++) env.step([i % 3]);
    const good = env.snapshot(0);
    const hash = env.stateHash(0);
    const state = stateOf(env, 0);
    const numServers = state.numServers[0];
    // seed and episode, 18 numbers, 4 streams, 2 keys, 4 numbers a server, H, 2 a user, 2 counts, the churn stream
    const historyEnd = 2 + 18 + 16 + 2 + (4 + env.scenarioOf(0).historySlots) * numServers;
    const availableAt = historyEnd + 2 * state.numUsers[0] + 2 + 4;
    for (let e = 0; e < numServers; e++) {
      const forged = good.slice();
      const view = new DataView(forged.buffer);
      const at = 72 + 8 * (availableAt + e);
      expect(view.getFloat64(at, true)).toBe(state.isAvailable[e]);
      view.setFloat64(at, 1 - state.isAvailable[e], true);
      forged.set(sha256(forged.subarray(72)), 40);
      const field = state.activeTasks[e] > 0 ? "activeTasks" : "rateMbps";
      expect(() => env.restore(0, forged)).toThrow(`invalidSnapshot at snapshot/${field}/${e}`);
      expect(env.stateHash(0)).toBe(hash);
    }
  });
});

describe.each([
  ["without churn", busy],
  ["under churn", restless],
])("a snapshot that is none, %s,", (_name, scenario) => {
  const env = make(1, scenario);
  play(env, 0, 40, (i) => i);
  const good = env.snapshot(0);
  const hash = env.stateHash(0);

  function codeOf(snapshot: Uint8Array): { code: string; path: string } {
    try {
      env.restore(0, snapshot);
    } catch (error) {
      expect(error).toBeInstanceOf(MecgymError);
      expect(env.stateHash(0)).toBe(hash);
      return error as MecgymError;
    }
    throw new Error("accepted");
  }

  const changed = (at: number, value: number) => {
    const copy = good.slice();
    copy[at] = value;
    return copy;
  };

  it("is rejected if empty, cut, foreign, damaged, or of another version or scenario", () => {
    expect(codeOf(new Uint8Array(0)).path).toBe("snapshot/length");
    expect(codeOf(good.subarray(0, good.length - 3)).path).toBe("snapshot/length");
    expect(codeOf(good.subarray(0, good.length - 8)).path).toBe("snapshot/checksum");
    expect(codeOf(changed(0, 1)).path).toBe("snapshot/magic");
    expect(codeOf(changed(7, 9)).path).toBe("snapshot/version");
    expect(codeOf(changed(8, good[8] ^ 1)).path).toBe("snapshot/scenario");
    expect(codeOf(make(1, "paper-v1").snapshot(0)).path).toBe("snapshot/scenario");
    expect(codeOf(changed(good.length - 1, good[good.length - 1] ^ 1)).path).toBe("snapshot/checksum");
  });

  it("is rejected with any number out of bounds, even with a correct checksum", async () => {
    const { sha256 } = await import("@noble/hashes/sha2.js");
    const numNumbers = (good.length - 72) / 8;
    let refused = 0;
    for (let i = 0; i < numNumbers; i++) {
      for (const value of [Number.NaN, -2, Number.POSITIVE_INFINITY]) {
        const forged = good.slice();
        new DataView(forged.buffer).setFloat64(72 + 8 * i, value, true);
        forged.set(sha256(forged.subarray(72)), 40);
        if (value === -2 && i >= 2 + 18 + 16 && i < 2 + 18 + 18) continue; // the keys of the futures may be negative
        expect(codeOf(forged).code).toBe("invalidSnapshot");
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(300);
  });

  it("is rejected if its numbers contradict each other: queues, or a task of a later slot", async () => {
    const { sha256 } = await import("@noble/hashes/sha2.js");
    const state = stateOf(env, 0);
    const numbers = new DataView(good.buffer, 72);
    const pathOf = (index: number, change: number) => {
      const forged = good.slice();
      const at = 72 + 8 * index;
      new DataView(forged.buffer).setFloat64(at, numbers.getFloat64(8 * index, true) + change, true);
      forged.set(sha256(forged.subarray(72)), 40);
      return codeOf(forged).path;
    };
    const [numServers, numTasks] = [state.numServers[0], state.numTasks[0]];
    expect(numTasks).toBeGreaterThan(0);
    const servers = 2 + 18 + 16 + 2;
    for (let e = 0; e < numServers; e++) {
      expect(pathOf(servers + 2 * numServers + e, 1)).toBe(`snapshot/activeTasks/${e}`);
      expect(pathOf(servers + 3 * numServers + e, 2 ** -40)).toBe(`snapshot/workloadMbit/${e}`);
    }
    const width = env.scenarioOf(0).churn === undefined ? 4 : 5;
    const tasks = (good.length - 72) / 8 - width * numTasks;
    const decisionSlot = numbers.getFloat64(8 * (tasks + 2), true);
    expect(pathOf(tasks + 2, state.slot[0] - decisionSlot + 1)).toBe("snapshot/decisionSlot");
    // the twelfth number of the state is how many tasks were there as the slot began
    expect(pathOf(2 + 11, numTasks + 1)).toBe("snapshot/numTasksAtSlotStart");
  });
});

describe("a snapshot of fewer servers", () => {
  it("clears the lane's other servers", () => {
    const env = make(1);
    const seedOf = (numServers: number) => {
      for (let seed = 0; ; seed++) {
        env.reset([seed]);
        if (env.outputs.numServers[0] === numServers) return seed;
      }
    };
    seedOf(2);
    play(env, 0, 30, (i) => i);
    const [few, mask, observation] = [env.snapshot(0), env.actionMask.slice(), env.observation.slice()];
    seedOf(5);
    play(env, 0, 30, (i) => i);
    env.restore(0, few);
    expect(env.actionMask).toEqual(mask);
    expect(env.observation).toEqual(observation);
    env.step([4]);
    expect(env.flags[0] & FLAG_INVALID_ACTION).not.toBe(0);
  });
});

describe("the end of an episode", () => {
  it("is part of the state: a restored lane must be reset too", () => {
    const env = new BatchEnv({ scenarios: [{ episodeSlots: 3 }], numLanes: 1 });
    env.reset([4]);
    do env.step([1]);
    while ((env.flags[0] & FLAG_TRUNCATED) === 0);
    const snapshot = env.snapshot(0);
    env.reset([5]);
    env.restore(0, snapshot);
    expect(() => env.step([1])).toThrow(/needsReset/);
  });
});

describe.each([
  ["without churn", busy],
  ["under churn", restless],
])("a whole batch, %s,", (_name, scenario) => {
  const traceOf = (env: BatchEnv, numSteps: number) =>
    [0, 1, 2].map((lane) => {
      const copy = env.forkAll();
      return play(copy, lane, numSteps, (i) => i * 5);
    });

  it("plays on as before after a restore, also in another batch", () => {
    const env = make(3, scenario);
    play(env, 0, 61, (i) => i * 7);
    const snapshot = env.snapshotAll();
    const straight = traceOf(env, 300);
    play(env, 0, 100, (i) => i * 3);
    env.restoreAll(snapshot);
    expect(env.snapshotAll()).toEqual(snapshot);
    expect(traceOf(env, 300)).toEqual(straight);
    const other = make(3, scenario);
    other.restoreAll(snapshot);
    expect(traceOf(other, 300)).toEqual(straight);
  });

  it("is not changed by its fork, before or after its first reset", () => {
    const env = make(3, scenario);
    play(env, 0, 61, (i) => i * 7);
    const before = env.snapshotAll();
    const fork = env.forkAll();
    expect(fork.snapshotAll()).toEqual(before);
    expect(fork.observation).toEqual(env.observation);
    expect(fork.actionMask).toEqual(env.actionMask);
    play(fork, 0, 500, (i) => i);
    expect(env.snapshotAll()).toEqual(before);
    const fresh = new BatchEnv({ scenarios: [scenario], numLanes: 2 }).forkAll();
    expect(() => fresh.step([0, 0])).toThrow("needsReset");
  });

  it("is rejected if damaged, cut or of another number of lanes, and changes nothing then", () => {
    const env = make(3, scenario);
    play(env, 0, 61, (i) => i * 7);
    const snapshot = env.snapshotAll();
    play(env, 0, 10, (i) => i);
    const now = env.snapshotAll();
    const last = snapshot.slice();
    last[last.length - 3] ^= 1; // lanes 0 and 1 are whole: they must not be written either
    const bad: Uint8Array[] = [last, snapshot.subarray(1), make(2, scenario).snapshotAll(), new Uint8Array(0)];
    bad.push(Uint8Array.from([...snapshot, 0, 0, 0, 0, 0, 0, 0, 0]));
    for (let cut = 1; cut < snapshot.length; cut += 97) bad.push(snapshot.subarray(0, cut));
    for (const bytes of bad) {
      expect(() => env.restoreAll(bytes)).toThrow(MecgymError);
      expect(env.snapshotAll()).toEqual(now);
    }
  });
});

describe("any interleaving of steps, snapshots, forks and restores", () => {
  it("gives what the straight run gives", () => {
    const moves = fc.constantFrom("step", "snapshot", "restore", "fork", "lane");
    fc.assert(
      fc.property(fc.array(moves, { maxLength: 60 }), fc.constantFrom(busy, restless), (list, scenario) => {
        let env = make(2, scenario);
        // the straight run: what each number of steps leads to
        const straight = make(2, scenario);
        const expected = [straight.snapshotAll()];
        let numSteps = 0;
        let kept = { bytes: env.snapshotAll(), numSteps: 0 };
        const stepOnce = (one: BatchEnv, i: number) => {
          one.step(Array.from({ length: 2 }, (_, lane) => (i * 3 + lane) % (one.outputs.numServers[lane] + 1)));
        };
        for (const move of list) {
          if (move === "step") {
            if (expected.length === numSteps + 1) {
              stepOnce(straight, numSteps);
              expected.push(straight.snapshotAll());
            }
            stepOnce(env, numSteps++);
          } else if (move === "snapshot") kept = { bytes: env.snapshotAll(), numSteps };
          else if (move === "restore") {
            env.restoreAll(kept.bytes);
            numSteps = kept.numSteps;
          } else if (move === "fork") {
            const fork = env.forkAll();
            stepOnce(env, 1); // what becomes of the parent does not matter to the fork
            env = fork;
          } else {
            const bytes = env.snapshot(1);
            env.restore(1, bytes);
          }
          expect(env.snapshotAll()).toEqual(expected[numSteps]);
        }
      }),
      { numRuns: 60 },
    );
  });
});
