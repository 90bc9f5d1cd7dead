/** `mecgym tune`: searches what the native policies are played with, on seeds that no result uses. */

import { Command } from "commander";
import { markdownTable } from "markdown-table";
import type { Estimate } from "../../benchmarks/statistics.js";
import { MOST_TOLLS, type TollRow, tunePriced } from "../../benchmarks/tune-priced.js";
import { splits } from "../../env/index.js";
import { integer, packageVersion, printJson, withExample } from "./program.js";
import { startProgress } from "./progress.js";

interface TunePricedOptions {
  readonly scenario: string;
  readonly episodes: number;
  readonly seed: number;
  readonly json?: boolean;
}

export function tuneCommand(): Command {
  return new Command("tune")
    .description("Search what the native policies are played with, on train and validation seeds.")
    .addCommand(tunePricedCommand());
}

function tunePricedCommand(): Command {
  const command = new Command("priced")
    .description("Find the toll κ of the policy `priced` (the smallest J + κ·N) for one scenario.")
    .requiredOption("--scenario <id>", "the scenario")
    .option("--episodes <n>", "episodes for each κ, the same ones for all", integer(2, 65_535), 100)
    .option("--seed <s>", "first episode seed", integer(0), splits.validation.start)
    .option("--json", "print JSON")
    .action(async (options: TunePricedOptions) => {
      const { scenario, episodes, seed } = options;
      const { rows, best } = await inTurns("tune priced", tunePriced(scenario, episodes, seed), MOST_TOLLS * episodes);
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
