/** The arithmetic and the random numbers under everything: bit for bit those of the libraries they replace. */

import stdlibExp from "@stdlib/math-base-special-exp";
import stdlibLn from "@stdlib/math-base-special-ln";
import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { createStream, makeEnv, nextEpisodeSeed, streamName } from "../../env/index.js";
import { exp, expIntegralE1, LN2, LN10, ln, lnInPlace, wordsOf } from "../../env/math.js";
import { drawUniform, futureUniform, MAX_SEED, StreamGroup, seedFutureKeys, seedStream } from "../../env/random.js";
import { resolveScenario } from "../../env/scenario/scenario.js";
import { exponentialIntegral } from "../reference/reference-model.js";

const view = new DataView(new ArrayBuffer(8));

/** The bits of a double as 16 hexadecimal digits. */
function bits(value: number): string {
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
}

function fromBits(high: number, low: number): number {
  view.setUint32(0, high);
  view.setUint32(4, low);
  return view.getFloat64(0);
}

/** The neighbours of a value: where one branch of an algorithm ends and another begins. */
function around(value: number): number[] {
  view.setFloat64(0, value);
  const word = view.getBigInt64(0);
  return [-2n, -1n, 0n, 1n, 2n].map((step) => {
    view.setBigInt64(0, word + step);
    return view.getFloat64(0);
  });
}

function expectSameBits(
  actual: (x: number) => number,
  expected: (x: number) => number,
  values: Iterable<number>,
): void {
  let count = 0;
  for (const x of values) {
    if (!Object.is(actual(x), expected(x))) {
      throw new Error(`at ${x} (${bits(x)}): ${bits(actual(x))}, expected ${bits(expected(x))}`);
    }
    count++;
  }
  expect(count).toBeGreaterThan(0);
}

describe("the logarithm", () => {
  it("is stdlib's, over the arguments the simulator has and over all normal doubles", () => {
    const draw = seedrandom.alea("logarithm");
    expectSameBits(
      ln,
      stdlibLn,
      Array.from({ length: 300_000 }, () => draw() + 2 ** -33),
    );
    expectSameBits(
      ln,
      stdlibLn,
      Array.from({ length: 300_000 }, () => 1 + draw() * 1e4),
    );
    const anyNormal = Array.from({ length: 400_000 }, () =>
      fromBits(0x00100000 + Math.floor(draw() * 0x7fd00000), Math.floor(draw() * 2 ** 32)),
    );
    expectSameBits(ln, stdlibLn, anyNormal);
  });

  it("is stdlib's where its branches meet", () => {
    const edges = [1, 2, 0.5, Math.SQRT2, Math.SQRT1_2, 2 ** -33, 1 - 2 ** -33, 1 - 2 ** -20, 1 + 2 ** -20, 10, Math.E];
    for (let power = -1021; power <= 1022; power++) edges.push(2 ** power);
    for (const word of [0x6147a, 0x6b851, 0x6a09c, 0x6a09b, 0xffffe, 0xfffff, 0x00002]) {
      edges.push(fromBits(0x3ff00000 | word, 0), fromBits(0x3fe00000 | word, 0), fromBits(0x40000000 | word, 0));
    }
    expectSameBits(ln, stdlibLn, [...edges.flatMap(around), 2 ** -1022]);
  });

  it("is stdlib's up to the largest double", () => {
    expectSameBits(ln, stdlibLn, [Number.MAX_VALUE, 1.5e308, 1.3e308, 1.2e308]);
  });

  it("has these bits", () => {
    expect(bits(ln(1))).toBe("0000000000000000");
    expect(bits(ln(2))).toBe("3fe62e42fefa39ef");
    expect(bits(ln(10))).toBe("40026bb1bbb55516");
    expect(bits(ln(2 ** -33))).toBe("c036dfb516f20bbf");
    expect(bits(LN2)).toBe("3fe62e42fefa39ef");
    expect(bits(LN10)).toBe("40026bb1bbb55516");
    expect([bits(ln(0.1)), bits(ln(1001)), bits(ln(0.7))]).toEqual([
      "c0026bb1bbb55515",
      "401ba2909ce4f864",
      "bfd6d3c324e13f50",
    ]);
  });

  it("is the same over an array, and leaves what lies behind", () => {
    const values = new Float64Array([0.3, 2, 7, 9]);
    lnInPlace(values, wordsOf(values), 3);
    expect(Array.from(values)).toEqual([stdlibLn(0.3), stdlibLn(2), stdlibLn(7), 9]);
  });

  it("is the same over an array as one by one, near 1, near powers of two and far from them", () => {
    const draw = seedrandom.alea("logarithms of an array");
    const values = Float64Array.from({ length: 60_000 }, (_, i) => {
      if (i % 3 === 0) return draw() + 2 ** -33;
      if (i % 3 === 1)
        return 2 ** Math.floor(40 * (draw() - 0.5)) * (1 + (draw() - 0.5) * 2 ** -Math.floor(50 * draw()));
      return 1 + 1000 * draw();
    });
    values.set([1, 2, 0.5, 1 + 2 ** -52, 1 - 2 ** -53, 1 + 2 ** -20, 1 - 2 ** -20]);
    const expected = Float64Array.from(values, ln);
    lnInPlace(values, wordsOf(values), values.length);
    expect(Buffer.from(values.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
  });
});

describe("the exponential", () => {
  it("is stdlib's on [−700, 700]", () => {
    const draw = seedrandom.alea("exponential");
    for (const width of [1400, 40, 2, 0.02]) {
      expectSameBits(
        exp,
        stdlibExp,
        Array.from({ length: 100_000 }, () => (draw() - 0.5) * width),
      );
    }
  });

  it("is stdlib's where its branches meet", () => {
    const edges = [0, -0, 1, -1, 700, -700, 2 ** -28, -(2 ** -28), 1e-300, -1e-300];
    for (let k = -1000; k <= 1000; k++) edges.push((k + 0.5) * LN2);
    const inside = edges.flatMap(around).filter((x) => x >= -700 && x <= 700);
    expectSameBits(exp, stdlibExp, inside);
  });

  it("has these bits", () => {
    expect(bits(exp(0))).toBe("3ff0000000000000");
    expect(bits(exp(1))).toBe("4005bf0a8b14576a");
    expect([bits(exp(-0.3)), bits(exp(10)), bits(exp(-20))]).toEqual([
      "3fe7b4c869c37c05",
      "40d5829dcf950560",
      "3e21b48655f37267",
    ]);
  });

  it("refuses what it is not made for", () => {
    for (const x of [701, -701, Number.NaN, Infinity]) expect(() => exp(x)).toThrow(RangeError);
    for (const x of [0, -1, 701, Number.NaN]) expect(() => expIntegralE1(x)).toThrow(RangeError);
  });
});

describe("the exponential integral", () => {
  it.each([
    [0.001, 6.331539364136149],
    [0.01, 4.037929576538114],
    [0.1, 1.8229239584193906],
    [0.5, 0.5597735947761608],
    [1, 0.21938393439552029],
    [2, 0.04890051070806112],
    [5, 0.001148295591275326],
    [10, 4.156968929685324e-6],
  ])("E1(%d) is the published value", (x, value) => {
    expect(Math.abs(expIntegralE1(x) / value - 1)).toBeLessThan(1e-14);
  });

  it("agrees with another series and another continued fraction", () => {
    for (let x = 1e-8; x < 700; x *= 1.3) {
      expect(Math.abs(expIntegralE1(x) / exponentialIntegral(x) - 1)).toBeLessThan(1e-13);
    }
  });
});

describe("the uplink", () => {
  it.each([
    [14, 30],
    [14, 0],
    [50, 10],
    [0.5, -10],
    [14, 60],
  ])("has the mean rate that was asked for: %d Mbit/s at %d dB", (meanRateMbps, meanSnrDb) => {
    const env = makeEnv(
      {
        numServers: 512,
        serverCpuGHz: { min: 10_000, max: 10_000 },
        users: { count: 1 },
        uplink: { meanRateMbps, meanSnrDb, minRateMbps: 0 },
        arrivals: { process: "bernoulli", probability: 1 },
        episodeSlots: 400,
      },
      { seed: 12 },
    );
    let sum = 0;
    let squares = 0;
    let count = 0;
    for (let step = env.reset(); !step.truncated; step = env.step(0)) {
      for (const rate of step.observation.rateMbps) {
        sum += rate;
        squares += rate * rate;
        count++;
      }
    }
    const mean = sum / count;
    const standardError = Math.sqrt((squares / count - mean * mean) / count);
    expect(count).toBeGreaterThan(200_000);
    expect(Math.abs(mean - meanRateMbps)).toBeLessThan(3 * standardError);
    expect(standardError).toBeLessThan(0.01 * meanRateMbps);
  });
});

describe("the streams", () => {
  it("are seedrandom's Alea, bit for bit over 100 000 draws", () => {
    for (const name of [streamName("sizes", 0), streamName("fading", Number.MAX_SAFE_INTEGER), "", "ü"]) {
      const states = new Float64Array(12);
      seedStream(name, states, 4);
      const expected = seedrandom.alea(name);
      const created = createStream(name);
      for (let i = 0; i < 100_000; i++) {
        const value = expected();
        const actual = drawUniform(states, 4);
        if (actual !== value || created() !== value) throw new Error(`draw ${i} of ${name}`);
        if (value < 0 || value >= 1 || (value * 2 ** 32) % 1 !== 0) throw new Error(`draw ${i} is ${value}`);
      }
      expect([...states.slice(0, 4), ...states.slice(8)]).toEqual(new Array(8).fill(0));
    }
  });

  it("give the seeds of episodes that nobody named", () => {
    for (const [seed, lane, episode] of [
      [0, 0, 0],
      [MAX_SEED, 8191, 123_456],
    ]) {
      const draw = seedrandom.alea(`mecgym/v1/episode-seed/test/${seed}/${lane}/${episode}`)();
      expect(nextEpisodeSeed("test", seed, lane, episode)).toBe(2_000_000 + Math.floor(draw * 10_000));
    }
  });

  it("seeds streams together as it seeds them alone", () => {
    const purposes = ["arrivals", "x", "a purpose of some length", "sizes"];
    const group = new StreamGroup(purposes);
    const together = new Float64Array(4 * purposes.length);
    const alone = new Float64Array(4);
    for (const key of [0, 9, 1_000_000, MAX_SEED, 12]) {
      group.seed(key, together);
      for (const [k, purpose] of purposes.entries()) {
        seedStream(`mecgym/v1/${purpose}/${key}`, alone, 0);
        expect(together.slice(4 * k, 4 * k + 4)).toEqual(alone);
        expect(drawUniform(together, 4 * k)).toBe(seedrandom.alea(`mecgym/v1/${purpose}/${key}`)());
      }
    }
  });

  it("have long canonical names", () => {
    expect(streamName("sizes", 7)).toBe("mecgym/v1/sizes/7");
    expect(streamName("episode-seed", "test", 1, 2, 3)).toBe("mecgym/v1/episode-seed/test/1/2/3");
  });

  it("do not know each other: streams of neighbouring seeds and of other purposes are uncorrelated", () => {
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
  const keys = new Int32Array(2);
  seedFutureKeys(2_000_000, keys, 0);
  const [a, b] = keys;

  it("have the first two int32 of the stream as keys", () => {
    const stream = seedrandom.alea("mecgym/v1/future/2000000");
    expect([a, b]).toEqual([stream.int32(), stream.int32()]);
  });

  it("is a pure function of its counters with values in [0, 1)", () => {
    const first = futureUniform(a, b, 3, 2, 1);
    futureUniform(a, b, 99, 0, 0);
    expect(futureUniform(a, b, 3, 2, 1)).toBe(first);
    for (let d = 0; d < 1000; d++) {
      const u = futureUniform(a, b, d, d % 64, d % 513);
      expect(u >= 0 && u < 1 && (u * 2 ** 32) % 1 === 0).toBe(true);
    }
  });

  it("follows the formula of docs/model.md on numbers done in whole integers", () => {
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

describe("the arrivals", () => {
  it.each([0.05, 0.7, 3, 20])("a Poisson process of rate %d has its mean and its variance", (ratePerSlot) => {
    const env = makeEnv(
      {
        numServers: 1,
        serverCpuGHz: [10_000],
        users: { count: 4 },
        arrivals: { process: "poisson", ratePerSlot },
        episodeSlots: Math.ceil(4000 / ratePerSlot),
        taskSizeMbit: { min: 0.01, max: 0.01 },
      },
      { seed: 3 },
    );
    const { episodeSlots } = env.scenario;
    const counts = new Map<string, number>();
    for (let step = env.reset(); !step.truncated; step = env.step(1)) {
      const key = `${step.observation.slot}/${step.observation.userIndex}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const n = 4 * episodeSlots;
    const values = [...counts.values()];
    const mean = values.reduce((sum, k) => sum + k, 0) / n;
    const variance = values.reduce((sum, k) => sum + k * k, 0) / n - mean * mean;
    expect(Math.abs(mean - ratePerSlot)).toBeLessThan(3 * Math.sqrt(ratePerSlot / n));
    expect(Math.abs(variance / ratePerSlot - 1)).toBeLessThan(3 * Math.sqrt((2 + 1 / ratePerSlot) / n));
  });

  it("a Bernoulli process has its probability, and one task for each user and slot at most", () => {
    const env = makeEnv({ users: { count: 10 }, episodeSlots: 3000 }, { seed: 3 });
    const seen = new Set<string>();
    let numTasks = 0;
    for (let step = env.reset(); !step.truncated; step = env.step(0)) {
      seen.add(`${step.observation.slot}/${step.observation.userIndex}`);
      numTasks++;
    }
    expect(seen.size).toBe(numTasks);
    expect(Math.abs(numTasks / 30_000 - 0.3)).toBeLessThan(3 * Math.sqrt((0.3 * 0.7) / 30_000));
  });

  it("sizes and capacities fill their ranges, and counts their lists", () => {
    const env = makeEnv({ numServers: [3, 5, 9], serverCpuGHz: { min: 20, max: 48 }, episodeSlots: 1 });
    const servers = new Map<number, number>();
    const cpus: number[] = [];
    const sizes: number[] = [];
    for (let seed = 0; seed < 3000; seed++) {
      const { observation } = env.reset(seed);
      servers.set(observation.numServers, (servers.get(observation.numServers) ?? 0) + 1);
      cpus.push(...observation.cpuGHz);
      sizes.push(observation.sizeMbit);
    }
    expect([...servers.keys()].sort()).toEqual([3, 5, 9]);
    for (const count of servers.values()) expect(Math.abs(count - 1000)).toBeLessThan(3.5 * Math.sqrt(3000 * (2 / 9)));
    const inRange = (values: number[], min: number, max: number) => {
      expect(Math.min(...values)).toBeGreaterThanOrEqual(min);
      expect(Math.max(...values)).toBeLessThanOrEqual(max);
      expect(Math.min(...values)).toBeLessThan(min + 0.01 * (max - min));
      expect(Math.max(...values)).toBeGreaterThan(max - 0.01 * (max - min));
      const mean = values.reduce((a_, b_) => a_ + b_) / values.length;
      const standardError = (max - min) / Math.sqrt(12 * values.length);
      expect(Math.abs(mean - (min + max) / 2)).toBeLessThan(3.5 * standardError);
    };
    inRange(cpus, 20, 48);
    inRange(sizes, 2, 5);
    expect(resolveScenario({}).taskSizeMbit).toEqual({ min: 2, max: 5 });
  });
});
