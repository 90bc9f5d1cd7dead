/** `mecgym tune`: searches what the native policies are played with, on seeds that no result uses. */

import { Command } from "commander";
import { markdownTable } from "markdown-table";
import { lessons, tuneAdaptive } from "../../../benchmarks/tuning/tune-adaptive.js";
import { MOST_TOLLS, type TollRow, tunePriced } from "../../../benchmarks/tuning/tune-priced.js";
import { splits } from "../../../env/index.js";
import { packageVersion } from "../../composition/package-version.js";
import { integer, printJson, withExample } from "../support/program.js";
import { startProgress } from "../support/progress.js";
import { changeManifest, intervalText, MANIFEST_HELP } from "../support/tuning-output.js";
import { tuneReferenceCommand } from "./tune-reference.js";

export function tuneCommand(): Command {
  return new Command("tune")
    .description("Search what the native policies are played with, on train and validation seeds.")
    .addCommand(tunePricedCommand())
    .addCommand(tuneAdaptiveCommand())
    .addCommand(tuneReferenceCommand());
}

interface TunePricedOptions {
  readonly scenario: string;
  readonly episodes: number;
  readonly seed: number;
  readonly manifest?: string;
  readonly json?: boolean;
}

function tunePricedCommand(): Command {
  const command = new Command("priced")
    .description("Find the toll κ of the policy `priced` (the smallest J + κ·N) for one scenario.")
    .requiredOption("--scenario <id>", "the scenario")
    .option("--episodes <n>", "episodes for each κ, the same ones for all", integer(2, 65_535), 100)
    .option("--seed <s>", "first episode seed", integer(0), splits.validation.start)
    .option("--manifest <file>", MANIFEST_HELP)
    .option("--json", "print JSON")
    .action(async (options: TunePricedOptions) => {
      const { scenario, episodes, seed, manifest } = options;
      if (manifest !== undefined) changeManifest(manifest, () => {});
      const { rows, best } = await inTurns("tune priced", tunePriced(scenario, episodes, seed), MOST_TOLLS * episodes);
      if (manifest !== undefined) {
        changeManifest(manifest, ({ scenarios }) => {
          scenarios[scenario] = { ...scenarios[scenario], tollSlots: best.tollSlots };
        });
      }
      if (options.json) {
        printJson({
          figures: rows.map(({ tollSlots, averageLatencySlots }) => ({
            id: `${scenario}/toll=${tollSlots}/latency`,
            unit: "slots",
            goal: null,
            better: "lower",
            ...averageLatencySlots,
          })),
          tollSlots: best.tollSlots,
          conditions: { scenario, episodes, firstSeed: seed, packageVersion },
        });
      } else process.stdout.write(`${renderTolls(rows, best)}\n\n${scenario}: κ = ${best.tollSlots} slots\n`);
    });
  return withExample(command, "tune priced --scenario load-24-users-v1");
}

interface TuneAdaptiveOptions {
  readonly generations: number;
  readonly population: number;
  readonly seed: number;
  readonly manifest?: string;
  readonly json?: boolean;
}

function tuneAdaptiveCommand(): Command {
  const command = new Command("adaptive")
    .description("Fit the weights of the policy `adaptive`, one set for all loads, on training seeds.")
    .option("--generations <n>", "generations of the search, one seed each", integer(1, 10_000), 240)
    .option("--population <n>", "sets of weights in a generation", integer(4, 1000), 20)
    .option("--seed <s>", "first training seed", integer(0), 10_000)
    .option("--manifest <file>", MANIFEST_HELP)
    .option("--json", "print JSON")
    .action(async ({ generations, population, seed, manifest, json }: TuneAdaptiveOptions) => {
      if (manifest !== undefined) changeManifest(manifest, () => {});
      const steps = tuneAdaptive(generations, population, seed);
      const { weights, logRatios, episodes } = await inTurns("tune adaptive", steps, generations);
      const conditions = { generations, population, firstSeed: seed, episodes, lessons, packageVersion };
      if (manifest !== undefined) {
        changeManifest(manifest, (file) => {
          file.adaptive = { weights, fit: { generations, population, firstSeed: seed, episodes, logRatios } };
        });
      }
      if (json) {
        const figures = Object.entries(logRatios).map(([scenario, value]) => ({
          id: `${scenario}/log-ratio-to-priced`,
          ...{ value, unit: "1", goal: null, better: "lower", low: null, high: null },
        }));
        printJson({ figures, weights, conditions });
        return;
      }
      const cells = (rows: Readonly<Record<string, number>>) =>
        Object.entries(rows).map(([name, value]) => [name, value.toFixed(4)]);
      const tables = [
        markdownTable([["feature", "weight (slots)"], ...cells(weights)], { align: ["l", "r"] }),
        markdownTable([["training scenario", "ln(AL ÷ AL of priced)"], ...cells(logRatios)], { align: ["l", "r"] }),
      ];
      process.stdout.write(`${tables.join("\n\n")}\n`);
    });
  return withExample(command, "tune adaptive --generations 40");
}

function renderTolls(rows: readonly TollRow[], best: TollRow): string {
  return markdownTable(
    [
      ["κ (slots)", "average latency (slots)", "more than the best (slots)"],
      ...rows.map((row) => [
        String(row.tollSlots),
        intervalText(row.averageLatencySlots),
        row === best ? "best" : intervalText(row.differenceToBestSlots),
      ]),
    ],
    { align: ["r", "r", "r"] },
  );
}

/** Does work step by step, so that a signal has its turn and a bar shows how far it is. */
async function inTurns<T>(label: string, steps: Generator<string, T>, total: number): Promise<T> {
  const progress = startProgress(label);
  try {
    for (let done = 1; ; done++) {
      const step = steps.next();
      if (step.done) return step.value;
      progress.update(done, total, step.value);
      if (done % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    progress.stop();
  }
}
