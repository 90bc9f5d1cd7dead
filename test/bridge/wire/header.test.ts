/** Headers: their bytes, their limits, and bytes that must never be accepted as a header. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHeader, encodeHeader, MAX_HEADER_BYTES } from "../../../bridge/wire/header.js";
import { BridgeError, type Request } from "../../../bridge/wire/protocol.js";

const hello = { v: "1.0", op: "hello", requestId: "0123456789abcdef0123456789abcdef" } as Request;

/** Bytes written by hand, from the msgpack specification. */
function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
  return "accepted";
}

describe("headers", () => {
  it("have these bytes: a map of three strings", () => {
    expect(encodeHeader(hello).toString("hex")).toBe(
      "83" + // a map of 3
        "a176" +
        "a3312e30" + // v: 1.0
        "a26f70" +
        "a568656c6c6f" + // op: hello
        "a9726571756573744964" +
        "d920" + // requestId: a string of 32 bytes
        Buffer.from("0123456789abcdef0123456789abcdef").toString("hex"),
    );
  });

  it("are decoded to what was encoded", () => {
    expect(decodeHeader(encodeHeader(hello))).toEqual(hello);
  });

  it("may hold any JSON that is not too deep", () => {
    const json = fc.dictionary(
      fc.string().filter((key) => key !== "__proto__"),
      fc.jsonValue({ maxDepth: 5 }),
      { maxKeys: 5 },
    );
    fc.assert(
      fc.property(json, (value) => {
        const text = JSON.stringify(value);
        if (text.includes("__proto__") || text.includes("-0")) return;
        expect(JSON.stringify(decodeHeader(encodeHeader(value as unknown as Request)))).toBe(text);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  const refused: [string, string][] = [
    ["no bytes", ""],
    ["an array", "90"],
    ["a number", "07"],
    ["nil", "c0"],
    ["two maps", "8080"],
    ["a map that breaks off", "81a176"],
    ["a string longer than the message", "81a176db7fffffff61"],
    ["a map that claims four billion entries", "dfffffffff"],
    ["an array that claims four billion items", "81a176ddffffffff"],
    ["a number as key", "8101a176"],
    ["an extension type", "81a176d40001"],
    ["a timestamp", "81a176d6ff00000000"],
    ["a large extension", "81a176c90000000501" + "0000000000"],
    ["the reserved type", "81a176c1"],
    ["no UTF-8", "81a176a2c328"],
    ["a prototype", `81a95f5f70726f746f5f5f${"80"}`],
    ["nine levels", `81a176${"91".repeat(8)}c0`],
  ];
  for (const [name, hex] of refused) {
    it(`are refused: ${name}`, () => {
      expect(codeOf(() => decodeHeader(bytes(hex)))).toBe("malformedMessage");
    });
  }

  it("are refused above the limit of bytes", () => {
    const long = { ...hello, op: "x".repeat(MAX_HEADER_BYTES) } as unknown as Request;
    expect(codeOf(() => decodeHeader(encodeHeader(long)))).toBe("malformedMessage");
  });

  it("never crash the reader: random bytes, and real headers with bytes changed", () => {
    const mutated = fc
      .array(fc.record({ at: fc.nat(), value: fc.nat(255) }), { minLength: 1, maxLength: 6 })
      .map((changes) => {
        const header = Uint8Array.from(encodeHeader(hello));
        for (const { at, value } of changes) header[at % header.length] = value;
        return header;
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 80 })), (input) => {
        expect(["accepted", "malformedMessage"]).toContain(codeOf(() => decodeHeader(input)));
      }),
      { seed: 2, numRuns: 20_000 },
    );
  });
});
