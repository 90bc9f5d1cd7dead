/** Layouts of bodies: where arrays lie, their bytes, and reading them at any position in memory. */

import { describe, expect, it } from "vitest";
import { bodyBytes, checkBody, makeLayout, readArray, writeArray } from "../../../bridge/wire/array-layout.js";

describe("bodies", () => {
  it("place every array at a multiple of 8 bytes", () => {
    const layout = makeLayout([
      { name: "a", dtype: "uint8", shape: [3] },
      { name: "b", dtype: "float64", shape: [2] },
      { name: "c", dtype: "int32", shape: [1, 3] },
    ]);
    expect(layout.map((spec) => spec.offset)).toEqual([0, 8, 24]);
    expect(bodyBytes(layout)).toBe(40);
  });

  it("have sizes that do not wrap at 32 bits", () => {
    const spec = { name: "a", dtype: "uint32", shape: [2 ** 30], offset: 0 } as const;
    expect(bodyBytes([spec])).toBe(2 ** 32);
    expect(() => checkBody(new Uint8Array(0), [spec])).toThrow(/expected 4294967296 bytes: a uint32\[1073741824\]/);
    expect(makeLayout([spec, { ...spec, name: "b" }])[1].offset).toBe(2 ** 32);
  });

  it("are little-endian: −2 and 1.5 have these bytes", () => {
    const layout = makeLayout([
      { name: "i", dtype: "int32", shape: [1] },
      { name: "f", dtype: "float64", shape: [1] },
    ]);
    const body = new Uint8Array(bodyBytes(layout));
    writeArray(body, layout[0], Int32Array.of(-2));
    writeArray(body, layout[1], Float64Array.of(1.5));
    expect(Buffer.from(body).toString("hex")).toBe("feffffff00000000" + "000000000000f83f");
  });

  it("are read correctly at any position in memory", () => {
    const layout = makeLayout([
      { name: "f", dtype: "float64", shape: [2] },
      { name: "u", dtype: "uint64", shape: [2] },
    ]);
    const body = new Uint8Array(bodyBytes(layout));
    writeArray(body, layout[0], Float64Array.of(0.1, -3));
    writeArray(body, layout[1], Int32Array.of(5, 0, -1, 0x1fffff));
    for (let shift = 0; shift < 8; shift++) {
      const memory = new Uint8Array(64);
      memory.set(body, shift);
      const moved = memory.subarray(shift, shift + body.length);
      expect([...readArray(moved, layout[0])]).toEqual([0.1, -3]);
      expect([...readArray(moved, layout[1])]).toEqual([5, 9007199254740991]);
    }
  });
});
