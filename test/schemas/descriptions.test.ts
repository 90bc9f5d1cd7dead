/** Every description states its field's unit and bounds in the words that follow from the schema's keywords. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type SchemaNode, tablesOf, unitOfName } from "../../schemas/tools/fields.js";
import { schemaNames } from "../../schemas/validate.js";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "schemas");
const tables = schemaNames.flatMap((name) => {
  const schema = JSON.parse(readFileSync(join(folder, `${name}.schema.json`), "utf8")) as SchemaNode;
  return tablesOf(schema).map((table) => ({ name, ...table }));
});
const rows = tables.flatMap(({ name, title, rows }) => rows.map((row) => ({ place: `${name} ${title}`, ...row })));

/** Words for what a number without a unit counts or names. */
const withoutUnit =
  /\b(numbers?|counts?|seeds?|index|indices|probability|without unit|actions?|place|epoch|group|version)\b/i;

describe("tablesOf", () => {
  const field = (node: SchemaNode) => tablesOf({ properties: { field: node } })[0].rows;
  it.each<[SchemaNode, string[]]>([
    [{ type: "number" }, ["any number"]],
    [{ type: "number", minimum: 0 }, ["0 or more"]],
    [{ type: ["number", "null"], maximum: 0 }, ["0 or less"]],
    [{ type: "number", exclusiveMinimum: 0, maximum: 1 }, ["above 0, 1 or less"]],
    [{ type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, ["0 to 2^53 − 1"]],
    [{ type: "array", minItems: 1, maxItems: 1, items: { type: "string" } }, ["1 entry"]],
    [
      { type: "array", minItems: 1, items: { type: "array", maxItems: 3, items: { type: "number", minimum: 2 } } },
      ["2 or more", "3 or fewer entries", "1 or more entries"],
    ],
    [{ anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }] }, ["1 or more"]],
    [{ type: "string", minLength: 1 }, []],
    [{ enum: [1, 2], type: "number" }, []],
  ])("says the bounds of %j", (node, bounds) => expect(field(node)[0].bounds).toEqual(bounds));

  it("names nested fields, entries and forms, and takes units from names", () => {
    const inner = { type: "object", required: ["sizeMbit"], properties: { sizeMbit: { type: "number" } } };
    const all = field({
      anyOf: [
        { title: "One", ...inner },
        { title: "Many", type: "array", items: inner },
      ],
    });
    expect(all.map(({ path, unit, isRequired }) => [path, unit, isRequired])).toEqual([
      ["field", "", false],
      ["field(One).sizeMbit", "Mbit", true],
      ["field(Many)[].sizeMbit", "Mbit", true],
    ]);
  });
});

describe("the description of every field", () => {
  it("is in a table", () => expect(rows.length).toBeGreaterThan(200));

  it("says its bounds", () => {
    const silent = rows.flatMap(({ place, path, bounds, description }) =>
      bounds
        .filter((one) => !description.toLowerCase().includes(one))
        .map((one) => `${place} ${path}: "${one}" is not in "${description}"`),
    );
    expect(silent).toEqual([]);
  });

  it("says the unit that its name ends in", () => {
    const silent = rows.filter(({ path, description }) => {
      const unit = unitOfName(path.split(".").pop() as string);
      return unit !== undefined && description !== "" && !description.includes(unit);
    });
    expect(silent.map(({ place, path, description }) => `${place} ${path}: ${description}`)).toEqual([]);
  });

  it("says the unit of a number, or what it counts", () => {
    const silent = rows.filter(
      ({ isNumeric, unit, description }) => isNumeric && unit === "" && !withoutUnit.test(description),
    );
    expect(silent.map(({ place, path, description }) => `${place} ${path}: ${description}`)).toEqual([]);
  });
});
