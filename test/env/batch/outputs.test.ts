/** Outputs in the caller's memory: every set gets the same bytes, whatever it held before and in whatever order. */

import { describe, expect, it } from "vitest";
import { type AutoresetMode, BatchEnv, type BatchOutputs, type MecgymError, outputSpecs } from "../../../env/index.js";
import { stateOf } from "../snapshot-fields.js";

const scenarios = [
  { numServers: { min: 2, max: 5 }, users: { perServer: 2 }, episodeSlots: 4 },
  { numServers: 3, users: { count: 4 }, episodeSlots: 6, churn: { leaveProbability: 0.3, returnProbability: 0.3 } },
];
const numLanes = 5;
const laneScenario = [0, 1, 0, 1, 0];
const numBytes = { float32: 4, float64: 8, int32: 4, uint8: 1, uint64: 8 };

function makeBatch(autoreset: AutoresetMode): BatchEnv {
  return new BatchEnv({ scenarios, numLanes, laneScenario, autoreset, history: true, invalidActions: "costliest" });
}

/** `count` sets of a batch's outputs in one buffer that held other data before. */
function placeOutputs(batch: BatchEnv, count: number, buffer?: ArrayBufferLike): BatchOutputs[] {
  let end = 0;
  const places = Array.from({ length: count }, () =>
    Object.fromEntries(
      outputSpecs(batch).map(({ name, dtype, shape }) => {
        const offset = end;
        end = Math.ceil((offset + shape.reduce((a, b) => a * b, 1) * numBytes[dtype]) / 8) * 8;
        return [name, offset];
      }),
    ),
  );
  const memory = buffer ?? new ArrayBuffer(end);
  new Uint8Array(memory).fill(0xa5);
  return places.map((offsets) => batch.createOutputs({ buffer: memory, offsets: offsets as never }));
}

/** The contents of a set of outputs as plain data. */
function contents(outputs: BatchOutputs, batch: BatchEnv): Record<string, number[]> {
  return Object.fromEntries(outputSpecs(batch).map(({ name }) => [name, Array.from(outputs[name])]));
}

const actionsOf = (batch: BatchEnv, k: number) =>
  Array.from({ length: numLanes }, (_, lane) => (7 * k + lane) % (batch.lanes.numberOf("numServers", lane) + 1));

describe.each<AutoresetMode>(["same-step", "next-step", "disabled"])("sets of outputs, %s", (autoreset) => {
  it("hold after every call the same as those of a batch with one set", () => {
    const plain = makeBatch(autoreset);
    const switching = makeBatch(autoreset);
    const sets = [...placeOutputs(switching, 3), switching.outputs];
    let calls = 0;
    const both = (call: (batch: BatchEnv) => void) => {
      const next = sets[(calls * calls + calls) % sets.length];
      const others = sets.filter((set) => set !== next).map((set) => [set, contents(set, switching)] as const);
      switching.useOutputs(next);
      call(plain);
      call(switching);
      calls++;
      expect(switching.outputs).toBe(next);
      expect(contents(next, switching)).toEqual(contents(plain.outputs, plain));
      for (const [set, before] of others) expect(contents(set, switching)).toEqual(before);
      for (const name of ["decisionIndex", "slot", "numServers"] as const) {
        expect(Array.from(next[name])).toEqual(laneScenario.map((_, lane) => stateOf(switching, lane)[name][0]));
      }
    };
    both((batch) => batch.reset([1, 2, 3, 4, 2 ** 53 - 1]));
    expect(switching.outputs.episodeSeed.slice(8)).toEqual(Uint32Array.of(0xffffffff, 0x1fffff));
    const first = switching.snapshot(0);
    let ends = 0;
    for (let k = 0; k < 150; k++) {
      both((batch) => batch.step(actionsOf(batch, k)));
      ends += switching.numFinal;
      if (autoreset === "disabled" && switching.numFinal > 0) {
        const mask = new Uint8Array(numLanes);
        for (let i = 0; i < switching.numFinal; i++) mask[switching.finalLane[i]] = 1;
        both((batch) => batch.reset(undefined, mask));
      }
      if (k % 11 === 3) both((batch) => batch.reset([Number.NaN, k, k, k, k], [0, 1, 0, 0, 1]));
      if (k % 13 === 5) both((batch) => batch.restore(0, first));
      if (k % 17 === 7) both((batch) => batch.fork(0, 2));
      if (k % 40 === 9) both((batch) => batch.restoreAll(batch.snapshotAll()));
    }
    expect(ends).toBeGreaterThan(20);
  });
});

describe("memory of outputs", () => {
  it("may be shared with other threads", () => {
    const plain = makeBatch("same-step");
    const shared = makeBatch("same-step");
    const [set] = placeOutputs(shared, 1, new SharedArrayBuffer(4096));
    shared.useOutputs(set);
    for (const batch of [plain, shared]) batch.reset([1, 2, 3, 4, 5]);
    for (const batch of [plain, shared]) batch.step([0, 1, 2, 0, 1]);
    expect(contents(shared.outputs, shared)).toEqual(contents(plain.outputs, plain));
  });

  const offsets = (batch: BatchEnv) =>
    Object.fromEntries(outputSpecs(batch).map(({ name }, i) => [name, 4096 * i])) as Record<string, number>;
  it.each([
    ["not at a multiple of 8", "slot", 4],
    ["before the buffer", "reward", -8],
    ["beyond the buffer's end", "actionMask", 4096 * 13 - 8],
    ["nowhere", "flags", undefined],
  ])("an output %s is refused", (_, name, offset) => {
    const batch = makeBatch("same-step");
    batch.reset([1, 2, 3, 4, 5]);
    const before = contents(batch.outputs, batch);
    const buffer = new ArrayBuffer(4096 * 13);
    const make = () => batch.createOutputs({ buffer, offsets: { ...offsets(batch), [name]: offset } as never });
    expect(errorOf(make)).toMatchObject({ code: "invalidOption", path: `outputs/${name}`, got: offset });
    expect(contents(batch.outputs, batch)).toEqual(before);
  });

  it("rejects outputs of another batch and keeps those in use", () => {
    const batch = makeBatch("same-step");
    const { outputs } = batch;
    const foreign = makeBatch("same-step").createOutputs();
    expect(errorOf(() => batch.useOutputs(foreign))).toMatchObject({ code: "invalidOption", path: "outputs" });
    expect(batch.outputs).toBe(outputs);
  });
});

function errorOf(call: () => unknown): MecgymError {
  try {
    call();
  } catch (error) {
    return error as MecgymError;
  }
  throw new Error("expected an error");
}
