/** Bodies of messages: the layouts a session fixes, and bodies that a header describes. */

import type { BatchEnv } from "../../env/batch/batch-env.js";
import { outputSpecs } from "../../env/core/outputs.js";
import { type ArraySpec, BridgeError, bodyBytes, type Dtype, makeLayout, readArray, type Values } from "./protocol.js";

/** What a request brought, for its reply. */
export interface Outcome {
  readonly result: Record<string, unknown>;
  readonly body?: Uint8Array;
  /** Memory of the group's that the body lies in, and that is free again with the reply's acknowledgement. */
  readonly slot?: number;
}

/** Layouts of a session's bodies, for one group of lanes. */
export interface SessionLayouts {
  readonly resetRequest: ArraySpec[];
  readonly stepRequest: ArraySpec[];
  readonly maskRequest: ArraySpec[];
  readonly stepReply: ArraySpec[];
}

/** The layouts that `open` announces; docs/protocol.md describes the arrays. */
export function layoutsOf(env: Pick<BatchEnv, "numLanes" | "observationSize" | "maxServers">): SessionLayouts {
  const { numLanes } = env;
  return {
    resetRequest: makeLayout([
      { name: "seeds", dtype: "uint64", shape: [numLanes] },
      { name: "mask", dtype: "uint8", shape: [numLanes] },
    ]),
    stepRequest: makeLayout([{ name: "actions", dtype: "int32", shape: [numLanes] }]),
    maskRequest: makeLayout([{ name: "mask", dtype: "uint8", shape: [numLanes] }]),
    stepReply: makeLayout(outputSpecs(env)),
  };
}

/** @throws BridgeError `invalidBody` unless the body is as long as its layout */
export function checkBody(body: Uint8Array | undefined, layout: readonly ArraySpec[]): Uint8Array {
  const expected = bodyBytes(layout);
  if (body?.length === expected) return aligned(body);
  throw new BridgeError("invalidBody", {
    path: "body",
    expected: `${expected} bytes: ${layout.map((spec) => `${spec.name} ${spec.dtype}[${spec.shape.join(", ")}]`).join(", ")}`,
    got: body === undefined ? "no body" : `${body.length} bytes`,
  });
}

/** @throws BridgeError `invalidBody` where there is one */
export function checkNoBody(op: string, body: Uint8Array | undefined): void {
  if (body === undefined) return;
  const expected = `no body with ${op}`;
  throw new BridgeError("invalidBody", { path: "body", expected, got: `${body.length} bytes` });
}

/** The same bytes, at a multiple of 8: views of them need no copy. */
function aligned(body: Uint8Array): Uint8Array {
  return body.byteOffset % 8 === 0 ? body : new Uint8Array(body);
}

/**
 * Type and shape of an array that a header describes. A length is a number, or a name for one that is free but the same
 * wherever the name stands; "S+1" is one more than S.
 */
export type ArrayForm = readonly [dtype: Dtype, ...shape: (string | number)[]];

/** Arrays of a body by name, and the lengths that were free. */
export interface BodyArrays<Name extends string> {
  readonly arrays: { readonly [N in Name]?: Values };
  readonly sizes: Readonly<Record<string, number>>;
}

/**
 * Views of the arrays that a header's layout describes.
 *
 * @param forms the arrays there may be
 * @throws BridgeError `invalidRequest` for a layout of other arrays, `invalidBody` for a body that is not as long
 */
export function readBody<Name extends string>(
  layout: readonly ArraySpec[],
  body: Uint8Array | undefined,
  forms: Readonly<Record<Name, ArrayForm>>,
): BodyArrays<Name> {
  const sizes: Record<string, number> = {};
  const seen = new Set<string>();
  for (const [i, spec] of layout.entries()) {
    const refuse = (path: string, expected: string, got: unknown) =>
      new BridgeError("invalidRequest", { path: `/layout/${i}${path}`, expected, got });
    if (!Object.hasOwn(forms, spec.name) || seen.has(spec.name)) {
      throw refuse("/name", `one of ${Object.keys(forms).join(", ")}, each once`, spec.name);
    }
    seen.add(spec.name);
    const [dtype, ...shape] = forms[spec.name as Name];
    if (spec.dtype !== dtype) throw refuse("/dtype", dtype, spec.dtype);
    const isRight =
      spec.shape.length === shape.length && shape.every((length, axis) => fits(length, spec.shape[axis], sizes));
    if (isRight) continue;
    const known = Object.entries(sizes).map(([name, size]) => `${name} = ${size}`);
    throw refuse("/shape", `[${shape.join(", ")}]${known.length > 0 ? `, ${known.join(", ")}` : ""}`, spec.shape);
  }
  const bytes = checkBody(body, layout);
  const arrays = Object.fromEntries(layout.map((spec) => [spec.name, readArray(bytes, spec)]));
  return { arrays: arrays as BodyArrays<Name>["arrays"], sizes };
}

function fits(length: string | number, got: number, sizes: Record<string, number>): boolean {
  if (typeof length === "number") return got === length;
  const [name, more] = length.split("+");
  const size = got - Number(more ?? 0);
  if (size < 0) return false;
  sizes[name] ??= size;
  return sizes[name] === size;
}

/** @throws BridgeError `invalidRequest` unless the layout has this array */
export function needArray<A extends Values>(array: Values | undefined, name: string): A {
  if (array !== undefined) return array as A;
  throw new BridgeError("invalidRequest", { path: "/layout", expected: `an array ${name}`, got: "none" });
}

/**
 * The pieces of a list of bytes: entry i is bytes offsets[i] to offsets[i+1].
 *
 * @throws BridgeError `invalidBody` as `checkOffsets`
 */
export function piecesOf(name: string, offsets: ArrayLike<number>, bytes: Uint8Array): Uint8Array[] {
  checkOffsets(name, offsets, bytes.length);
  return Array.from({ length: offsets.length - 1 }, (_, i) => bytes.subarray(offsets[i], offsets[i + 1]));
}

/** @throws BridgeError `invalidBody` unless the offsets begin at 0, never fall and end with the `numBytes` there are */
export function checkOffsets(name: string, offsets: ArrayLike<number>, numBytes: number): void {
  const last = offsets.length - 1;
  if (offsets[0] !== 0 || offsets[last] !== numBytes) {
    const expected = `offsets from 0 to ${numBytes}`;
    throw new BridgeError("invalidBody", { path: name, expected, got: `${offsets[0]} to ${offsets[last]}` });
  }
  for (let i = 0; i < last; i++) {
    const [start, end] = [offsets[i], offsets[i + 1]];
    // a place beyond the end is found out here: the last offset is the end, so some later one must fall
    if (start <= end) continue;
    throw new BridgeError("invalidBody", { path: `${name}/${i + 1}`, expected: `${start} or more`, got: end });
  }
}

/** Pieces behind one another, and where each begins. */
export function joinPieces(pieces: readonly Uint8Array[]): { offsets: Uint32Array; bytes: Uint8Array } {
  const offsets = new Uint32Array(pieces.length + 1);
  for (const [i, piece] of pieces.entries()) offsets[i + 1] = offsets[i] + piece.length;
  const bytes = new Uint8Array(offsets[pieces.length]);
  for (const [i, piece] of pieces.entries()) bytes.set(piece, offsets[i]);
  return { offsets, bytes };
}

/** An array for a reply. */
export interface ReplyArray {
  readonly name: string;
  readonly values: Values;
  /** Lengths of its axes; one axis where left out. */
  readonly shape?: readonly number[];
  /** Type where the array's own says another: two words for each uint64. */
  readonly dtype?: Dtype;
}

/** Layout and body of arrays behind one another. */
export function packArrays(
  list: readonly ReplyArray[],
  start = 0,
): { layout: ArraySpec[]; write: (body: Uint8Array) => void } {
  const layout = makeLayout(
    list.map(({ name, values, shape, dtype }) => ({
      name,
      dtype: dtype ?? dtypeOf(values),
      shape: shape ?? [values.length],
    })),
    start,
  );
  const write = (body: Uint8Array) => {
    for (const [i, { values }] of list.entries()) {
      body.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), layout[i].offset);
    }
  };
  return { layout, write };
}

/** A body of its own with these arrays. */
export function bodyOf(list: readonly ReplyArray[]): { layout: ArraySpec[]; body: Uint8Array } {
  const { layout, write } = packArrays(list);
  const body = new Uint8Array(bodyBytes(layout));
  write(body);
  return { layout, body };
}

function dtypeOf(values: Values): Dtype {
  if (values instanceof Float32Array) return "float32";
  if (values instanceof Float64Array) return "float64";
  if (values instanceof Int32Array) return "int32";
  return values instanceof Uint32Array ? "uint32" : "uint8";
}
