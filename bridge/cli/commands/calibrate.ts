/** `mecgym calibrate`: checks the physics against what the paper's tables imply. */

import { Command } from "commander";
import { markdownTable } from "markdown-table";
import { figureOf, intervalText } from "../../../benchmarks/figures.js";
import { type CalibrationRow, calibrate, numCalibrationEpisodes } from "../../../benchmarks/studies/calibrate.js";
import { splits } from "../../../env/scenario/seeds.js";
import { packageVersion } from "../../composition/package-version.js";
import { integer, printJson, withExample } from "../support/program.js";
import { runSteps } from "../support/progress.js";

interface CalibrateOptions {
  readonly episodes: number;
  readonly seed: number;
  readonly json?: boolean;
}

export function calibrateCommand(): Command {
  const command = new Command("calibrate")
    .description("Play the oracle at 3 to 11 servers and 2 to 10 Mbit, and compare with what the paper's tables imply.")
    .option("--episodes <n>", "episodes of 100 slots for each number of servers", integer(2, 65_535), 40)
    .option("--seed <s>", "first episode seed", integer(0), splits.validation.start)
    .option("--json", "print JSON")
    .action(async (options: CalibrateOptions) => {
      const { episodes, seed } = options;
      const rows = await runSteps("calibrate", calibrate(episodes, seed), numCalibrationEpisodes(episodes));
      if (options.json) {
        printJson({
          figures: rows.map(({ id, unit, estimate, paper }) => {
            const better = id.startsWith("oracle") && id.endsWith("ratio") ? "higher" : "lower";
            return { ...figureOf(id, unit, estimate, better), paper: paper ?? null };
          }),
          conditions: { episodes, firstSeed: seed, episodeSlots: 100, packageVersion },
        });
      } else process.stdout.write(renderCalibration(rows));
    });
  return withExample(command, "calibrate --episodes 400");
}

function renderCalibration(rows: readonly CalibrationRow[]): string {
  const value = (id: string) => rows.find((row) => row.id === id) as CalibrationRow;
  const text = ({ estimate }: CalibrationRow, digits = 3) => intervalText(estimate, digits);
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
    "The oracle on the same states at 6 servers, if the current task had this size (slots):",
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
