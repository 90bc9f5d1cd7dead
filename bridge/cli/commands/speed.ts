/** `mecgym speed`: measures how fast things are, as ratios within one run. */

import { loadavg } from "node:os";
import { basename, dirname, extname } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Command, InvalidArgumentError } from "commander";
import { markdownTable } from "markdown-table";
import { WorkerPool } from "../../../benchmarks/jobs/worker-pool.js";
import { bridgeSection } from "../../../benchmarks/speed/bridge.js";
import { meetsGoal, valueText } from "../../../benchmarks/speed/figures.js";
import { kernelSections } from "../../../benchmarks/speed/index.js";
import { plotFigures } from "../../../benchmarks/speed/plots.js";
import { pythonSection } from "../../../benchmarks/speed/python.js";
import { measureSections, type Section, type SectionResult } from "../../../benchmarks/speed/section.js";
import { MecgymError } from "../../../env/errors.js";
import { machineConditions } from "../support/machine.js";
import { prepareFolder, writeWhole } from "../support/output.js";
import { integer, list, number, printJson, withExample } from "../support/program.js";
import { startProgress } from "../support/progress.js";
import { repositoryRoot } from "../support/repository.js";

/** All there is to measure. A section with an option of its own is measured where it is asked for, and then alone. */
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
    .description("Measure how fast it is: contenders take turns, ratios are taken turn by turn, figures are medians.")
    .option("--repetitions <n>", "turns of every contender", integer(1, 1000), 7)
    .option("--seconds <s>", "time of one turn of a contender", number(0.001, 60), 0.2)
    .option("--sections <names>", "measure these alone, separated by commas (below)", parseSections)
    .option("--plot <file>", "draw the figures into an SVG file, too")
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
    if (option !== undefined) command.option(`--${option}`, `measure this alone: ${description}`);
  }
  return withExample(command, "speed --sections grid,peers --plot speed.svg");
}

/** Minutes are not to be measured for a picture that then has no place. */
function preparePlot(file: string): void {
  if (extname(file) !== ".svg") {
    throw new MecgymError("invalidOption", { path: "--plot", got: file, expected: "a file that ends in .svg" });
  }
  prepareFolder(dirname(file), [basename(file)], "--plot");
}

async function run(chosen: readonly Section[], options: SpeedOptions): Promise<SectionResult> {
  const progress = startProgress("speed");
  const loadBefore = loadavg()[0];
  try {
    const {
      figures,
      notMeasured = [],
      conditions,
    } = await measureSections(chosen, {
      repetitions: options.repetitions,
      runSeconds: options.seconds,
      cpuSeconds,
      wallSeconds: () => performance.now() / 1000,
      heldBytes: makeHeldBytes(),
      startWorkers: (count) => new WorkerPool(count),
      root: repositoryRoot(),
      onProgress: (done, what) => progress.update(Math.round(1000 * done), 1000, what),
    });
    return {
      figures,
      notMeasured,
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
  } finally {
    progress.stop();
  }
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
    figure.goal === null ? "" : `${figure.better === "lower" ? "≤" : "≥"} ${figure.goal}`,
    meetsGoal(figure) === undefined ? "" : meetsGoal(figure) ? "met" : "missed",
  ]);
  const table = markdownTable([header, ...rows], { align: ["l", "r", "r", "l", "r", "l"] });
  const missing = (notMeasured ?? []).map(({ id, reason, command }) => {
    return `not measured: ${id} (${reason})${command === null ? "" : `; to measure it: ${command}`}`;
  });
  return `${[table, ...missing].join("\n")}\n`;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
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
