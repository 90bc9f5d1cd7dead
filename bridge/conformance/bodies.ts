/** How checks write the bodies of requests, and read those of replies. */

import type { RawReply } from "../client/raw-socket.js";
import { type ArraySpec, bodyBytes, readArray, writeArray } from "../wire/array-layout.js";
import { expect, resultOf, type ServerUnderTest, type SessionUnderTest } from "./server-under-test.js";

/** A body with these arrays. Missing arrays, and missing values at the end of one, are 0. */
export function pack(layout: readonly ArraySpec[], values: Readonly<Record<string, ArrayLike<number>>>): Uint8Array {
  const body = new Uint8Array(bodyBytes(layout));
  for (const spec of layout) {
    const length = spec.shape.reduce((product, n) => product * n, 1);
    const numbers = Array.from({ length }, (_, i) => values[spec.name]?.[i] ?? 0);
    if (spec.dtype === "int32") writeArray(body, spec, Int32Array.from(numbers));
    else if (spec.dtype === "uint8") writeArray(body, spec, Uint8Array.from(numbers));
    else if (spec.dtype === "float64") writeArray(body, spec, Float64Array.from(numbers));
    else writeArray(body, spec, new Uint32Array(BigUint64Array.from(numbers.map(BigInt)).buffer));
  }
  return body;
}

export const stepBody = (session: SessionUnderTest, ...actions: number[]) =>
  pack(session.layouts.stepRequest, { actions });

export function resetBody(session: SessionUnderTest, ...seeds: number[]): Uint8Array {
  return pack(session.layouts.resetRequest, { seeds, mask: seeds.map(() => 1) });
}

/** Opens a small session, and resets its two lanes with seeds 7 and 8. */
export async function startSession(server: ServerUnderTest): Promise<SessionUnderTest> {
  const session = await server.open();
  await session.call("reset", resetBody(session, 7, 8));
  return session;
}

/** The arrays of a reply by name. The reply must grant its request, and its body must have room for the layout. */
export function arraysOf(layout: readonly ArraySpec[], reply: RawReply): Record<string, number[]> {
  resultOf(reply);
  const { body } = reply;
  expect(body !== undefined, "a reply without a body");
  expect(body.length >= bodyBytes(layout), `a body of ${body.length} bytes for a layout of ${bodyBytes(layout)}`);
  expect(body.length % 8 === 0, `a body of ${body.length} bytes, not a multiple of 8`);
  return Object.fromEntries(layout.map((spec) => [spec.name, Array.from(readArray(Buffer.from(body), spec))]));
}

export const stepArrays = (session: SessionUnderTest, reply: RawReply) => arraysOf(session.layouts.stepReply, reply);

/** The body of a reply as text. Unlike the header, it has no ids: it is equal in two sessions that did the same. */
export const bodyHex = ({ body }: RawReply) => Buffer.from(body ?? []).toString("hex");
