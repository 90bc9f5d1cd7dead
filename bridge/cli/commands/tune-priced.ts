/** `mecgym tune priced`: finds the toll of the policy `priced` for one scenario. */

import { Command } from "commander";
import { markdownTable } from "markdown-table";
import { intervalText } from "../../../benchmarks/figures.js";
import { MOST_TOLLS, type TollRow, tunePriced } from "../../../benchmarks/tuning/tune-priced.js";
import { splits } from "../../../env/index.js";
import { packageVersion } from "../../composition/package-version.js";
import { integer, printJson, withExample } from "../support/program.js";
import { runSteps } from "../support/progress.js";
import { readScenario, SCENARIO_HELP } from "../support/scenarios.js";
import { changeManifest, checkManifestScenario, latencyFigure, MANIFEST_HELP } from "../support/tuning-output.js";

interface TunePricedOptions {
  readonly scenario: string;
  readonly episodes: number;
  readonly seed: number;
  readonly manifest?: string;
  readonly json?: boolean;
}

export function tunePricedCommand(): Command {
  const command = new Command("priced")
    .description("Find the toll κ of the policy `priced` (the smallest J + κ·N) for one scenario.")
    .requiredOption("--scenario <scenario>", SCENARIO_HELP)
    .option("--episodes <n>", "episodes for each κ, the same ones for all", integer(2, 65_535), 100)
    .option("--seed <s>", "first episode seed", integer(0), splits.validation.start)
    .option("--manifest <file>", MANIFEST_HELP)
    .option("--json", "print JSON")
    .action(tune);
  return withExample(command, "tune priced --scenario load-24-users-v1");
}

async function tune({ scenario: given, episodes, seed, manifest, json }: TunePricedOptions): Promise<void> {
  const fields = readScenario(given);
  const scenario = fields.id;
  checkManifestScenario(manifest, fields);
  if (manifest !== undefined) changeManifest(manifest, () => {});
  const steps = tunePriced(fields, episodes, seed);
  const { rows, best } = await runSteps("tune priced", steps, MOST_TOLLS * episodes);
  if (manifest !== undefined) {
    changeManifest(manifest, ({ scenarios }) => {
      scenarios[scenario] = { ...scenarios[scenario], tollSlots: best.tollSlots };
    });
  }
  if (json) {
    printJson({
      figures: rows.map(({ tollSlots, averageLatencySlots }) =>
        latencyFigure(`${scenario}/toll=${tollSlots}`, averageLatencySlots),
      ),
      tollSlots: best.tollSlots,
      conditions: { scenario, episodes, firstSeed: seed, packageVersion },
    });
  } else
    process.stdout.write(
      `${renderTolls(rows, best)}\n\n` +
        `${scenario}: κ = ${best.tollSlots} slots, policy priced:tollSlots=${best.tollSlots}\n`,
    );
}

function renderTolls(rows: readonly TollRow[], best: TollRow): string {
  return markdownTable(
    [
      ["κ (slots)", "average latency (slots)", "more than the best (slots)"],
      ...rows.map((row) => [
        String(row.tollSlots),
        intervalText(row.averageLatencySlots, 3),
        row === best ? "best" : intervalText(row.differenceToBestSlots, 3),
      ]),
    ],
    { align: ["r", "r", "r"] },
  );
}
