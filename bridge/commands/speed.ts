/** `mecgym speed`: measures the kernel, as steps per second and as ratios within one run. */

import { cpus } from "node:os";
import { Command } from "commander";
import { markdownTable } from "markdown-table";
import { measureSpeed } from "../../benchmarks/speed.js";
import { integer, packageVersion, printJson, withExample } from "./program.js";
import { startProgress } from "./progress.js";

export function speedCommand(): Command {
  const command = new Command("speed")
    .description("Measure the kernel; ratios are taken within each repetition, medians over all.")
    .option("--repetitions <n>", "repetitions", integer(1, 1000), 7)
    .option("--json", "print JSON")
    .action((options: { repetitions: number; json?: boolean }) => {
      const progress = startProgress("speed");
      const figures = measureSpeed(
        options.repetitions,
        () => performance.now(),
        (done, total) => progress.update(done, total, "kernel"),
      );
      progress.stop();
      if (options.json) {
        printJson({
          figures: figures.map((figure) => ({ ...figure, goal: null })),
          conditions: {
            repetitions: options.repetitions,
            packageVersion,
            node: process.version,
            cpu: cpus()[0]?.model ?? "unknown",
            numCpus: cpus().length,
          },
        });
        return;
      }
      const text = (value: number, unit: string) =>
        unit === "steps/s" ? Math.round(value).toLocaleString("en") : value.toFixed(2);
      const rows = figures.map(({ id, unit, value, low, high }) => [
        id,
        text(value, unit),
        `${text(low, unit)} to ${text(high, unit)}`,
        unit,
      ]);
      process.stdout.write(
        `${markdownTable([["figure", "median", "range", "unit"], ...rows], { align: ["l", "r", "r", "l"] })}\n`,
      );
    });
  return withExample(command, "speed --repetitions 7");
}
