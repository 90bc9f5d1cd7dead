/** Compares a schema with an older copy: lists the changes, and which part of the version each one raises. */

import { isDeepStrictEqual } from "node:util";
import type { SchemaNode } from "./fields.js";

/** none: no change; minor: all that was valid still is, with the same meaning; major: anything else. */
export type Bump = "none" | "minor" | "major";

export interface SchemaChange {
  /** Where in the schema, `#/$defs/…` resolved: names of fields, `[]` for entries, `<n>` for forms. */
  readonly path: string;
  readonly bump: "minor" | "major";
  /** What has changed, in words. */
  readonly what: string;
}

/** The changes of `now` against `old`. Titles, descriptions and examples do not count. */
export function compareSchemas(old: SchemaNode, now: SchemaNode): SchemaChange[] {
  return new Comparison(old, now).changes();
}

/** The largest bump among changes. */
export function bumpOf(changes: readonly SchemaChange[]): Bump {
  if (changes.length === 0) return "none";
  return changes.some(({ bump }) => bump === "major") ? "major" : "minor";
}

/** Version at the end of a schema's `$id`, such as `urn:mecgym:schema:result:1.1`. */
export interface SchemaVersion {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
}

/** @throws TypeError if the id has no version */
export function versionOf(id: unknown): SchemaVersion {
  const match = /^urn:mecgym:schema:([a-z-]+):(\d+)\.(\d+)$/.exec(String(id));
  if (match === null) throw new TypeError(`expected urn:mecgym:schema:NAME:MAJOR.MINOR, got ${id}`);
  return { name: match[1], major: Number(match[2]), minor: Number(match[3]) };
}

/**
 * What is wrong with the version of `now` after the release of `old`; undefined if nothing is. An unchanged schema
 * keeps its version; a minor change needs the next minor or a new major version, a major one a new major version.
 */
export function versionProblem(old: SchemaNode, now: SchemaNode): string | undefined {
  const changes = compareSchemas(old, now);
  const [before, after] = [versionOf(old.$id), versionOf(now.$id)];
  const isNextMajor = after.major === before.major + 1 && after.minor === 0;
  const isNextMinor = after.major === before.major && after.minor === before.minor + 1;
  const isSame = after.major === before.major && after.minor === before.minor;
  const bump = bumpOf(changes);
  const isRight = { none: isSame, minor: isNextMinor || isNextMajor, major: isNextMajor }[bump];
  if (isRight) return undefined;
  const wanted = {
    none: `${before.major}.${before.minor}, because nothing has changed`,
    minor: `${before.major}.${before.minor + 1}`,
    major: `${before.major + 1}.0`,
  }[bump];
  const reasons = changes.filter((change) => change.bump === bump).map(({ path, what }) => `${path || "/"}: ${what}`);
  const listed = reasons.length === 0 ? "" : `; ${bump}: ${reasons.join("; ")}`;
  return `${after.name}: expected version ${wanted}, got ${after.major}.${after.minor}${listed}`;
}

/** Keywords for readers, and names; `tsType` only sets a TypeScript type. */
const ignored = new Set(["$id", "$schema", "$comment", "$defs", "title", "description", "examples", "tsType"]);
/** Keywords with their own rules below; `$ref` comes first. */
const handled = new Set([
  ...["$ref", "type", "enum", "const", "required", "properties", "additionalProperties", "items", "anyOf", "oneOf"],
  ...["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "uniqueItems", "pattern", "format"],
  ...["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "multipleOf"],
]);

class Comparison {
  readonly #old: SchemaNode;
  readonly #now: SchemaNode;
  readonly #changes: SchemaChange[] = [];
  /** Pairs of definitions under comparison: a schema can contain itself. */
  readonly #seen = new Set<string>();

  constructor(old: SchemaNode, now: SchemaNode) {
    this.#old = old;
    this.#now = now;
  }

  changes(): SchemaChange[] {
    this.#node(this.#old, this.#now, "");
    return this.#changes;
  }

  #add(path: string, bump: "minor" | "major", what: string): void {
    this.#changes.push({ path, bump, what });
  }

  #node(oldNode: SchemaNode, nowNode: SchemaNode, path: string): void {
    const outside = [oldNode.$ref, nowNode.$ref].some((ref) => ref !== undefined && !ref.startsWith("#"));
    if (outside) {
      this.#outsideReference(oldNode.$ref, nowNode.$ref, path);
      return;
    }
    if (oldNode.$ref !== undefined && nowNode.$ref !== undefined) {
      const pair = `${oldNode.$ref} ${nowNode.$ref}`;
      if (this.#seen.has(pair)) return;
      this.#seen.add(pair);
    }
    const old = resolved(oldNode, this.#old);
    const now = resolved(nowNode, this.#now);
    this.#values(old, now, path);
    this.#bounds(old, now, path);
    this.#fields(old, now, path);
    this.#entries(old, now, path);
    this.#forms("anyOf", old, now, path);
    this.#forms("oneOf", old, now, path);
    for (const keyword of new Set([...Object.keys(old), ...Object.keys(now)])) {
      if (ignored.has(keyword) || handled.has(keyword)) continue;
      if (!isDeepStrictEqual(old[keyword], now[keyword])) this.#add(path, "major", `${keyword} has changed`);
    }
  }

  /** A reference to another schema may go to a later minor version of it. */
  #outsideReference(old: string | undefined, now: string | undefined, path: string): void {
    if (old === now) return;
    const isSchema = (ref: string | undefined) => ref?.startsWith("urn:mecgym:schema:");
    if (isSchema(old) && isSchema(now)) {
      const [before, after] = [versionOf(old), versionOf(now)];
      const isLater = before.name === after.name && before.major === after.major && before.minor < after.minor;
      if (isLater) {
        this.#add(path, "minor", `refers to ${now}`);
        return;
      }
    }
    this.#add(path, "major", `refers to ${now ?? "nothing"}, not to ${old ?? "nothing"}`);
  }

  /** Types, listed values, and patterns. */
  #values(old: SchemaNode, now: SchemaNode, path: string): void {
    this.#set(typesOf(old), typesOf(now), path, "type");
    this.#set(listedOf(old), listedOf(now), path, "value");
    for (const keyword of ["pattern", "format"]) {
      if (isDeepStrictEqual(old[keyword], now[keyword])) continue;
      this.#add(path, now[keyword] === undefined ? "minor" : "major", `${keyword} is ${now[keyword] ?? "gone"}`);
    }
    if (now.uniqueItems === true && old.uniqueItems !== true) this.#add(path, "major", "entries must differ");
    if (old.uniqueItems === true && now.uniqueItems !== true) this.#add(path, "minor", "entries may be equal");
  }

  /** A set of what is allowed; undefined allows everything. */
  #set(old: ReadonlySet<string> | undefined, now: ReadonlySet<string> | undefined, path: string, what: string): void {
    const lost =
      old === undefined ? [...(now ?? [])] : now === undefined ? [] : [...old].filter((one) => !now.has(one));
    if (old === undefined && now !== undefined) this.#add(path, "major", `${what} is limited to ${lost.join(", ")}`);
    else if (lost.length > 0) this.#add(path, "major", `${what} ${lost.join(", ")} is gone`);
    const isWider = old !== undefined && (now === undefined || [...now].some((one) => !old.has(one)));
    if (isWider) this.#add(path, "minor", `more of ${what} is allowed`);
  }

  #bounds(old: SchemaNode, now: SchemaNode, path: string): void {
    this.#bound(lowest(old), lowest(now), path, "the lower bound");
    this.#bound(highest(old), highest(now), path, "the upper bound");
    for (const what of ["Length", "Items", "Properties"]) {
      this.#bound(count(old, `min${what}`), count(now, `min${what}`), path, `min${what}`);
      this.#bound(negated(count(old, `max${what}`)), negated(count(now, `max${what}`)), path, `max${what}`);
    }
    const [before, after] = [old.multipleOf, now.multipleOf] as (number | undefined)[];
    if (before === after) return;
    const isRelaxed = before !== undefined && (after === undefined || before % after === 0);
    this.#add(path, isRelaxed ? "minor" : "major", `multipleOf is ${after ?? "gone"}`);
  }

  /** Lower bounds, ordered by what they exclude. */
  #bound(old: Bound | undefined, now: Bound | undefined, path: string, what: string): void {
    const order = compareBounds(old, now);
    if (order !== 0) this.#add(path, order < 0 ? "major" : "minor", `${what} is ${order < 0 ? "stricter" : "wider"}`);
  }

  #fields(old: SchemaNode, now: SchemaNode, path: string): void {
    const required = (node: SchemaNode) => new Set(node.required ?? []);
    for (const name of required(now)) if (!required(old).has(name)) this.#add(path, "major", `${name} is required`);
    for (const name of required(old)) if (!required(now).has(name)) this.#add(path, "minor", `${name} is optional`);
    const [before, after] = [old.properties ?? {}, now.properties ?? {}];
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const at = `${path}/${name}`;
      if (!Object.hasOwn(after, name)) this.#add(at, "major", "the field is gone");
      else if (Object.hasOwn(before, name)) this.#node(before[name], after[name], at);
      // if other fields were allowed, this name may have been used for something else
      else this.#add(at, old.additionalProperties === false ? "minor" : "major", "the field is new");
    }
    this.#open(old.additionalProperties, now.additionalProperties, `${path}/*`, "other fields");
  }

  #entries(old: SchemaNode, now: SchemaNode, path: string): void {
    this.#open(old.items, now.items, `${path}/[]`, "entries");
  }

  /** A schema for all other values: `true` or a missing one allows anything, `false` nothing. */
  #open(old: unknown, now: unknown, path: string, what: string): void {
    const [before, after] = [old ?? true, now ?? true];
    if (typeof before === "object" && typeof after === "object") {
      this.#node(before as SchemaNode, after as SchemaNode, path);
    } else if (before !== after) {
      const isWider = before === false || after === true;
      this.#add(path, isWider ? "minor" : "major", `${isWider ? "more" : "fewer"} ${what} are allowed`);
    }
  }

  /** Alternatives. Those with the same title, or else the same place, are compared; order does not matter. */
  #forms(keyword: "anyOf" | "oneOf", old: SchemaNode, now: SchemaNode, path: string): void {
    const [before, after] = [old[keyword], now[keyword]];
    if (before === undefined && after === undefined) return;
    if (before === undefined || after === undefined) {
      this.#add(path, after === undefined ? "minor" : "major", `${keyword} is ${after ? "new" : "gone"}`);
      return;
    }
    const left = new Set(after);
    const named = (form: SchemaNode) => form.title ?? form.$ref;
    for (const [i, form] of before.entries()) {
      const isPartner = (other: SchemaNode) => (named(form) ? named(other) === named(form) : other === after[i]);
      const partner = [...left].find(isPartner);
      if (partner === undefined) {
        this.#add(`${path}<${i}>`, "major", `${named(form) ?? "a form"} is gone`);
        continue;
      }
      left.delete(partner);
      this.#node(form, partner, `${path}<${i}>`);
    }
    // a value that fits two forms of oneOf is invalid; a discriminator prevents it
    const isApart = keyword === "anyOf" || now.discriminator !== undefined;
    for (const form of left) this.#add(path, isApart ? "minor" : "major", `${named(form) ?? "a form"} is new`);
  }
}

/** The node, or the target of its `#/…` reference with the keywords next to the reference taking precedence. */
function resolved(node: SchemaNode, root: SchemaNode): SchemaNode {
  if (node.$ref === undefined) return node;
  const target = node.$ref
    .slice(2)
    .split("/")
    .reduce<unknown>((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], root);
  if (target === undefined) throw new TypeError(`${node.$ref} leads nowhere`);
  const { $ref: _, ...siblings } = node;
  return { ...resolved(target as SchemaNode, root), ...siblings };
}

function typesOf(node: SchemaNode): Set<string> | undefined {
  const { type } = node;
  // listed values have a type, whether or not it is stated
  if (type === undefined) return listedOf(node) && new Set([...(listedOf(node) ?? [])].map(typeOfJson));
  const types = new Set(typeof type === "string" ? [type] : type);
  if (types.has("number")) types.add("integer");
  return types;
}

/** The values of `enum` and `const`, as JSON. */
function listedOf(node: SchemaNode): Set<string> | undefined {
  const values = Object.hasOwn(node, "const") ? [node.const] : (node.enum as unknown[] | undefined);
  return values === undefined ? undefined : new Set(values.map((value) => JSON.stringify(value)));
}

function typeOfJson(text: string): string {
  const value = JSON.parse(text);
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}

/** A lower bound. */
interface Bound {
  readonly value: number;
  readonly isOpen: boolean;
}

function lowest({ minimum, exclusiveMinimum }: SchemaNode): Bound | undefined {
  const closed = minimum === undefined ? undefined : { value: minimum as number, isOpen: false };
  const open = exclusiveMinimum === undefined ? undefined : { value: exclusiveMinimum as number, isOpen: true };
  return compareBounds(closed, open) < 0 ? open : closed;
}

/** The upper bound, as a lower bound of the negative value. */
function highest({ maximum, exclusiveMaximum }: SchemaNode): Bound | undefined {
  const negative = (value: unknown) => (value === undefined ? undefined : -(value as number));
  return lowest({ minimum: negative(maximum), exclusiveMinimum: negative(exclusiveMaximum) });
}

function count(node: SchemaNode, keyword: string): Bound | undefined {
  return node[keyword] === undefined ? undefined : { value: node[keyword] as number, isOpen: false };
}

function negated(bound: Bound | undefined): Bound | undefined {
  return bound === undefined ? undefined : { ...bound, value: -bound.value };
}

/** Below 0 if `b` excludes more than `a`, above 0 if it excludes less. */
function compareBounds(a: Bound | undefined, b: Bound | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  return a.value === b.value ? Number(a.isOpen) - Number(b.isOpen) : a.value - b.value;
}
