/** Logarithm, exponential and exponential integral agree with the libraries that they replace. */

import stdlibExp from "@stdlib/math-base-special-exp";
import stdlibLn from "@stdlib/math-base-special-ln";
import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { exp, expIntegralE1, LN2, LN10, ln } from "../../env/math.js";
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
  it("equals stdlib's for the simulator's arguments and for all normal doubles", () => {
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

  it("equals stdlib's next to the ends of its branches", () => {
    const edges = [1, 2, 0.5, Math.SQRT2, Math.SQRT1_2, 2 ** -33, 1 - 2 ** -33, 1 - 2 ** -20, 1 + 2 ** -20, 10, Math.E];
    for (let power = -1021; power <= 1022; power++) edges.push(2 ** power);
    for (const word of [0x6147a, 0x6b851, 0x6a09c, 0x6a09b, 0xffffe, 0xfffff, 0x00002]) {
      edges.push(fromBits(0x3ff00000 | word, 0), fromBits(0x3fe00000 | word, 0), fromBits(0x40000000 | word, 0));
    }
    expectSameBits(ln, stdlibLn, [...edges.flatMap(around), 2 ** -1022]);
  });

  it("equals stdlib's up to the largest double", () => {
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
});

describe("the exponential", () => {
  it("equals stdlib's on [−700, 700]", () => {
    const draw = seedrandom.alea("exponential");
    for (const width of [1400, 40, 2, 0.02]) {
      expectSameBits(
        exp,
        stdlibExp,
        Array.from({ length: 100_000 }, () => (draw() - 0.5) * width),
      );
    }
  });

  it("equals stdlib's next to the ends of its branches", () => {
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

  it("rejects arguments outside its domain", () => {
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
