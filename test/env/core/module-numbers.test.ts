/** The core's streams against seedrandom, its logarithm against the scalar one, and numbers worked out by hand. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { coreSha256 } from "../../../env/core/generated/core-module.js";
import { CoreModule, coreBytes } from "../../../env/core/module.js";
import { nextEpisodeSeed } from "../../../env/index.js";
import { ln } from "../../../env/math.js";
import { makeCore } from "./module-harness.js";

function draws(core: CoreModule, name: string, count: number): number[] {
  core.view("name").set(Array.from(name, (character) => character.charCodeAt(0)));
  expect(core.calls.seedStream(name.length)).toBe(0);
  return Array.from({ length: count }, () => core.calls.drawStream());
}

describe("streams", () => {
  const core = new CoreModule();

  it.each(["", "a", "mecgym/v1/arrivals/0", "mecgym/v1/arrivals/9007199254740991", "x".repeat(256)])(
    "%j draws what seedrandom does",
    (name) => {
      const oracle = seedrandom.alea(name);
      expect(draws(core, name, 200)).toEqual(Array.from({ length: 200 }, () => oracle()));
    },
  );

  it("every ASCII name draws what seedrandom does", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii", maxLength: 100 }), (name) => {
        const oracle = seedrandom.alea(name);
        expect(draws(core, name, 10)).toEqual(Array.from({ length: 10 }, () => oracle()));
      }),
      { seed: 14, numRuns: 500 },
    );
  });

  it("draw what seedrandom does over 100 000 draws", () => {
    for (const name of ["mecgym/v1/sizes/0", "mecgym/v1/fading/9007199254740991", ""]) {
      const oracle = seedrandom.alea(name);
      for (const [i, value] of draws(core, name, 100_000).entries()) {
        if (value !== oracle()) throw new Error(`draw ${i} of ${name}`);
        if (value < 0 || value >= 1 || (value * 2 ** 32) % 1 !== 0) throw new Error(`draw ${i} is ${value}`);
      }
    }
  });

  it("the next seed of a split is the TypeScript function's", () => {
    const names = ["train", "validation", "test"] as const;
    const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(fc.nat(2), number, number, number, (split, seed, lane, episode) => {
        const expected = nextEpisodeSeed(names[split], seed, lane, episode);
        expect(core.calls.nextEpisodeSeed(split, seed, lane, episode)).toBe(expected);
      }),
      { seed: 14, numRuns: 300 },
    );
  });
});

describe("the logarithm of two numbers", () => {
  const core = new CoreModule();

  function expectSame(values: readonly number[]): void {
    // the core takes pairs
    const { address, bytes } = core.borrow(16 * Math.ceil(values.length / 2));
    const numbers = new Float64Array(bytes.buffer, address, values.length);
    numbers.set(values);
    core.calls.lnInPlace(address, values.length);
    for (const [i, value] of values.entries())
      if (!Object.is(numbers[i], ln(value))) expect(numbers[i]).toBe(ln(value));
  }

  it("has the scalar one's bits where its branches meet", () => {
    const edges = [1, 2, 0.5, 2 ** -33, 1 + 2 ** -33, Math.SQRT2, Math.SQRT1_2, 1.7, 1e300, 2 ** -1022];
    for (const high of [0x6147a, 0x6b851, 0x6a09c, 0, 1, 0xffffe, 0xfffff]) {
      for (const near of [-1, 0, 1]) edges.push(fromWords(0x3ff00000 + high + near, 0x12345678));
    }
    const around = edges.flatMap((x) => [x, x * (1 - 2 ** -53), x * (1 + 2 ** -52)]);
    // next to itself, and next to each other one
    for (const other of around) expectSame(around.flatMap((x) => [x, other]));
  });

  it("has the scalar one's bits in random lists of numbers of every magnitude", () => {
    const positive = fc
      .tuple(
        fc.integer({ min: 1, max: 2044 }),
        fc.oneof(
          fc.integer({ min: 0, max: 0xfffff }),
          fc.constantFrom(0, 1, 2, 0xffffd, 0xffffe, 0xfffff, 0x61479, 0x6147a, 0x6b851, 0x6b852, 0x6a09b, 0x6a09c),
        ),
        fc.integer({ min: 0, max: 0xffffffff }),
      )
      .map(([exponent, high, low]) => fromWords(((exponent << 20) | high) >>> 0, low));
    fc.assert(fc.property(fc.array(positive, { maxLength: 40 }), expectSame), { seed: 14, numRuns: 2000 });
  });

  it("has them for the arguments of the rates: |h|² of a uniform, and 1 + SNR·|h|²", () => {
    const uniform = fc.integer({ min: 0, max: 0xffffffff }).map((n) => n / 0x100000000 + 2 ** -33);
    const snr = fc.constantFrom(1, 31.6227766, 1000, 1e5);
    fc.assert(
      fc.property(fc.array(uniform, { maxLength: 40 }), snr, (numbers, ratio) => {
        expectSame(numbers);
        expectSame(numbers.map((u) => 1 - ratio * ln(u)));
      }),
      { seed: 14, numRuns: 500 },
    );
  });

  it("has the scalar one's bits everywhere", () => {
    const values = Array.from({ length: 200_000 }, (_, i) => {
      const u = ((i * 2654435761) % 4294967296) / 4294967296;
      return i % 3 === 0 ? u + 2 ** -33 : i % 3 === 1 ? 1 + 1000 * u * u : 2 ** (2000 * u - 1000);
    });
    expectSame(values);
  });

  function fromWords(high: number, low: number): number {
    const view = new DataView(new ArrayBuffer(8));
    view.setUint32(0, high);
    view.setUint32(4, low);
    return view.getFloat64(0);
  }
});

describe("by hand", () => {
  /** One server of 10 GHz, one user with a task of 2 Mbit in every slot; all rates are the floor of 4 Mbit/s. */
  function makeHandCore() {
    const core = makeCore({
      scenarios: [
        {
          numServers: 1,
          users: { count: 1 },
          serverCpuGHz: [10],
          localCpuGHz: 2,
          slotSeconds: 0.5,
          densityGcyclesPerMbit: 1,
          taskSizeMbit: { min: 2, max: 2 },
          arrivals: { process: "bernoulli", probability: 1 },
          uplink: { meanRateMbps: 0.001, meanSnrDb: 0, minRateMbps: 4 },
          deadlineSlots: 2,
          deadlinePenaltySlots: 10,
          episodeSlots: 4,
        },
      ],
      numLanes: 1,
    });
    expect(core.calls.reset(0)).toBe(0);
    return core;
  }

  function step(core: CoreModule, action: number): number[] {
    core.view("actions")[0] = action;
    expect(core.call(() => core.calls.step())).toBeGreaterThanOrEqual(0);
    return [core.get("outputs.latencySlots"), core.get("outputs.costSlots"), core.get("outputs.flags")];
  }

  it("a task on an idle server, one behind another, and one on the device", () => {
    const core = makeHandCore();
    // upload 2/4 s, execution 2·1·1/10 s: 0.7 s are 1.4 slots
    expect(step(core, 1)).toEqual([(0.5 + 0.2) / 0.5, (0.5 + 0.2) / 0.5, 0]);
    // the first task is not served in its own slot: 0.5 + 2·1·2/10 + 2·1·2/10 s are 2.6 slots, late by 0.6: penalty 10
    expect(step(core, 1)).toEqual([(0.5 + 0.4 + 0.4) / 0.5, (0.5 + 0.4 + 0.4) / 0.5 + 10, 2]);
    // the device is empty: 2·1/2 s are 2 slots, just in time
    expect(step(core, 0)).toEqual([2, 2, 0]);
    // the device still has 2 Mbit, since work of a slot is not served in it: 2 slots of waiting and 2 of its own
    expect(step(core, 0)).toEqual([4, 14, 3]);
    // T = 4: the first two tasks took 1 slot of service each and 1 slot of upload; the device's are not done
    expect([...core.view("final.stats").subarray(1)]).toEqual([4, 2, 0, 4, 2, 0, 0]);
  });
});

it("the module in the package is the file, and its hash is right", () => {
  const file = readFileSync(new URL("../../../env/core/generated/core.wasm", import.meta.url));
  expect(Buffer.from(coreBytes()).equals(file)).toBe(true);
  expect(createHash("sha256").update(file).digest("hex")).toBe(coreSha256);
});
