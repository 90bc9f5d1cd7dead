/** Reply bodies that describe themselves: a list of arrays becomes a layout and bytes. */

import { type ArraySpec, asBytes, bodyBytes, type Dtype, makeLayout, type Values } from "./array-layout.js";

/** An array for a reply. */
export interface ReplyArray {
  readonly name: string;
  readonly values: Values;
  /** Lengths of its axes; one axis by default. */
  readonly shape?: readonly number[];
}

/** Places arrays one after the other from `start` on. `write` copies them into a body. */
export function packArrays(
  list: readonly ReplyArray[],
  start = 0,
): { layout: ArraySpec[]; write: (body: Uint8Array) => void } {
  const specs = list.map(({ name, values, shape }) => ({
    name,
    dtype: dtypeOf(values),
    shape: shape ?? [values.length],
  }));
  const layout = makeLayout(specs, start);
  const write = (body: Uint8Array) => {
    for (const [i, { values }] of list.entries()) body.set(asBytes(values), layout[i].offset);
  };
  return { layout, write };
}

/** A new body that holds these arrays only. */
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
