/** Which types of a schema a value holds, and in which a place lies: what examples are examples of. */

import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { SchemaNode } from "../../schemas/tools/fields.js";

/** Types of one schema: its objects that have a title or a name among the definitions. */
export class SchemaTypes {
  readonly #ajv = new Ajv2020({ strict: false });
  readonly #schemas: ReadonlyMap<string, SchemaNode>;
  readonly #root: SchemaNode;
  readonly #checks = new Map<SchemaNode, ValidateFunction>();

  /** @param schemas all schemas by their id, for references from one to another */
  constructor(root: SchemaNode, schemas: ReadonlyMap<string, SchemaNode>) {
    this.#root = root;
    this.#schemas = schemas;
    for (const schema of schemas.values()) this.#ajv.addSchema(schema);
  }

  /** The names of all types that a value can hold. */
  all(): Set<string> {
    const seen = new Set<SchemaNode>();
    return this.#collect((root, visit) => {
      const step = (node: SchemaNode): void => {
        if (seen.has(node)) return;
        seen.add(node);
        for (const part of partsOf(node)) visit(part, step);
      };
      visit(root, step);
    });
  }

  /** The names of the types that stand somewhere in a value. */
  ofValue(value: unknown): Set<string> {
    return this.#collect((node, visit) => {
      const inner = (node: SchemaNode, value: unknown): void => visit(node, (one) => step(one, value));
      const step = (node: SchemaNode, value: unknown) => {
        for (const form of formsOf(node)) if (this.#accepts(form, value)) inner(form, value);
        if (Array.isArray(value)) for (const entry of value) if (node.items !== undefined) inner(node.items, entry);
        for (const [name, field] of fieldsIn(node, value)) inner(field, (value as Record<string, unknown>)[name]);
      };
      inner(node, value);
    });
  }

  /** The names of the types through which a JSON path leads to its place in a value. */
  ofPath(path: string, value: unknown): Set<string> {
    const names = path.split("/").slice(1);
    return this.#collect((node, visit) => {
      const inner = (node: SchemaNode, value: unknown, depth: number): void =>
        visit(node, (one) => step(one, value, depth));
      const step = (node: SchemaNode, value: unknown, depth: number) => {
        const name = names[depth];
        const child = (value as Record<string, unknown> | null | undefined)?.[name];
        for (const form of formsOf(node)) if (isMeant(this.#resolve(form), value)) inner(form, value, depth);
        if (name === undefined) return;
        if (node.items !== undefined && Array.isArray(value)) inner(node.items, child, depth + 1);
        const field = node.properties?.[name];
        if (field !== undefined) inner(field, child, depth + 1);
      };
      inner(node, value, 0);
    });
  }

  #collect(walk: (root: SchemaNode, visit: (node: SchemaNode, next: (node: SchemaNode) => void) => void) => void) {
    const names = new Set<string>();
    walk(this.#root, (node, next) => {
      const resolved = this.#resolve(node);
      if (node.$ref?.startsWith("#") && resolved.properties !== undefined)
        names.add(node.$ref.split("/").pop() as string);
      if (resolved.title !== undefined && resolved.properties !== undefined) names.add(resolved.title);
      next(resolved);
    });
    return names;
  }

  #resolve(node: SchemaNode): SchemaNode {
    if (node.$ref === undefined) return node;
    if (!node.$ref.startsWith("#")) return this.#schemas.get(node.$ref) as SchemaNode;
    return this.#root.$defs?.[node.$ref.split("/").pop() as string] as SchemaNode;
  }

  #accepts(form: SchemaNode, value: unknown): boolean {
    let check = this.#checks.get(form);
    if (check === undefined) {
      const { $id: _, ...node } = this.#resolve(form);
      check = this.#ajv.compile({ ...node, $defs: this.#root.$defs });
      this.#checks.set(form, check);
    }
    return check(structuredClone(value)) as boolean;
  }
}

function formsOf(node: SchemaNode): readonly SchemaNode[] {
  return [...(node.oneOf ?? []), ...(node.anyOf ?? [])];
}

function partsOf(node: SchemaNode): SchemaNode[] {
  const items = node.items === undefined ? [] : [node.items];
  return [...formsOf(node), ...Object.values(node.properties ?? {}), ...items];
}

function fieldsIn(node: SchemaNode, value: unknown): [string, SchemaNode][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(node.properties ?? {}).filter(([name]) => Object.hasOwn(value, name));
}

/** Whether a damaged value is meant to have this form: its constants are there, and it is of the form's kind. */
function isMeant(form: SchemaNode, value: unknown): boolean {
  if ((form.type === "array") !== Array.isArray(value)) return false;
  if (form.type === "object" && (typeof value !== "object" || value === null)) return false;
  return fieldsIn(form, value).every(
    ([name, field]) => field.const === undefined || field.const === (value as Record<string, unknown>)[name],
  );
}
