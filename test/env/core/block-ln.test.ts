/** The block of logarithms: WebAssembly and TypeScript give the bits of `ln` and change nothing else. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BLOCK_LENGTH, plainBlock, wasmBlock } from "../../../env/core/block-ln.js";
import { ln } from "../../../env/math.js";

const sameBits = (got: Float64Array, expected: Float64Array) =>
  Buffer.from(got.buffer, got.byteOffset, got.byteLength).equals(
    Buffer.from(expected.buffer, expected.byteOffset, expected.byteLength),
  );

/** Positive numbers of every magnitude, many of them next to the ends of the logarithm's branches. */
const positive = fc
  .tuple(
    fc.integer({ min: 1, max: 2044 }),
    fc.oneof(
      fc.integer({ min: 0, max: 0xfffff }),
      fc.constantFrom(0, 1, 2, 0xffffd, 0xffffe, 0xfffff, 0x61479, 0x6147a, 0x6b851, 0x6b852, 0x6a09b, 0x6a09c),
    ),
    fc.integer({ min: 0, max: 0xffffffff }),
  )
  .map(([exponent, high, low]) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setUint32(0, (exponent << 20) | high);
    view.setUint32(4, low);
    return view.getFloat64(0);
  });
const uniform = fc.integer({ min: 0, max: 0xffffffff }).map((n) => n / 0x100000000);

describe.each([
  ["WebAssembly", wasmBlock],
  ["TypeScript", plainBlock],
])("ln(a + b·v) over a block in %s", (_, makeBlock) => {
  const block = makeBlock();

  /** Takes logarithms of `arguments_` at place `first` of the block; all of the block must be as it should be then. */
  function check(numbers: readonly number[], first: number, a: number, b: number): void {
    const start = Float64Array.from({ length: BLOCK_LENGTH }, (_value, i) => i + 0.5);
    start.set(numbers, first);
    const expected = start.slice();
    for (let i = 0; i < numbers.length; i++) expected[first + i] = ln(a + b * numbers[i]);
    block.values.set(start);
    block.lnOfAffine(first, numbers.length, a, b);
    if (!sameBits(block.values, expected)) expect(Array.from(block.values)).toEqual(Array.from(expected));
    expect(sameBits(block.values, expected)).toBe(true);
  }

  it("has the bits of ln for every number", () => {
    const place = fc.integer({ min: 0, max: 1000 });
    fc.assert(
      fc.property(fc.array(positive, { maxLength: 40 }), place, (numbers, first) => check(numbers, first, 0, 1)),
      { numRuns: 2000 },
    );
    check(
      [1, 1 - 2 ** -53, 1 + 2 ** -52, 2 ** -33, 2 ** -1022, 2 ** 1021, 0.5, 2, 1 + 2 ** -20, 1 - 2 ** -20],
      7,
      0,
      1,
    );
  });

  it("has them for the arguments of the rates: |h|² of a uniform, and 1 + SNR·|h|²", () => {
    fc.assert(
      fc.property(fc.array(uniform, { maxLength: 40 }), fc.integer({ min: 0, max: 1000 }), (numbers, first) =>
        check(numbers, first, 2 ** -33, 1),
      ),
    );
    fc.assert(
      fc.property(
        fc.array(
          uniform.map((u) => ln(u + 2 ** -33)),
          { maxLength: 40 },
        ),
        fc.constantFrom(1, 31.6227766, 1000, 1e5),
        (numbers, snr) => check(numbers, 0, 1, -snr),
      ),
    );
  });

  it("takes the whole block, one number, or none", () => {
    const all = Array.from({ length: BLOCK_LENGTH }, (_value, i) => (i + 1) / 1000);
    check(all, 0, 0, 1);
    check([3], BLOCK_LENGTH - 1, 0, 1);
    check([], 0, 0, 1);
  });
});
