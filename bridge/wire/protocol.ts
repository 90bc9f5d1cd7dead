/** The wire format of the bridge: msgpack headers, array bodies and their layouts, versions and error replies. */

import { Packr, Unpackr } from "msgpackr";
import { describeValue, MecgymError } from "../../env/errors.js";
import type { Reply, ReplyError, Request } from "../../schemas/generated/types.js";

export type { Reply, Request };

export const PROTOCOL_VERSION = "1.2";

/** Limits of a header; the server's `hello` names them. */
export const MAX_HEADER_BYTES = 65_536;
export const MAX_HEADER_DEPTH = 8;

/** Codes of errors that arise on the bridge itself; the simulator's own codes pass through. */
export type BridgeErrorCode =
  | "malformedMessage"
  | "versionMismatch"
  | "unknownOperation"
  | "invalidRequest"
  | "invalidBody"
  | "unknownSession"
  | "sessionLost"
  | "staleEpoch"
  | "staleSequence"
  | "sequenceConflict"
  | "windowExceeded"
  | "tooManySessions"
  | "tooManyLanes"
  | "sessionTooLarge"
  | "sessionMemory"
  | "replyTooLarge"
  | "completionTooLong"
  | "workExceeded"
  | "unknownJob"
  | "tooManyJobs"
  | "jobNotDone"
  | "jobTooLarge"
  | "internalError";

/** A request the server refuses. */
export class BridgeError extends MecgymError<BridgeErrorCode> {}

const packer = new Packr({ useRecords: false, variableMapSize: true });
const unpacker = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: "number" });

export function encodeHeader(header: Request | Reply): Buffer {
  return packer.pack(header);
}

/**
 * Reads a header of the wire: one map of at most MAX_HEADER_BYTES, not too deep, without extension types.
 *
 * The bytes are scanned before msgpackr sees them, because it decodes extension types even when all are switched off.
 *
 * @throws BridgeError `malformedMessage`
 */
export function decodeHeader(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length > MAX_HEADER_BYTES) {
    throw malformed("header", `at most ${MAX_HEADER_BYTES} bytes`, `${bytes.length} bytes`);
  }
  const end = scanValue(bytes, 0, 0);
  if (end !== bytes.length)
    throw malformed("header", "one msgpack map and nothing behind it", `${bytes.length - end} more bytes`);
  const first = bytes[0];
  if (!((first >= 0x80 && first <= 0x8f) || first === 0xde || first === 0xdf)) {
    throw malformed("header", "a msgpack map", `a value of type 0x${first.toString(16)}`);
  }
  try {
    return unpacker.unpack(bytes) as Record<string, unknown>;
  } catch (error) {
    throw malformed("header", "valid msgpack", String(error));
  }
}

function malformed(path: string, expected: string, got: unknown): BridgeError {
  return new BridgeError("malformedMessage", { path, expected, got });
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Walks one msgpack value from `at` on, and gives where it ends. */
function scanValue(bytes: Uint8Array, at: number, depth: number, isKey = false): number {
  if (depth > MAX_HEADER_DEPTH) throw malformed("header", `at most ${MAX_HEADER_DEPTH} levels`, "a deeper one");
  const type = need(bytes, at, 1);
  const isString = (type >= 0xa0 && type <= 0xbf) || (type >= 0xd9 && type <= 0xdb);
  if (isKey && !isString) throw malformed("header", "string keys", `a key of type 0x${type.toString(16)}`);
  if (isString) {
    const width = type <= 0xbf ? 0 : 1 << (type - 0xd9);
    const length = type <= 0xbf ? type & 0x1f : readUint(bytes, at + 1, width);
    const start = at + 1 + width;
    if (length > bytes.length - start) throw truncated(bytes);
    const end = start + length;
    let ascii = start;
    while (ascii < end && bytes[ascii] < 0x80) ascii++;
    if (ascii < end || (isKey && length === 9)) checkText(bytes.subarray(start, end), isKey);
    return end;
  }
  if (type <= 0x7f || type >= 0xe0 || type === 0xc0 || type === 0xc2 || type === 0xc3) return at + 1;
  if (type >= 0x80 && type <= 0x8f) return scanItems(bytes, at + 1, type & 0x0f, depth, true);
  if (type >= 0x90 && type <= 0x9f) return scanItems(bytes, at + 1, type & 0x0f, depth, false);
  switch (type) {
    case 0xc4:
    case 0xc5:
    case 0xc6: {
      const width = 1 << (type - 0xc4);
      const length = readUint(bytes, at + 1, width);
      if (length > bytes.length - at - 1 - width) throw truncated(bytes);
      return at + 1 + width + length;
    }
    case 0xca:
    case 0xce:
    case 0xd2:
      return skip(bytes, at, 5);
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return skip(bytes, at, 9);
    case 0xcc:
    case 0xd0:
      return skip(bytes, at, 2);
    case 0xcd:
    case 0xd1:
      return skip(bytes, at, 3);
    case 0xdc:
    case 0xdd: {
      const width = type === 0xdc ? 2 : 4;
      return scanItems(bytes, at + 1 + width, readUint(bytes, at + 1, width), depth, false);
    }
    case 0xde:
    case 0xdf: {
      const width = type === 0xde ? 2 : 4;
      return scanItems(bytes, at + 1 + width, readUint(bytes, at + 1, width), depth, true);
    }
    default:
      throw malformed("header", "no extension types", `type 0x${type.toString(16)}`);
  }
}

/** Text that is not ASCII alone, or a key that may be a name which JavaScript gives a meaning. */
function checkText(bytes: Uint8Array, isKey: boolean): void {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw malformed("header", "UTF-8 strings", "other bytes");
  }
  if (isKey && text === "__proto__") throw malformed("header", "names of fields as keys", "__proto__");
}

function scanItems(bytes: Uint8Array, at: number, count: number, depth: number, isMap: boolean): number {
  // every item takes a byte at least, so a count that cannot fit is refused before it is believed
  if (count > bytes.length - at) throw truncated(bytes);
  let next = at;
  for (let i = 0; i < count; i++) {
    if (isMap) next = scanValue(bytes, next, depth + 1, true);
    next = scanValue(bytes, next, depth + 1);
  }
  return next;
}

function truncated(bytes: Uint8Array): BridgeError {
  return malformed("header", "a whole msgpack value", `${bytes.length} bytes that break off`);
}

function need(bytes: Uint8Array, at: number, count: number): number {
  if (at + count > bytes.length) throw truncated(bytes);
  return bytes[at];
}

function skip(bytes: Uint8Array, at: number, count: number): number {
  need(bytes, at, count);
  return at + count;
}

function readUint(bytes: Uint8Array, at: number, width: number): number {
  need(bytes, at, width);
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + bytes[at + i];
  return value;
}

/** Major version of `v`. */
export function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}

/** An error as a reply carries it. Anything that is not a refusal is the server's own fault, and says no more. */
export function toReplyError(error: unknown): ReplyError {
  if (error instanceof MecgymError) {
    return {
      code: error.code,
      path: error.path,
      message: error.message,
      expected: error.expected,
      got: describeValue(error.got),
    };
  }
  return { code: "internalError", path: "", message: "the server failed on this request", expected: "", got: "" };
}

export type Dtype = "float32" | "float64" | "int32" | "uint8" | "uint32" | "uint64";

/** One array of a body. */
export interface ArraySpec {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Bytes from the start of the body; a multiple of 8. */
  readonly offset: number;
}

const itemBytes: Record<Dtype, number> = { float32: 4, float64: 8, int32: 4, uint8: 1, uint32: 4, uint64: 8 };

/** Places arrays one behind the other, each at a multiple of 8 bytes from `start` on. */
export function makeLayout(
  arrays: readonly { name: string; dtype: Dtype; shape: readonly number[] }[],
  start = 0,
): ArraySpec[] {
  let offset = align(start);
  return arrays.map(({ name, dtype, shape }) => {
    const spec = { name, dtype, shape, offset };
    offset = align(offset + bytesOf(spec));
    return spec;
  });
}

function align(offset: number): number {
  return (offset + 7) & ~7;
}

function bytesOf(spec: { dtype: Dtype; shape: readonly number[] }): number {
  return spec.shape.reduce((product, n) => product * n, itemBytes[spec.dtype]);
}

/** Bytes of a body with this layout, a multiple of 8. */
export function bodyBytes(layout: readonly ArraySpec[]): number {
  return layout.reduce((end, spec) => Math.max(end, align(spec.offset + bytesOf(spec))), 0);
}

export type Values = Float32Array | Float64Array | Int32Array | Uint8Array | Uint32Array;

/** Copies the bytes of `values` to its place in a body. Hosts are little-endian, as every one that Node runs on. */
export function writeArray(body: Uint8Array, spec: ArraySpec, values: Values): void {
  body.set(new Uint8Array(values.buffer, values.byteOffset, bytesOf(spec)), spec.offset);
}

/** A view of one array of a body that lies at a multiple of 8 bytes; `uint64` comes as float64 integers, copied. */
export function readArray(body: Uint8Array, spec: ArraySpec): Values {
  const length = bytesOf(spec) / itemBytes[spec.dtype];
  const at = body.byteOffset + spec.offset;
  const { buffer } = aligned(body);
  const start = buffer === body.buffer ? at : spec.offset;
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

function aligned(body: Uint8Array): { buffer: ArrayBufferLike } {
  return body.byteOffset % 8 === 0 ? body : { buffer: Uint8Array.from(body).buffer };
}
