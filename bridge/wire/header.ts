/** Headers of messages as msgpack: encoding, and decoding that trusts no byte. */

import { Packr, Unpackr } from "msgpackr";
import { BridgeError, type Reply, type Request } from "./protocol.js";

/** Limits of a header, as `hello` reports them. */
export const MAX_HEADER_BYTES = 65_536;
export const MAX_HEADER_DEPTH = 8;

const packer = new Packr({ useRecords: false, variableMapSize: true });
const unpacker = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: "number" });

export function encodeHeader(header: Request | Reply): Buffer {
  return packer.pack(header);
}

/**
 * Decodes a header: one map of at most MAX_HEADER_BYTES and MAX_HEADER_DEPTH levels, without extension types.
 *
 * The bytes are scanned before msgpackr sees them, because it decodes extension types even when all are switched off.
 *
 * @throws BridgeError `malformedMessage`
 */
export function decodeHeader(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length > MAX_HEADER_BYTES) throw malformed(`at most ${MAX_HEADER_BYTES} bytes`, `${bytes.length} bytes`);
  const end = scanValue(bytes, 0, 0);
  if (end !== bytes.length) {
    throw malformed("one msgpack map and nothing after it", `${bytes.length - end} more bytes`);
  }
  const first = bytes[0];
  if (!((first >= 0x80 && first <= 0x8f) || first === 0xde || first === 0xdf)) {
    throw malformed("a msgpack map", `a value of type 0x${first.toString(16)}`);
  }
  try {
    return unpacker.unpack(bytes) as Record<string, unknown>;
  } catch (error) {
    throw malformed("valid msgpack", String(error));
  }
}

function malformed(expected: string, got: unknown): BridgeError {
  return new BridgeError("malformedMessage", { path: "header", expected, got });
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Walks the msgpack value that starts at `at`, and returns where it ends. */
function scanValue(bytes: Uint8Array, at: number, depth: number, isKey = false): number {
  if (depth > MAX_HEADER_DEPTH) throw malformed(`at most ${MAX_HEADER_DEPTH} levels`, "a deeper header");
  const type = need(bytes, at, 1);
  const isString = (type >= 0xa0 && type <= 0xbf) || (type >= 0xd9 && type <= 0xdb);
  if (isKey && !isString) throw malformed("string keys", `a key of type 0x${type.toString(16)}`);
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
      throw malformed("no extension types", `type 0x${type.toString(16)}`);
  }
}

/** Checks text that is not pure ASCII, and keys that may have a special meaning in JavaScript. */
function checkText(bytes: Uint8Array, isKey: boolean): void {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw malformed("UTF-8 strings", "other bytes");
  }
  if (isKey && text === "__proto__") throw malformed("field names as keys", "__proto__");
}

function scanItems(bytes: Uint8Array, at: number, count: number, depth: number, isMap: boolean): number {
  // every item takes at least one byte, so a count that cannot fit is refused before the loop
  if (count > bytes.length - at) throw truncated(bytes);
  let next = at;
  for (let i = 0; i < count; i++) {
    if (isMap) next = scanValue(bytes, next, depth + 1, true);
    next = scanValue(bytes, next, depth + 1);
  }
  return next;
}

function truncated(bytes: Uint8Array): BridgeError {
  return malformed("a complete msgpack value", `${bytes.length} bytes that end early`);
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
