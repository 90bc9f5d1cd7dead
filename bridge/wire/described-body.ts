/** Request bodies that describe themselves: the header lists the arrays, and the server checks them against forms. */

import { type ArraySpec, checkBody, type Dtype, readArray, type Values } from "./array-layout.js";
import { BridgeError } from "./protocol.js";

/**
 * The type and shape of an array that a header may list. A number fixes the length of an axis. A name leaves it free,
 * but the same wherever the name appears. "S+1" is one more than S.
 */
export type ArrayForm = readonly [dtype: Dtype, ...shape: (string | number)[]];

/** Arrays of a body by name, and the lengths that the names stood for. */
export interface BodyArrays<Name extends string> {
  readonly arrays: { readonly [N in Name]?: Values };
  readonly sizes: Readonly<Record<string, number>>;
}

/**
 * Views of the arrays that a header's layout describes.
 *
 * @param forms the arrays that are allowed
 * @throws BridgeError `invalidRequest` if the layout has other arrays, `invalidBody` if the body has another length
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

/** Whether an axis has the length that its form asks for. The first length of a name fixes it. */
function fits(length: string | number, got: number, sizes: Record<string, number>): boolean {
  if (typeof length === "number") return got === length;
  const [name, more] = length.split("+");
  const size = got - Number(more ?? 0);
  if (size < 0) return false;
  sizes[name] ??= size;
  return sizes[name] === size;
}

/** @throws BridgeError `invalidRequest` if the layout lacks this array */
export function needArray<A extends Values>(array: Values | undefined, name: string): A {
  if (array !== undefined) return array as A;
  throw new BridgeError("invalidRequest", { path: "/layout", expected: `an array ${name}`, got: "none" });
}
