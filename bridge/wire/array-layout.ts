/** Layouts of message bodies: typed arrays, each at a multiple of 8 bytes, and how to read and write them. */

import { BridgeError } from "./protocol.js";

export type Dtype = "float32" | "float64" | "int32" | "uint8" | "uint32" | "uint64";

/** One array of a body. */
export interface ArraySpec {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Bytes from the start of the body; a multiple of 8. */
  readonly offset: number;
}

/** Values of one array. A `uint64` array is read as float64 integers, and written as pairs of 32-bit words. */
export type Values = Float32Array | Float64Array | Int32Array | Uint8Array | Uint32Array;

const itemBytes: Record<Dtype, number> = { float32: 4, float64: 8, int32: 4, uint8: 1, uint32: 4, uint64: 8 };

/** Places arrays one after the other, each at a multiple of 8 bytes, from `start` on. */
export function makeLayout(
  arrays: readonly { name: string; dtype: Dtype; shape: readonly number[] }[],
  start = 0,
): ArraySpec[] {
  let offset = roundUp(start);
  return arrays.map(({ name, dtype, shape }) => {
    const spec = { name, dtype, shape, offset };
    offset = roundUp(offset + arrayBytes(spec));
    return spec;
  });
}

/** The next multiple of 8. Bit operations would wrap at 32 bits, and a header may name any size. */
function roundUp(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}

function arrayBytes(spec: { dtype: Dtype; shape: readonly number[] }): number {
  return spec.shape.reduce((product, n) => product * n, itemBytes[spec.dtype]);
}

/** Bytes of a body with this layout; a multiple of 8. */
export function bodyBytes(layout: readonly ArraySpec[]): number {
  return layout.reduce((end, spec) => Math.max(end, roundUp(spec.offset + arrayBytes(spec))), 0);
}

/** The memory of a typed array as bytes, without a copy. */
export function asBytes(values: Values): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Copies `values` to its place in a body. Node runs on little-endian machines only, so no bytes are swapped. */
export function writeArray(body: Uint8Array, spec: ArraySpec, values: Values): void {
  body.set(new Uint8Array(values.buffer, values.byteOffset, arrayBytes(spec)), spec.offset);
}

/** A view of one array of a body. The array is a copy if the body is not aligned to 8 bytes, or the dtype is uint64. */
export function readArray(body: Uint8Array, spec: ArraySpec): Values {
  const length = arrayBytes(spec) / itemBytes[spec.dtype];
  const { buffer, byteOffset } = aligned(body);
  const start = byteOffset + spec.offset;
  switch (spec.dtype) {
    case "float32":
      return new Float32Array(buffer, start, length);
    case "float64":
      return new Float64Array(buffer, start, length);
    case "int32":
      return new Int32Array(buffer, start, length);
    case "uint8":
      return new Uint8Array(buffer, start, length);
    case "uint32":
      return new Uint32Array(buffer, start, length);
    case "uint64": {
      const words = new Uint32Array(buffer, start, 2 * length);
      return Float64Array.from({ length }, (_, i) => words[2 * i] + words[2 * i + 1] * 4_294_967_296);
    }
  }
}

/** The same bytes at a multiple of 8, so that every array in them can be viewed. */
function aligned(body: Uint8Array): Uint8Array {
  return body.byteOffset % 8 === 0 ? body : new Uint8Array(body);
}

/**
 * The body, aligned so that its arrays can be read without further copies.
 *
 * @throws BridgeError `invalidBody` unless the body is exactly as long as its layout
 */
export function checkBody(body: Uint8Array | undefined, layout: readonly ArraySpec[]): Uint8Array {
  const expected = bodyBytes(layout);
  if (body?.length === expected) return aligned(body);
  const arrays = layout.map(({ name, dtype, shape }) => `${name} ${dtype}[${shape.join(", ")}]`).join(", ");
  throw new BridgeError("invalidBody", {
    path: "body",
    expected: `${expected} bytes: ${arrays}`,
    got: body === undefined ? "no body" : `${body.length} bytes`,
  });
}

/** @throws BridgeError `invalidBody` if there is a body */
export function checkNoBody(op: string, body: Uint8Array | undefined): void {
  if (body === undefined) return;
  const expected = `no body with ${op}`;
  throw new BridgeError("invalidBody", { path: "body", expected, got: `${body.length} bytes` });
}
