/** `mecgym tune adaptive`: fits the weights of the policy `adaptive`, one set for all loads. */

import { Command } from "commander";
import { markdownTable } from "markdown-table";
import { figureOf } from "../../../benchmarks/figures.js";
import { trainingLoads, tuneAdaptive } from "../../../benchmarks/tuning/tune-adaptive.js";
import { packageVersion } from "../../composition/package-version.js";
import { integer, printJson, withExample } from "../support/program.js";
import { runSteps } from "../support/progress.js";
import { changeManifest, MANIFEST_HELP } from "../support/tuning-output.js";

interface TuneAdaptiveOptions {
  readonly generations: number;
  readonly population: number;
  readonly seed: number;
  readonly manifest?: string;
  readonly json?: boolean;
}

export function tuneAdaptiveCommand(): Command {
  const command = new Command("adaptive")
    .description("Fit the weights of the policy `adaptive`, one set for all loads, on training seeds.")
    .option("--generations <n>", "generations of the search, one seed each", integer(1, 10_000), 240)
    .option("--population <n>", "sets of weights in a generation", integer(4, 1000), 20)
    .option("--seed <s>", "first training seed", integer(0), 10_000)
    .option("--manifest <file>", MANIFEST_HELP)
    .option("--json", "print JSON")
    .action(tune);
  return withExample(command, "tune adaptive --generations 40");
}

async function tune({ generations, population, seed, manifest, json }: TuneAdaptiveOptions): Promise<void> {
  if (manifest !== undefined) changeManifest(manifest, () => {});
  const steps = tuneAdaptive(generations, population, seed);
  const { weights, logRatios, episodes } = await runSteps("tune adaptive", steps, generations);
  if (manifest !== undefined) {
    changeManifest(manifest, (file) => {
      file.adaptive = { weights, fit: { generations, population, firstSeed: seed, episodes, logRatios } };
    });
  }
  if (json) {
    const figures = Object.entries(logRatios).map(([scenario, value]) => ({
      ...figureOf(`${scenario}/log-ratio-to-priced`, "1", { value, low: value, high: value }, "lower"),
      ...{ low: null, high: null }, // a fit gives no interval
    }));
    const conditions = { generations, population, firstSeed: seed, episodes, lessons: trainingLoads, packageVersion };
    printJson({ figures, weights, conditions });
    return;
  }
  const tables = [
    markdownTable([["feature", "weight (slots)"], ...rowsOf(weights)], { align: ["l", "r"] }),
    markdownTable([["training scenario", "ln(AL ÷ AL of priced)"], ...rowsOf(logRatios)], { align: ["l", "r"] }),
  ];
  process.stdout.write(`${tables.join("\n\n")}\n`);
}

function rowsOf(values: Readonly<Record<string, number>>): string[][] {
  return Object.entries(values).map(([name, value]) => [name, value.toFixed(4)]);
}
