/** `mecgym calibrate`: checks the physics against what the paper's tables imply. */

import { Command } from "commander";
import { markdownTable } from "markdown-table";
import { type CalibrationRow, calibrate, numCalibrationEpisodes } from "../../../benchmarks/studies/calibrate.js";
import { splits } from "../../../env/scenario/seeds.js";
import { packageVersion } from "../../composition/package-version.js";
import { integer, printJson, withExample } from "../support/program.js";
import { startProgress } from "../support/progress.js";

interface CalibrateOptions {
  readonly episodes: number;
  readonly seed: number;
  readonly json?: boolean;
}

export function calibrateCommand(): Command {
  const command = new Command("calibrate")
    .description("Play the oracle at 3 to 11 servers and 2 to 10 Mbit, beside what the paper's tables imply.")
    .option("--episodes <n>", "episodes of 100 slots for each number of servers", integer(2, 65_535), 40)
    .option("--seed <s>", "first episode seed", integer(0), splits.validation.start)
    .option("--json", "print JSON")
    .action(async (options: CalibrateOptions) => {
      const rows = await play(options);
      if (options.json) {
        printJson({
          figures: rows.map(({ id, unit, estimate, paper }) => ({
            id,
            value: estimate.value,
            unit,
            goal: null,
            better: id.startsWith("oracle") && id.endsWith("ratio") ? "higher" : "lower",
            low: estimate.low,
            high: estimate.high,
            paper: paper ?? null,
          })),
          conditions: { episodes: options.episodes, firstSeed: options.seed, episodeSlots: 100, packageVersion },
        });
      } else process.stdout.write(renderCalibration(rows));
    });
  return withExample(command, "calibrate --episodes 400");
}

async function play({ episodes, seed }: CalibrateOptions): Promise<CalibrationRow[]> {
  const progress = startProgress("calibrate");
  const total = numCalibrationEpisodes(episodes);
  const steps = calibrate(episodes, seed);
  try {
    for (let done = 1; ; done++) {
      const step = steps.next();
      if (step.done) return step.value;
      progress.update(done, total, "oracle");
      if (done % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    progress.stop();
  }
}

function renderCalibration(rows: readonly CalibrationRow[]): string {
  const value = (id: string) => rows.find((row) => row.id === id) as CalibrationRow;
  const text = ({ estimate }: CalibrationRow, digits = 3) =>
    `${estimate.value.toFixed(digits)} [${estimate.low.toFixed(digits)}, ${estimate.high.toFixed(digits)}]`;
  const reported = ({ paper }: CalibrationRow, digits = 3) => (paper === undefined ? "" : paper.toFixed(digits));
  const servers = rows.filter((row) => /^oracle\/servers=.*latency$/.test(row.id)).map((row) => row.id.split("/")[1]);
  const sizes = rows.filter((row) => row.id.startsWith("oracle/size=")).map((row) => row.id.split("/")[1]);
  const right = (table: readonly (readonly string[])[]) => markdownTable(table, { align: table[0].map(() => "r") });
  return [
    "Closed-loop oracle, and the expected cost of one random action in the states it visits (slots):",
    right([
      [
        "servers",
        "oracle",
        "paper's oracle (reported PR × AL)",
        "ratio",
        "random, one step",
        "reported",
        "late (%)",
        "reported",
      ],
      ...servers.map((id) => [
        id.replace("servers=", ""),
        text(value(`oracle/${id}/latency`)),
        reported(value(`oracle/${id}/latency`)),
        text(value(`oracle/${id}/ratio`)),
        text(value(`random-one-step/${id}/latency`)),
        reported(value(`random-one-step/${id}/latency`)),
        text(value(`random-one-step/${id}/late`), 2),
        reported(value(`random-one-step/${id}/late`), 2),
      ]),
    ]),
    "The oracle on the same states at 6 servers, had the current task this size (slots):",
    right([
      ["size (Mbit)", "oracle", "paper (reported AL × PR)"],
      ...sizes.map((id) => [
        id.replace("size=", ""),
        text(value(`oracle/${id}/latency`)),
        reported(value(`oracle/${id}/latency`)),
      ]),
    ]),
    "",
  ].join("\n\n");
}
