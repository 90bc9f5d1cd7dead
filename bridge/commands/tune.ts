/** `mecgym tune`: searches what the native policies are played with, on seeds that no result uses. */

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { markdownTable } from "markdown-table";
import type { Estimate } from "../../benchmarks/statistics.js";
import { suites } from "../../benchmarks/suites.js";
import { lessons, tuneAdaptive } from "../../benchmarks/tune-adaptive.js";
import { MOST_TOLLS, type TollRow, tunePriced } from "../../benchmarks/tune-priced.js";
import { type ReferenceChoice, tuneReference } from "../../benchmarks/tune-reference.js";
import { MecgymError, splits } from "../../env/index.js";
import { writeWhole } from "./output.js";
import { integer, list, packageVersion, printJson, withExample } from "./program.js";
import { startProgress } from "./progress.js";
import { withWorkers, workersOption } from "./workers.js";

const MANIFEST_HELP = "write what was found into this manifest (benchmarks/policies/manifest.json)";

export function tuneCommand(): Command {
  return new Command("tune")
    .description("Search what the native policies are played with, on train and validation seeds.")
    .addCommand(tunePricedCommand())
    .addCommand(tuneAdaptiveCommand())
    .addCommand(tuneReferenceCommand());
}

/** A manifest as it lies in a file; the parts that are not searched stay as they are. */
interface ManifestFile {
  adaptive: object;
  scenarios: Record<string, object>;
}

/**
 * Changes a manifest: it is read before the work and again after it, so that two searches can share one.
 *
 * @throws MecgymError `invalidOption` where the file is no manifest or cannot be written
 */
function changeManifest(path: string, change: (manifest: ManifestFile) => void): void {
  let manifest: ManifestFile;
  try {
    manifest = JSON.parse(readFileSync(path, "utf8"));
    if (typeof manifest.scenarios !== "object" || typeof manifest.adaptive !== "object")
      throw new Error("other fields");
  } catch (error) {
    const expected = `a manifest of policies (${error instanceof Error ? error.message : error})`;
    throw new MecgymError("invalidOption", { path: "--manifest", got: path, expected });
  }
  change(manifest);
  writeWhole(path, `${JSON.stringify(manifest, null, 2)}\n`);
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

interface TuneReferenceOptions {
  readonly scenario?: readonly string[];
  readonly policies: readonly string[];
  readonly episodes: number;
  readonly seed: number;
  readonly workers?: number;
  readonly manifest?: string;
  readonly json?: boolean;
}

/** Scenarios that a suite plays episodes of. */
const episodicScenarios = [
  ...new Set(
    suites.flatMap(({ settings }) => settings.filter((one) => one.protocol === "episodic").map((one) => one.scenario)),
  ),
];

function tuneReferenceCommand(): Command {
  const command = new Command("reference")
    .description("Choose the best native policy of each scenario: what foresight is measured by.")
    .option("--scenario <ids>", "scenarios, separated by commas (default: all that suites play episodes of)", list)
    .option("--policies <names>", "candidates", list, ["oracle", "lacs", "priced", "adaptive", "rollout"])
    .option("--episodes <n>", "episodes of each, the same ones for all", integer(2, 10_000), 40)
    .option("--seed <s>", "first validation seed", integer(0), splits.validation.start)
    .addOption(workersOption())
    .option("--manifest <file>", `${MANIFEST_HELP}, each scenario as it is finished`)
    .option("--json", "print JSON")
    .action(async (options: TuneReferenceOptions) => {
      const { policies: names, episodes, seed, manifest } = options;
      const scenarios = options.scenario ?? episodicScenarios;
      if (manifest !== undefined) changeManifest(manifest, () => {});
      const choices = await withWorkers(
        "tune reference",
        options.workers,
        episodes,
        async (runner, onProgress) => {
          const found: ReferenceChoice[] = [];
          let done = 0;
          for (const scenario of scenarios) {
            const tick = (count: number, policy: string) => {
              done += count;
              onProgress(done, scenarios.length * names.length * episodes, `${scenario} ${policy}`);
            };
            const choice = await tuneReference(scenario, names, episodes, seed, runner, tick);
            found.push(choice);
            if (manifest !== undefined) keepChoice(manifest, choice);
          }
          return found;
        },
        "the manifest has the scenarios that are finished",
      );
      if (options.json) {
        const figures = choices.flatMap(({ scenario, candidates }) =>
          candidates.map(({ policy, averageLatencySlots }) => ({
            id: `${scenario}/${policy}/latency`,
            ...{ unit: "slots", goal: null, better: "lower" },
            ...averageLatencySlots,
          })),
        );
        printJson({ figures, choices, conditions: { episodes, firstSeed: seed, policies: names, packageVersion } });
      } else process.stdout.write(`${renderChoices(choices)}\n`);
    });
  return withExample(command, "tune reference --scenario load-24-users-v1 --policies priced,adaptive");
}

/** Four digits of a figure: more than its interval says. */
function keepChoice(path: string, { scenario, reference, firstSeed, episodes, candidates }: ReferenceChoice): void {
  const short = ({ value, low, high }: Estimate) => [value, low, high].map((one) => Number(one.toFixed(4)));
  changeManifest(path, ({ scenarios }) => {
    scenarios[scenario] = {
      ...scenarios[scenario],
      reference,
      chosenFrom: {
        firstSeed,
        episodes,
        averageLatencySlots: Object.fromEntries(
          candidates.map(({ policy, averageLatencySlots }) => [policy, short(averageLatencySlots)]),
        ),
      },
    };
  });
}

function renderChoices(choices: readonly ReferenceChoice[]): string {
  return markdownTable(
    [
      ["scenario", "policy", "average latency (slots)", "more than the best (slots)"],
      ...choices.flatMap(({ scenario, candidates }) =>
        candidates.map(({ policy, averageLatencySlots, differenceToBestSlots }, i) => [
          i === 0 ? scenario : "",
          policy,
          intervalText(averageLatencySlots),
          i === 0 ? "the reference" : intervalText(differenceToBestSlots),
        ]),
      ),
    ],
    { align: ["l", "l", "r", "r"] },
  );
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

function intervalText({ value, low, high }: Estimate): string {
  return `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
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
