/** Writes test/golden/trajectories.json, the digests that every platform and every client must reproduce. */

import { writeFileSync } from "node:fs";
import { listGolden, playGolden } from "../test/golden/rules.js";

const file = new URL("../test/golden/trajectories.json", import.meta.url);
const trajectories = listGolden().map((golden) => ({ ...golden, ...playGolden(golden) }));
writeFileSync(file, `${JSON.stringify(trajectories, null, 2)}\n`);
console.log(`${trajectories.length} trajectories`);
