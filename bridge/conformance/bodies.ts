/** Bodies as checks of a server write and read them. */

import type { WireReply } from "../client/raw-socket.js";
import { type ArraySpec, bodyBytes, readArray, writeArray } from "../wire/protocol.js";
import { expect, resultOf, type SessionUnderTest } from "./server-under-test.js";

/** A body with these arrays; what is left out is 0. */
export function pack(layout: readonly ArraySpec[], values: Readonly<Record<string, ArrayLike<number>>>): Uint8Array {
  const body = new Uint8Array(bodyBytes(layout));
  for (const spec of layout) {
    const numbers = Array.from(values[spec.name] ?? []);
    if (spec.dtype === "int32") writeArray(body, spec, Int32Array.from(withLength(numbers, spec)));
    else if (spec.dtype === "uint8") writeArray(body, spec, Uint8Array.from(withLength(numbers, spec)));
    else body.set(new Uint8Array(BigUint64Array.from(withLength(numbers, spec).map(BigInt)).buffer), spec.offset);
  }
  return body;
}

const withLength = (numbers: number[], { shape }: ArraySpec) =>
  Array.from({ length: shape[0] }, (_, i) => numbers[i] ?? 0);

export const stepBody = (session: SessionUnderTest, ...actions: number[]) =>
  pack(session.layouts.stepRequest, { actions });

export function resetBody(session: SessionUnderTest, ...seeds: number[]): Uint8Array {
  return pack(session.layouts.resetRequest, { seeds, mask: seeds.map(() => 1) });
}

/** The arrays of a reply by their names, after it has been found to be one. */
export function arraysOf(layout: readonly ArraySpec[], reply: WireReply): Record<string, number[]> {
  resultOf(reply);
  const { body } = reply;
  expect(body !== undefined, "a reply without a body");
  expect(body.length >= bodyBytes(layout), `a body of ${body.length} bytes for a layout of ${bodyBytes(layout)}`);
  expect(body.length % 8 === 0, `a body of ${body.length} bytes, no multiple of 8`);
  return Object.fromEntries(layout.map((spec) => [spec.name, Array.from(readArray(Buffer.from(body), spec))]));
}

export const stepArrays = (session: SessionUnderTest, reply: WireReply) => arraysOf(session.layouts.stepReply, reply);

/** What came, without ids: two groups or sessions that did the same have the same. */
export const bytesOf = ({ body }: WireReply) => Buffer.from(body ?? []).toString("hex");
