/** Mutated messages of every kind, which fast-check draws from real ones. */

import fc from "fast-check";

/** Parts of a message after the identity frame. */
export type Parts = readonly Uint8Array[];

/** Mutations of the bytes of one part. */
function mutatedBytes(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const place = fc.nat(Math.max(0, bytes.length - 1));
  const replaced = (at: number, instead: readonly number[], drop = instead.length) =>
    Uint8Array.from([...bytes.subarray(0, at), ...instead, ...bytes.subarray(at + drop)]);
  return fc.oneof(
    // truncated
    place.map((at) => bytes.slice(0, at)),
    // with bytes appended
    fc.uint8Array({ minLength: 1, maxLength: 64 }).map((more) => Uint8Array.from([...bytes, ...more])),
    // other bytes
    fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 8 })).map(([at, instead]) => replaced(at, [...instead])),
    // lengths beyond the end: text, binary, list and map of 32 bits
    fc
      .tuple(place, fc.constantFrom(0xdb, 0xc6, 0xdd, 0xdf))
      .map(([at, type]) => replaced(at, [type, 0xff, 0xff, 0xff, 0xff])),
    // extension types, and a type that does not exist
    fc.tuple(place, fc.constantFrom(0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd8)).map(([at, type]) => replaced(at, [type])),
    // deep nesting
    fc
      .tuple(place, fc.integer({ min: 9, max: 4000 }))
      .map(([at, depth]) => replaced(at, new Array(depth).fill(0x91), 1)),
    // NaN, infinity and numbers of other widths
    fc
      .tuple(
        place,
        fc.constantFrom(
          [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
          [0xca, 0x7f, 0x80, 0, 0],
          [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0],
        ),
      )
      .map(([at, number]) => replaced(at, number, 1)),
    fc.uint8Array({ maxLength: 300 }),
  );
}

/** A mutated message. */
export function mutated(messages: readonly Parts[]): fc.Arbitrary<Parts> {
  return fc.constantFrom(...messages).chain((parts) => {
    const mutatedAt = (i: number) =>
      mutatedBytes(parts[i]).map((bytes) => parts.map((part, j) => (i === j ? bytes : part)));
    return fc.oneof(
      { weight: 6, arbitrary: mutatedAt(0) },
      { weight: parts.length > 1 ? 2 : 0, arbitrary: mutatedAt(parts.length - 1) },
      // too many parts, too few, or in another order
      {
        weight: 1,
        arbitrary: fc.nat(6).map((count) => Array.from({ length: count }, (_, i) => parts[i % parts.length])),
      },
      { weight: 1, arbitrary: fc.constant([...parts].reverse()) },
      // an old sequence number, the identity of another message, or the same message again
      { weight: 1, arbitrary: fc.constantFrom(...messages).map((other) => [parts[0], ...other.slice(1)]) },
      { weight: 1, arbitrary: fc.constant(parts) },
    );
  });
}
