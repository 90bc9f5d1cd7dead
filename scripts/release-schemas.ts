/** `npm run release:schemas`: keeps a copy of every schema with an unreleased version, to compare later ones with. */

import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { versionProblem } from "../schemas/tools/comparison.js";
import { readReleased, readSchemas, releasedFolder, releasedName, root } from "../schemas/tools/files.js";

const released = readReleased();
const schemas = readSchemas();
const problems = schemas.flatMap(([name, schema]) => {
  const last = released.get(name)?.at(-1);
  return (last && versionProblem(last, schema)) ?? [];
});
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
for (const [name, schema] of schemas) {
  const target = join(releasedFolder, releasedName(schema));
  if (existsSync(join(root, target))) continue;
  copyFileSync(join(root, "schemas", `${name}.schema.json`), join(root, target));
  console.log(`released ${target}`);
}
