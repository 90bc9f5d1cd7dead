/**
 * The names and the statistics of the streams and of the draws of the futures. That the core has the same bits is
 * tested next to the core.
 */

import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { createStream, nextEpisodeSeed, streamName } from "../../env/index.js";
import { MAX_SEED } from "../../env/random.js";
import { futureDraw } from "../reference/reference-model.js";

describe("the streams", () => {
  it("give the seeds of episodes without a given seed", () => {
    for (const [seed, lane, episode] of [
      [0, 0, 0],
      [MAX_SEED, 8191, 123_456],
    ]) {
      const draw = seedrandom.alea(`mecgym/v1/episode-seed/test/${seed}/${lane}/${episode}`)();
      expect(nextEpisodeSeed("test", seed, lane, episode)).toBe(2_000_000 + Math.floor(draw * 10_000));
    }
  });

  it("have long canonical names", () => {
    expect(streamName("sizes", 7)).toBe("mecgym/v1/sizes/7");
    expect(streamName("episode-seed", "test", 1, 2, 3)).toBe("mecgym/v1/episode-seed/test/1/2/3");
  });

  it("are uncorrelated for neighbouring seeds and for other purposes", () => {
    const n = 20_000;
    const drawn = (name: string) => {
      const draw = createStream(name);
      return Array.from({ length: n }, () => draw() - 0.5);
    };
    const reference = drawn(streamName("sizes", 2_000_000));
    for (const other of [streamName("sizes", 2_000_001), streamName("fading", 2_000_000), streamName("sizes", 0)]) {
      const product = drawn(other).reduce((sum, value, i) => sum + value * reference[i], 0);
      expect(Math.abs((12 * product) / n)).toBeLessThan(3.5 / Math.sqrt(n));
    }
  });
});

describe("the futures of the look-ahead", () => {
  const stream = seedrandom.alea("mecgym/v1/future/2000000");
  const [a, b] = [stream.int32(), stream.int32()];
  const futureUniform = (key0: number, key1: number, decision: number, sample: number, item: number) =>
    futureDraw([key0, key1], decision, sample, item);

  it("is a pure function of its counters with values in [0, 1)", () => {
    const first = futureUniform(a, b, 3, 2, 1);
    futureUniform(a, b, 99, 0, 0);
    expect(futureUniform(a, b, 3, 2, 1)).toBe(first);
    for (let d = 0; d < 1000; d++) {
      const u = futureUniform(a, b, d, d % 64, d % 513);
      expect(u >= 0 && u < 1 && (u * 2 ** 32) % 1 === 0).toBe(true);
    }
  });

  it("follows the formula of docs/model.md, computed in integers", () => {
    const mask = 0xffffffffn;
    const mix = (value: bigint) => {
      let h = value & mask;
      h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & mask;
      h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & mask;
      return h ^ (h >> 16n);
    };
    const formula = (d: number, k: number, j: number) => {
      const first = mix((BigInt(a) & mask) ^ ((BigInt(d + 1) * 0x9e3779b1n) & mask));
      return Number(mix(first + BigInt(b) + BigInt(k + 1) * 0x85ebca77n + BigInt(j) * 0xc2b2ae3dn)) / 2 ** 32;
    };
    for (const d of [0, 1, 2, 99, 1_000_000, 2 ** 31 - 2]) {
      for (const k of [0, 1, 63]) {
        for (const j of [0, 1, 6, 512]) expect(futureUniform(a, b, d, k, j)).toBe(formula(d, k, j));
      }
    }
  });

  it("look uniform", () => {
    const numBins = 64;
    const bins = new Array<number>(numBins).fill(0);
    const n = 256_000;
    for (let i = 0; i < n; i++) bins[Math.floor(futureUniform(a, b, i >> 4, i & 3, (i >> 2) & 3) * numBins)]++;
    const expected = n / numBins;
    const chiSquare = bins.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 63 degrees of freedom: mean 63, standard deviation 11.2
    expect(chiSquare).toBeGreaterThan(63 - 4 * 11.2);
    expect(chiSquare).toBeLessThan(63 + 4 * 11.2);
  });

  it.each<[string, (i: number) => [number, number]]>([
    ["decisions", (i) => [futureUniform(a, b, i, 0, 0), futureUniform(a, b, i + 1, 0, 0)]],
    ["samples", (i) => [futureUniform(a, b, i, 0, 0), futureUniform(a, b, i, 1, 0)]],
    ["distant samples", (i) => [futureUniform(a, b, i, 0, 1), futureUniform(a, b, i, 63, 1)]],
    ["items", (i) => [futureUniform(a, b, i, 0, 0), futureUniform(a, b, i, 0, 1)]],
    ["servers", (i) => [futureUniform(a, b, i, 2, 5), futureUniform(a, b, i, 2, 6)]],
    ["a sample and an item", (i) => [futureUniform(a, b, i, 1, 0), futureUniform(a, b, i, 0, 1)]],
    ["keys", (i) => [futureUniform(a, b, i, 0, 0), futureUniform(a + 1, b, i, 0, 0)]],
    ["second keys", (i) => [futureUniform(a, b, i, 0, 0), futureUniform(a, b + 1, i, 0, 0)]],
  ])("is uncorrelated between neighbouring %s", (_, pair) => {
    const n = 50_000;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const [x, y] = pair(i);
      sum += (x - 0.5) * (y - 0.5);
    }
    expect(Math.abs((12 * sum) / n)).toBeLessThan(3.5 / Math.sqrt(n));
  });
});
