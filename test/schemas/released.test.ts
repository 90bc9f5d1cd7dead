/** Versions: every kind of change needs its bump, and no schema has drifted from its last released copy. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { type Bump, bumpOf, compareSchemas, versionOf, versionProblem } from "../../schemas/tools/comparison.js";
import type { SchemaNode } from "../../schemas/tools/fields.js";
import {
  readJsonFolder,
  readReleased,
  readSchemas,
  releasedFolder,
  releasedName,
  root,
} from "../../schemas/tools/files.js";

const id = (version: string) => `urn:mecgym:schema:thing:${version}`;

/** A closed object with one field. */
const one = (field: SchemaNode): SchemaNode => ({
  ...{ $id: id("1.0"), type: "object", additionalProperties: false, required: ["a"], properties: { a: field } },
  $defs: { Range: { type: "number", minimum: 0, maximum: 1 } },
});
const number: SchemaNode = { type: "number", minimum: 0, maximum: 10 };
const integer: SchemaNode = { type: "integer" };
const forms = (keyword: "anyOf" | "oneOf", ...titles: string[]): SchemaNode => ({
  [keyword]: titles.map((title) => ({ title, type: "object", required: [title] })),
});

type Case = [name: string, old: SchemaNode, now: SchemaNode, bump: Bump];

/** Changes of one field. */
const fieldCases: Case[] = [
  ["nothing", number, { ...number }, "none"],
  ["another description", { ...number, description: "x" }, { ...number, description: "y", title: "z" }, "none"],
  ["a TypeScript type", number, { ...number, tsType: "Slots" }, "none"],
  ["a lower minimum", number, { ...number, minimum: -1 }, "minor"],
  ["no minimum", number, { type: "number", maximum: 10 }, "minor"],
  ["a higher minimum", number, { ...number, minimum: 1 }, "major"],
  ["a new minimum", { type: "number" }, { type: "number", minimum: 0 }, "major"],
  ["an open bound closed", { type: "number", exclusiveMinimum: 0 }, { type: "number", minimum: 0 }, "minor"],
  ["a closed bound opened", { type: "number", minimum: 0 }, { type: "number", exclusiveMinimum: 0 }, "major"],
  ["a higher maximum", number, { ...number, maximum: 11 }, "minor"],
  ["a lower maximum", number, { ...number, maximum: 9 }, "major"],
  ["an open maximum", number, { type: "number", minimum: 0, exclusiveMaximum: 10 }, "major"],
  ["one bound wider, one stricter", number, { ...number, minimum: -1, maximum: 9 }, "major"],
  ["another default", { ...number, default: 1 }, { ...number, default: 2 }, "major"],
  ["a new default", number, { ...number, default: 2 }, "major"],
  ["one more type", integer, { type: ["integer", "null"] }, "minor"],
  ["numbers for integers", integer, { type: "number" }, "minor"],
  ["integers for numbers", { type: "number" }, integer, "major"],
  ["another type", integer, { type: "string" }, "major"],
  ["a step gone", { ...integer, multipleOf: 6 }, integer, "minor"],
  ["a step of a third", { ...integer, multipleOf: 6 }, { ...integer, multipleOf: 2 }, "minor"],
  ["another step", { ...integer, multipleOf: 6 }, { ...integer, multipleOf: 4 }, "major"],
  ["a wider enum", { enum: ["a"] }, { enum: ["b", "a"] }, "minor"],
  ["an enum in another order", { enum: ["a", "b"] }, { enum: ["b", "a"] }, "none"],
  ["a narrower enum", { enum: ["a", "b"] }, { enum: ["b"] }, "major"],
  ["an enum with a value replaced", { enum: ["a", "b"] }, { enum: ["b", "c"] }, "major"],
  ["a constant as an enum of one", { const: "a" }, { enum: ["a"] }, "none"],
  ["a constant whose type is said too", { const: 1 }, { type: "integer", enum: [1] }, "none"],
  ["an enum whose type is another", { enum: ["a", 1] }, { type: "string", enum: ["a", 1] }, "major"],
  ["another constant", { const: "a" }, { const: "b" }, "major"],
  ["a text that becomes an enum", { type: "string" }, { type: "string", enum: ["a"] }, "major"],
  ["a longer text", { type: "string", maxLength: 3 }, { type: "string", maxLength: 4 }, "minor"],
  ["a text that may not be empty", { type: "string" }, { type: "string", minLength: 1 }, "major"],
  ["a pattern gone", { type: "string", pattern: "^a" }, { type: "string" }, "minor"],
  ["another pattern", { type: "string", pattern: "^a" }, { type: "string", pattern: "^[ab]" }, "major"],
  ["a list of more entries", { type: "array", maxItems: 2 }, { type: "array", maxItems: 3 }, "minor"],
  ["a list that may be empty", { type: "array", minItems: 1 }, { type: "array", minItems: 0 }, "minor"],
  ["a shorter list", { type: "array", maxItems: 2 }, { type: "array", maxItems: 1 }, "major"],
  ["entries of a wider type", { type: "array", items: integer }, { type: "array", items: { type: "number" } }, "minor"],
  ["entries that were free", { type: "array" }, { type: "array", items: integer }, "major"],
  ["entries that must differ", { type: "array" }, { type: "array", uniqueItems: true }, "major"],
  ["entries that may be equal", { type: "array", uniqueItems: true }, { type: "array" }, "minor"],
  ["one more form of anyOf", forms("anyOf", "A"), forms("anyOf", "B", "A"), "minor"],
  ["forms in another order", forms("anyOf", "A", "B"), forms("anyOf", "B", "A"), "none"],
  ["one form less", forms("anyOf", "A", "B"), forms("anyOf", "B"), "major"],
  ["one more form of oneOf, which may overlap", forms("oneOf", "A"), forms("oneOf", "A", "B"), "major"],
  [
    "one more form of oneOf, kept apart",
    { ...forms("oneOf", "A"), discriminator: { propertyName: "op" } },
    { ...forms("oneOf", "A", "B"), discriminator: { propertyName: "op" } },
    "minor",
  ],
  ["one form instead of several", forms("anyOf", "A"), { type: "object" }, "major"],
  ["a keyword without a rule", {}, { not: { const: 1 } }, "major"],
  ["a definition written out", { $ref: "#/$defs/Range" }, { type: "number", minimum: 0, maximum: 1 }, "none"],
  ["a definition and a description", { $ref: "#/$defs/Range" }, { $ref: "#/$defs/Range", description: "x" }, "none"],
  ["a definition narrower than what it replaces", number, { $ref: "#/$defs/Range" }, "major"],
  ["a later minor of another schema", { $ref: id("1.0") }, { $ref: id("1.1") }, "minor"],
  ["an earlier one", { $ref: id("1.1") }, { $ref: id("1.0") }, "major"],
  ["a new major of another schema", { $ref: id("1.0") }, { $ref: id("2.0") }, "major"],
  ["a schema in place of a type", { type: "object" }, { $ref: id("1.0") }, "major"],
];

/** Changes of the object itself. */
const object = one(number);
const { a } = object.properties as Record<string, SchemaNode>;
const objectCases: Case[] = [
  ["a new optional field", object, { ...object, properties: { a, b: number } }, "minor"],
  ["a new required field", object, { ...object, required: ["a", "b"], properties: { a, b: number } }, "major"],
  ["a field gone", object, { ...object, required: [], properties: {} }, "major"],
  ["a field renamed", object, { ...object, required: ["b"], properties: { b: a } }, "major"],
  ["a field no longer required", object, { ...object, required: [] }, "minor"],
  ["an optional field required", { ...object, required: [] }, object, "major"],
  ["opened to other fields", object, { ...object, additionalProperties: true }, "minor"],
  ["closed to other fields", { ...object, additionalProperties: true }, object, "major"],
  ["other fields of any type, now numbers", { type: "object" }, { additionalProperties: number }, "major"],
  [
    "a new field where any name was allowed",
    { ...object, additionalProperties: true },
    { ...object, additionalProperties: true, properties: { a, b: number } },
    "major",
  ],
];

describe("compareSchemas", () => {
  it.each(fieldCases)("%s", (_, old, now, bump) => {
    const changes = compareSchemas(one(old), one(now));
    expect([bumpOf(changes), changes]).toEqual([bump, bump === "none" ? [] : expect.anything()]);
    for (const { path } of changes) expect(path).toMatch(/^\/a/);
  });

  it.each(objectCases)("%s", (_, old, now, bump) => {
    expect(bumpOf(compareSchemas(old, now))).toBe(bump);
  });

  it("says where, in words", () => {
    const deep = (minimum: number) => one({ type: "array", items: { properties: { b: { minimum } } } });
    expect(compareSchemas(deep(0), deep(1))).toEqual([
      { path: "/a/[]/b", bump: "major", what: "the lower bound is stricter" },
    ]);
  });

  it("ends with a schema that holds itself", () => {
    const tree = (minimum: number): SchemaNode => ({
      $ref: "#/$defs/Tree",
      $defs: { Tree: { properties: { left: { $ref: "#/$defs/Tree" }, size: { minimum } } } },
    });
    expect(bumpOf(compareSchemas(tree(1), tree(1)))).toBe("none");
    expect(compareSchemas(tree(1), tree(0)).map(({ path, bump }) => [path, bump])).toEqual([["/size", "minor"]]);
  });

  it("agrees with a validator: what the old schema takes, a minor change takes too", () => {
    const samples = [
      null,
      0,
      -1,
      0.5,
      1,
      4,
      6,
      9.5,
      10,
      11,
      "",
      "a",
      "b",
      "c",
      "abcd",
      [],
      [1],
      [1, 1],
      [0.5],
      {},
      { A: 1 },
    ];
    const ajv = new Ajv2020({ strict: false, discriminator: false, validateSchema: false });
    const isFree = ([, old, now]: Case) => !JSON.stringify([old, now]).includes("$ref");
    for (const [name, old, now, bump] of fieldCases.filter(isFree)) {
      if (bump === "major") continue;
      const { $id: _, ...before } = one(old);
      const { $id: __, ...after } = one(now);
      const [takes, takesNow] = [ajv.compile(before), ajv.compile(after)];
      for (const sample of samples) {
        if (takes({ a: sample })) expect([name, sample, takesNow({ a: sample })]).toEqual([name, sample, true]);
      }
    }
  });
});

describe("versionProblem", () => {
  const at = (version: string, field: SchemaNode) => ({ ...one(field), $id: id(version) });
  const wider = { ...number, maximum: 20 };
  const stricter = { ...number, maximum: 5 };
  it.each<[string, SchemaNode, string, string | undefined]>([
    ["1.2", number, "1.2", undefined],
    ["1.2", number, "1.3", "thing: expected version 1.2, because nothing has changed, got 1.3"],
    ["1.2", wider, "1.3", undefined],
    ["1.2", wider, "2.0", undefined],
    ["1.2", wider, "1.2", "thing: expected version 1.3, got 1.2; minor: /a: the upper bound is wider"],
    ["1.2", wider, "1.4", "thing: expected version 1.3, got 1.4; minor: /a: the upper bound is wider"],
    ["1.2", stricter, "2.0", undefined],
    ["1.2", stricter, "1.3", "thing: expected version 2.0, got 1.3; major: /a: the upper bound is stricter"],
    ["1.2", stricter, "2.1", "thing: expected version 2.0, got 2.1; major: /a: the upper bound is stricter"],
  ])("from %s, with %j as %s: %s", (before, field, after, problem) => {
    expect(versionProblem(at(before, number), at(after, field))).toBe(problem);
  });

  it("refuses an id without a version", () => {
    expect(() => versionOf("urn:mecgym:schema:thing")).toThrowError(/NAME:MAJOR.MINOR/);
  });
});

describe("every schema", () => {
  const released = readReleased();

  it.each(readSchemas())("%s has the version that its changes since the last release ask for", (name, schema) => {
    expect(versionOf(schema.$id).name).toBe(name);
    const last = released.get(name)?.at(-1);
    if (last === undefined) expect(schema.$id).toBe(`urn:mecgym:schema:${name}:1.0`);
    else expect(versionProblem(last, schema)).toBeUndefined();
  });

  it.each([...released])("%s was released with versions that its changes asked for", (_, copies) => {
    for (let i = 1; i < copies.length; i++) expect(versionProblem(copies[i - 1], copies[i])).toBeUndefined();
  });

  it("keeps its released copies as they were", () => {
    const hashes = readJsonFolder(releasedFolder, ".schema.json").map(([name, schema]) => {
      expect(`${name}.schema.json`).toBe(releasedName(schema as SchemaNode));
      const text = readFileSync(join(root, releasedFolder, `${name}.schema.json`));
      return [name, createHash("sha256").update(text).digest("hex")];
    });
    expect(Object.fromEntries(hashes)).toMatchSnapshot();
  });
});
