/** Where the schemas and their released copies are, and how scripts and tests read them. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { versionOf } from "./comparison.js";
import type { SchemaNode } from "./fields.js";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
export const releasedFolder = "schemas/released";

/** Names without their ending, and contents, of a folder's files with this ending, by name. */
export function readJsonFolder(folder: string, ending: string): [string, Record<string, unknown>][] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => [name.slice(0, -ending.length), JSON.parse(readFileSync(join(root, folder, name), "utf8"))]);
}

/** Every schema as it is now, by name. */
export function readSchemas(): [string, SchemaNode][] {
  return readJsonFolder("schemas", ".schema.json");
}

/** The released copies of each schema, oldest first. */
export function readReleased(): Map<string, SchemaNode[]> {
  const released = new Map<string, SchemaNode[]>();
  for (const [, schema] of readJsonFolder(releasedFolder, ".schema.json")) {
    const { name } = versionOf(schema.$id);
    released.set(name, [...(released.get(name) ?? []), schema]);
  }
  for (const copies of released.values()) {
    copies.sort((a, b) => {
      const [one, other] = [versionOf(a.$id), versionOf(b.$id)];
      return one.major - other.major || one.minor - other.minor;
    });
  }
  return released;
}

/** Name of the file that holds the released copy of a schema. */
export function releasedName(schema: SchemaNode): string {
  const { name, major, minor } = versionOf(schema.$id);
  return `${name}-${major}.${minor}.schema.json`;
}
