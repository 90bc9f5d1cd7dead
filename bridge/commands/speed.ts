/** `mecgym speed`: measures the kernel, as steps per second and as ratios within one run. */

import { cpus } from "node:os";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Command } from "commander";
import { markdownTable } from "markdown-table";
import { measureSpeed } from "../../benchmarks/speed.js";
import { integer, packageVersion, printJson, withExample } from "./program.js";
import { startProgress } from "./progress.js";

export function speedCommand(): Command {
  const command = new Command("speed")
    .description("Measure the kernel; ratios are taken within each repetition, medians over all.")
    .option("--repetitions <n>", "repetitions", integer(1, 1000), 7)
    .option("--grid", "measure 3 to 512 servers at 1 to 65,536 lanes, too (minutes, and some GB of memory)")
    .option("--json", "print JSON")
    .action((options: { repetitions: number; grid?: boolean; json?: boolean }) => {
      const progress = startProgress("speed");
      const figures = measureSpeed({
        repetitions: options.repetitions,
        hasGrid: options.grid ?? false,
        now: () => performance.now(),
        heldBytes: makeHeldBytes(),
        onProgress: progress.update,
      });
      progress.stop();
      if (options.json) {
        printJson({
          figures,
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
        unit === "steps/s" ? Math.round(value).toLocaleString("en") : value.toFixed(unit === "bytes/step" ? 4 : 2);
      const rows = figures.map(({ id, unit, value, low, high, goal, better }) => [
        id,
        text(value, unit),
        `${text(low, unit)} to ${text(high, unit)}`,
        unit,
        goal === null ? "" : `${better === "lower" ? "≤" : "≥"} ${goal}`,
      ]);
      process.stdout.write(
        `${markdownTable([["figure", "median", "range", "unit", "goal"], ...rows], { align: ["l", "r", "r", "l", "r"] })}\n`,
      );
    });
  return withExample(command, "speed --repetitions 7");
}

/** A function that collects garbage, and says what is still held: objects, and the typed arrays beside them. */
function makeHeldBytes(): () => number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  return () => {
    collect();
    collect(); // the first finds what the second frees
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
}
