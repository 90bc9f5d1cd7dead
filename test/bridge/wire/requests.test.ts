/** The fast path for steps: it accepts only what the schema accepts. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHeader, encodeHeader } from "../../../bridge/wire/header.js";
import type { Request } from "../../../bridge/wire/protocol.js";
import { checkRequest, isPlainStep } from "../../../bridge/wire/requests.js";
import { findProblem } from "../../../schemas/validate.js";

const SEED = 20_260_101;

describe("the fast path for steps", () => {
  const operations = new Set(["step", "hello"]);
  const step = { v: "1.2", op: "step", session: "0".repeat(32), epoch: 1, group: 0, seq: 1, ack: 0 };
  const anything = fc.oneof(
    fc.constantFrom(
      0,
      1,
      -1,
      0.5,
      65_535,
      65_536,
      2 ** 53 - 1,
      2 ** 53,
      Number.NaN,
      "1.2",
      "1.1",
      "2.0",
      "step",
      null,
      true,
    ),
    fc.string(),
    fc.constant(step.session),
    fc.constant([]),
  );
  const names = fc.constantFrom(...Object.keys(step), "requestId", "colour");

  it("accepts nothing that the schema refuses", () => {
    let numAccepted = 0;
    const changes = fc.array(fc.tuple(names, anything, fc.boolean()), { maxLength: 3 });
    fc.assert(
      fc.property(changes, (list) => {
        const header: Record<string, unknown> = { ...step };
        for (const [name, value, isGone] of list) {
          if (isGone) delete header[name];
          else header[name] = value;
        }
        if (!isPlainStep(header)) return;
        numAccepted++;
        expect(findProblem("request", structuredClone(header))).toBeUndefined();
      }),
      { numRuns: 5000, seed: SEED },
    );
    expect(numAccepted).toBeGreaterThan(500);
  });

  it("accepts every step of the clients", () => {
    const header = decodeHeader(encodeHeader(step as unknown as Request));
    expect(isPlainStep(header)).toBe(true);
    expect(checkRequest(header, operations)).toBe(header);
  });
});
