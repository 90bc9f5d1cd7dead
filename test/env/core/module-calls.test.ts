/** The core's calls: what they refuse, that a refusal changes nothing, room that is asked for, and sets of outputs. */

import { describe, expect, it } from "vitest";
import { CoreModule, coreStatus } from "../../../env/core/module.js";
import { BatchEnv, type BatchEnvOptions } from "../../../env/index.js";
import { difference, makeCore, makePair, outputNames } from "./module-harness.js";

const options: BatchEnvOptions = { scenarios: ["paper-v1"], numLanes: 3, seed: 5 };

function makeRunning(more: Partial<BatchEnvOptions> = {}): CoreModule {
  const core = makeCore({ ...options, ...more });
  expect(core.calls.reset(0)).toBe(0);
  return core;
}

const snapshots = (core: CoreModule) =>
  Array.from({ length: core.get("batch.numLanes") }, (_, lane) => Buffer.from(core.snapshot(lane)).toString("hex"));

describe("a refusal names what is wrong and changes nothing", () => {
  it("an action that does not exist", () => {
    const core = makeRunning();
    const before = snapshots(core);
    core.view("actions").set([0, 7, 0]);
    expect(core.calls.step()).toBe(coreStatus.invalidAction);
    expect(core.failure).toMatchObject({ name: "actions", index: 1, value: 7, low: 0, high: 6 });
    expect(snapshots(core)).toEqual(before);
  });

  it("a seed that is none", () => {
    const core = makeRunning();
    const before = snapshots(core);
    for (const seed of [-1, 0.5, 2 ** 53, Number.POSITIVE_INFINITY]) {
      core.view("seeds").set([1, 2, seed]);
      expect(core.calls.reset(1)).toBe(coreStatus.invalidSeed);
      expect(core.failure).toMatchObject({ name: "seeds", index: 2, value: seed });
    }
    expect(snapshots(core)).toEqual(before);
  });

  it("a step before the first reset, and after the end of an episode", () => {
    const core = makeCore(options);
    expect(core.calls.step()).toBe(coreStatus.needsReset);
    expect(core.calls.lookAhead(0, 1, -1)).toBe(coreStatus.needsReset);
    expect(core.calls.snapshotBytes(2)).toBe(coreStatus.needsReset);
    expect(core.calls.fork(0, 1)).toBe(coreStatus.needsReset);
    expect(core.calls.reset(0)).toBe(0);
    while (core.call(() => core.calls.step()) === 0);
    expect(core.calls.step()).toBe(coreStatus.needsReset);
  });

  it("options and fields of a scenario out of their bounds, with their names", () => {
    const core = new CoreModule();
    expect(core.calls.requiredBytes()).toBe(coreStatus.invalidOption);
    expect(core.failure).toMatchObject({ name: "numScenarios", value: 0 });
    core.set("scenario.minServers", 513);
    expect(core.calls.addScenario()).toBe(coreStatus.invalidScenario);
    expect(core.failure).toMatchObject({ name: "minServers", value: 513, low: 1, high: 512 });
  });

  it("every damaged snapshot", () => {
    const core = makeRunning();
    for (let step = 0; step < 20; step++) {
      core.view("actions").set([1, 2, step % 7]);
      core.call(() => core.calls.step());
    }
    const before = snapshots(core);
    const snapshot = core.snapshot(1);
    for (let at = 0; at < snapshot.length; at += 5) {
      const damaged = snapshot.slice();
      damaged[at] ^= 1 << (at % 8);
      expect(core.restore(2, damaged)).toBe(coreStatus.invalidSnapshot);
    }
    for (const length of [0, 71, 72, 80, snapshot.length - 8]) {
      expect(core.restore(2, snapshot.subarray(0, length))).toBe(coreStatus.invalidSnapshot);
    }
    expect(snapshots(core)).toEqual(before);
    expect(core.restore(2, snapshot)).toBe(0);
    expect(snapshots(core)[2]).toBe(before[1]);
  });
});

describe("room", () => {
  it("a step that needs more changes nothing until it has it", { timeout: 120_000 }, () => {
    const scenarios = [
      { numServers: 1, users: { count: 30 }, arrivals: { process: "bernoulli" as const, probability: 1 } },
    ];
    const core = makeCore({ scenarios, numLanes: 40 });
    const roomy = makeCore({ scenarios, numLanes: 40 });
    roomy.growTo(64 << 20);
    // the slow model plays the first lane only
    const pair = makePair({ scenarios, numLanes: 1 });
    pair.reset();
    expect(core.calls.reset(0)).toBe(0);
    expect(roomy.calls.reset(0)).toBe(0);
    let numAsked = 0;
    for (let step = 0; step < 600; step++) {
      for (const one of [core, roomy]) one.view("actions").fill(1);
      const before = snapshots(core);
      let status = core.calls.step();
      while (status === coreStatus.needsRoom) {
        numAsked++;
        expect(snapshots(core)).toEqual(before);
        core.growTo(core.calls.neededBytes());
        status = core.calls.step();
      }
      expect(status).toBe(0);
      expect(roomy.calls.step()).toBe(0);
      for (const name of outputNames) {
        expect(difference(name, core.view(`outputs.${name}`), roomy.view(`outputs.${name}`))).toBeUndefined();
      }
      pair.step([1]);
      expect(core.view("outputs.costSlots")[0]).toBe(pair.reference.outputs.costSlots[0]);
    }
    expect(numAsked).toBeGreaterThan(2);
  });

  it("an absurd batch says how much memory it needs before any is taken", () => {
    const core = new CoreModule();
    const largest = { numServers: 512, users: { perServer: 64 }, historySlots: 100 };
    const size = core.calls.memory.buffer.byteLength;
    expect(() => makeCore({ scenarios: [largest], numLanes: 65_536 })).toThrow(RangeError);
    expect(core.calls.memory.buffer.byteLength).toBe(size);
  });
});

it("with several sets of outputs, one is written and the others stay as they are", { timeout: 120_000 }, () => {
  const batch = new BatchEnv({ ...options, autoreset: "same-step" });
  const core = makeCore({ ...options, autoreset: "same-step" }, undefined, 3);
  const sets = [batch.outputs, batch.createOutputs(), batch.createOutputs()];
  batch.reset();
  expect(core.calls.reset(0)).toBe(0);
  for (let step = 0; step < 700; step++) {
    const index = (step * 2) % 3;
    batch.useOutputs(sets[index]);
    expect(core.calls.useOutputs(index)).toBe(0);
    if (step % 50 === 49) {
      batch.reset(undefined, [0, 1, 0]);
      core.view("mask").set([0, 1, 0]);
      expect(core.calls.reset(2)).toBe(0);
    } else {
      const actions = [step % 7, (step * 3) % 7, 0];
      batch.step(actions);
      core.view("actions").set(actions);
      core.call(() => core.calls.step());
    }
    for (const [k, set] of sets.entries()) {
      const suffix = k === 0 ? "" : `#${k}`;
      for (const name of outputNames) {
        expect(difference(name, core.view(`outputs.${name}${suffix}`), set[name])).toBeUndefined();
      }
    }
  }
  expect(core.calls.useOutputs(3)).toBe(coreStatus.invalidOption);
});
