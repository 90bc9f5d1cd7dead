/** `mecgym speed`: measures how fast mecgym is, as ratios within one run. */

import { loadavg } from "node:os";
import { basename, dirname, extname } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Command, InvalidArgumentError } from "commander";
import { markdownTable } from "markdown-table";
import { WorkerPool } from "../../../benchmarks/jobs/worker-pool.js";
import { bridgeSection } from "../../../benchmarks/speed/bridge.js";
import { valueText } from "../../../benchmarks/speed/figures.js";
import { kernelSections } from "../../../benchmarks/speed/index.js";
import { plotFigures } from "../../../benchmarks/speed/plots.js";
import { pythonSection } from "../../../benchmarks/speed/python.js";
import { measureSections, type Section, type SectionResult } from "../../../benchmarks/speed/section.js";
import { checkOption } from "../../../env/checks.js";
import { goalCells, notMeasuredLine } from "../support/figure-cells.js";
import { machineConditions } from "../support/machine.js";
import { prepareFolder, writeWhole } from "../support/output.js";
import { integer, list, number, printJson, withExample } from "../support/program.js";
import { withProgress } from "../support/progress.js";
import { repositoryRoot } from "../support/repository.js";

/** All sections. One with an option of its own is measured only if it is asked for, and then nothing else is. */
const sections: readonly Section[] = [...kernelSections, bridgeSection, pythonSection];

interface SpeedOptions {
  readonly repetitions: number;
  readonly seconds: number;
  readonly sections?: readonly Section[];
  readonly plot?: string;
  readonly json?: boolean;
  readonly [option: string]: unknown;
}

export function speedCommand(): Command {
  const names = sections.map(({ name, description }) => `  ${name.padEnd(12)} ${description}`).join("\n");
  const command = new Command("speed")
    .description("Measure speed: contenders take turns, ratios are taken turn by turn, figures are medians.")
    .option("--repetitions <n>", "turns of every contender", integer(1, 1000), 7)
    .option("--seconds <s>", "time of one turn of a contender", number(0.001, 60), 0.2)
    .option("--sections <names>", "measure only these, separated by commas (below)", parseSections)
    .option("--plot <file>", "also draw the figures into this SVG file")
    .option("--json", "print JSON")
    .addHelpText("after", `\nSections:\n${names}`)
    .action(async (options: SpeedOptions) => {
      if (options.plot !== undefined) preparePlot(options.plot);
      const asked = sections.filter(({ option }) => option !== undefined && options[option] === true);
      const chosen = [...(options.sections ?? []), ...asked];
      const byDefault = sections.filter(({ option }) => option === undefined);
      const result = await run(chosen.length > 0 ? chosen : byDefault, options);
      if (options.plot !== undefined) writeWhole(options.plot, await plotFigures(result.figures));
      if (options.json) printJson(result);
      else process.stdout.write(render(result));
    });
  for (const { option, description } of sections) {
    if (option !== undefined) command.option(`--${option}`, `measure only this: ${description}`);
  }
  return withExample(command, "speed --sections grid,peers --plot speed.svg");
}

/** Checks the place of the picture before minutes are spent on measuring. */
function preparePlot(file: string): void {
  checkOption(extname(file) === ".svg", "--plot", file, "a file that ends in .svg");
  prepareFolder(dirname(file), [basename(file)], "--plot");
}

async function run(chosen: readonly Section[], options: SpeedOptions): Promise<SectionResult> {
  const loadBefore = loadavg()[0];
  const { figures, notMeasured, conditions } = await withProgress("speed", (update) =>
    measureSections(chosen, {
      repetitions: options.repetitions,
      runSeconds: options.seconds,
      cpuSeconds,
      wallSeconds: () => performance.now() / 1000,
      heldBytes: makeHeldBytes(),
      startWorkers: (count) => new WorkerPool(count),
      root: repositoryRoot(),
      onProgress: (done, what) => update(Math.round(1000 * done), 1000, what),
    }),
  );
  return {
    figures,
    notMeasured: notMeasured ?? [],
    conditions: {
      sections: chosen.map(({ name }) => name),
      repetitions: options.repetitions,
      secondsPerTurn: options.seconds,
      ...machineConditions(),
      loadBefore,
      clock: "processor time; wall time for workers, the bridge and Python",
      ...conditions,
    },
  };
}

function parseSections(text: string): Section[] {
  return list(text).map((name) => {
    const section = sections.find((one) => one.name === name);
    if (section !== undefined) return section;
    throw new InvalidArgumentError(`expected names from ${sections.map((one) => one.name).join(", ")}.`);
  });
}

function render({ figures, notMeasured }: SectionResult): string {
  const header = ["figure", "median", "interval", "unit", "goal", ""];
  const rows = figures.map((figure) => [
    figure.id,
    valueText(figure.unit, figure.value),
    `${valueText(figure.unit, figure.low)} to ${valueText(figure.unit, figure.high)}`,
    figure.unit,
    ...goalCells(figure),
  ]);
  const table = markdownTable([header, ...rows], { align: ["l", "r", "r", "l", "r", "l"] });
  const missing = (notMeasured ?? []).map(({ id, reason, command }) => notMeasuredLine(id, reason, command));
  return `${[table, ...missing].join("\n")}\n`;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Makes a function that collects garbage and returns the bytes still held, by objects and by typed arrays. */
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
