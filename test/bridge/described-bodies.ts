/** Bodies that describe themselves, as a client writes and reads them. */

import { type ArraySpec, bodyBytes, makeLayout, type Values, writeArray } from "../../bridge/wire/array-layout.js";
import { type Answer, arrayOf } from "./dispatcher-client.js";

export type Columns = Record<string, { values: Values; shape?: number[]; dtype?: ArraySpec["dtype"] }>;

/** The layout and the body of these arrays. */
export function described(columns: Columns): { layout: ArraySpec[]; body: Uint8Array } {
  const dtypes = new Map<unknown, ArraySpec["dtype"]>([
    [Float64Array, "float64"],
    [Int32Array, "int32"],
    [Uint32Array, "uint32"],
    [Uint8Array, "uint8"],
  ]);
  const layout = makeLayout(
    Object.entries(columns).map(([name, { values, shape, dtype }]) => ({
      name,
      dtype: dtype ?? (dtypes.get(values.constructor) as ArraySpec["dtype"]),
      shape: shape ?? [values.length],
    })),
  );
  const body = new Uint8Array(bodyBytes(layout));
  for (const [i, { values }] of Object.values(columns).entries()) writeArray(body, layout[i], values);
  return { layout, body };
}

export function texts(name: string, list: readonly string[]): Columns {
  const pieces = list.map((text) => Buffer.from(text));
  const offsets = Uint32Array.from([
    0,
    ...pieces.map((_, i) => pieces.slice(0, i + 1).reduce((n, one) => n + one.length, 0)),
  ]);
  return {
    [`${name}Offsets`]: { values: offsets },
    [`${name}Bytes`]: { values: Uint8Array.from(Buffer.concat(pieces)) },
  };
}

export function textsOf(layout: ArraySpec[], answer: Answer, name: string): string[] {
  const offsets = arrayOf(layout, answer, `${name}Offsets`);
  const bytes = Buffer.from(arrayOf(layout, answer, `${name}Bytes`) as Uint8Array);
  return Array.from({ length: offsets.length - 1 }, (_, i) => bytes.subarray(offsets[i], offsets[i + 1]).toString());
}

export function columnsOf(answer: Answer, names: string[]): Columns {
  return Object.fromEntries(names.map((name) => [name, { values: arrayOf(answer.result.layout, answer, name) }]));
}
