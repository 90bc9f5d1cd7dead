/** The schemas are strict and fully described, have examples of every type, and match the generated files. */

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { listScenarios, scenarioHash } from "../../env/index.js";
import { readSchemas } from "../../schemas/tools/files.js";
import { findProblem, type SchemaName, schemaNames } from "../../schemas/validate.js";
import { SchemaTypes } from "./types-of.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

function examples(type: SchemaName, kind: "valid" | "invalid"): [string, unknown][] {
  const folder = join(root, "schemas", "examples", type, kind);
  return readdirSync(folder).map((name) => [name, JSON.parse(readFileSync(join(folder, name), "utf8"))]);
}

const schemas = new Map(readSchemas());
const byId = new Map([...schemas.values()].map((schema) => [String(schema.$id), schema]));

for (const type of schemaNames) {
  describe(`schema ${type}`, () => {
    it("has a valid and an invalid example of every type in it", () => {
      const schema = schemas.get(type);
      if (schema === undefined) throw new Error(`no schema ${type}`);
      const types = new SchemaTypes(schema, byId);
      const shown = new Set(examples(type, "valid").flatMap(([, value]) => [...types.ofValue(value)]));
      const damaged = examples(type, "invalid").map(([, example]) => example as { path: string; value: unknown });
      const refused = new Set(damaged.flatMap(({ path, value }) => [...types.ofPath(path, value)]));
      const all = [...types.all()];
      expect(all).not.toEqual([]);
      expect(all.filter((name) => !shown.has(name))).toEqual([]);
      expect(all.filter((name) => !refused.has(name))).toEqual([]);
    });

    for (const [name, value] of examples(type, "valid")) {
      it(`accepts ${name}`, () => expect(findProblem(type, value)).toBeUndefined());
    }
    for (const [name, example] of examples(type, "invalid")) {
      const { path, value } = example as { path: string; value: unknown };
      it(`refuses ${name} at ${path === "" ? "the top" : path}`, () => {
        expect(findProblem(type, value)).toMatchObject({ path });
      });
    }

    it("describes every field", () => {
      const schema = JSON.parse(readFileSync(join(root, "schemas", `${type}.schema.json`), "utf8"));
      const bare: string[] = [];
      const visit = (node: unknown, path: string) => {
        if (typeof node !== "object" || node === null) return;
        for (const [key, child] of Object.entries(node as Record<string, unknown>)) {
          if (key === "properties") {
            for (const [name, field] of Object.entries(
              child as Record<string, { description?: string; $ref?: string }>,
            )) {
              if (!field.description && !field.$ref) bare.push(`${path}/${name}`);
            }
          }
          if (key !== "examples" && key !== "default") visit(child, `${path}/${key}`);
        }
      };
      visit(schema, "");
      expect(bare).toEqual([]);
    });
  });
}

describe("generated files", () => {
  it("are what the schemas and scenarios make", () => {
    execFileSync(process.execPath, ["--import", "tsx", join(root, "scripts", "generate.ts"), "--check"], { cwd: root });
  });
});

describe("frozen scenarios", () => {
  it("are in a file named after their id, with every field, and keep their hash", () => {
    const folder = join(root, "env", "scenario", "frozen");
    for (const scenario of listScenarios()) {
      expect(JSON.parse(readFileSync(join(folder, `${scenario.id}.json`), "utf8"))).toEqual(scenario);
    }
    expect(Object.fromEntries(listScenarios().map((one) => [one.id, scenarioHash(one)]))).toMatchSnapshot();
  });
});
