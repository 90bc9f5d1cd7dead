/** Writes the golden files that every platform and every client must reproduce: trajectories, figures, decisions. */

import { writeFileSync } from "node:fs";
import { computeFigures } from "../test/golden/figures.js";
import { playLearnedPrices } from "../test/golden/learned-price.js";
import { listGolden, playGolden } from "../test/golden/rules.js";

const trajectories = listGolden().map((golden) => ({ ...golden, ...playGolden(golden) }));
write("trajectories", trajectories);
const figures = await computeFigures();
write("figures", figures);
write("learned-price", playLearnedPrices());
console.log(`${trajectories.length} trajectories, ${Object.values(figures).flat().length} hashes of figures`);

function write(name: string, value: object): void {
  writeFileSync(new URL(`../test/golden/${name}.json`, import.meta.url), `${JSON.stringify(value, null, 2)}\n`);
}
