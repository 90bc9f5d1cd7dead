/** `mecgym chaos`: runs faults with real processes, in numbers that a test has no time for. */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Command, InvalidArgumentError, Option } from "commander";
import { markdownTable } from "markdown-table";
import { type Figure, meetsGoal } from "../../../benchmarks/figures.js";
import type { NotMeasured } from "../../../benchmarks/speed/section.js";
import { goalCells, notMeasuredLine } from "../support/figure-cells.js";
import { machineConditions } from "../support/machine.js";
import { EXIT_CHECK_FAILED, integer, list, printJson, withExample } from "../support/program.js";
import { withProgress } from "../support/progress.js";
import { repositoryPython, repositoryRoot } from "../support/repository.js";

/** A fault run: a program of its own that prints JSON lines. */
interface Part {
  readonly name: string;
  readonly description: string;
  readonly language: "python" | "typescript";
  /** Its sizes: in full, and as a test has time for. */
  readonly full: Sizes;
  readonly quick: Sizes;
  /** Roughly how long it takes compared to the others, full and quick. */
  readonly weight: readonly [number, number];
}

type Sizes = Readonly<Record<string, number>>;

const parts: readonly Part[] = [
  {
    name: "kills",
    description: "the server is killed at random instants while its owner steps",
    language: "python",
    full: { kills: 100, lanes: 256, groups: 4 },
    quick: { kills: 10, lanes: 32, groups: 4 },
    weight: [100, 20],
  },
  {
    name: "lossy",
    description: "a proxy loses, doubles, delays and reorders 1 % of the messages each",
    language: "python",
    full: { pairs: 9, seconds: 3, lanes: 1024, groups: 4 },
    quick: { pairs: 1, seconds: 1, lanes: 256, groups: 4 },
    weight: [60, 8],
  },
  {
    name: "stopped",
    description: "a client is stopped with requests in flight while another one plays",
    language: "python",
    full: { seconds: 60, windows: 5, lanes: 512 },
    quick: { seconds: 5, windows: 1, lanes: 64 },
    weight: [130, 14],
  },
  {
    name: "vanished",
    description: "a client with many sessions is killed; their lease runs out",
    language: "python",
    full: { sessions: 40, lanes: 2048 },
    quick: { sessions: 5, lanes: 256 },
    weight: [25, 14],
  },
  {
    name: "malformed",
    description: "messages mutated from real ones, with well-formed ones in between",
    language: "typescript",
    full: { messages: 1_000_000 },
    quick: { messages: 10_000 },
    weight: [200, 8],
  },
  {
    name: "sessions",
    description: "sessions are opened and closed, many are open at once, and steps are played",
    language: "typescript",
    full: { warmUp: 1100, opened: 1000, open: 200, steps: 1_000_000 },
    quick: { warmUp: 20, opened: 60, open: 30, steps: 20_000 },
    weight: [60, 6],
  },
];

interface ChaosOptions {
  readonly parts: readonly Part[];
  readonly quick?: boolean;
  readonly seed: number;
  readonly json?: boolean;
}

export function chaosCommand(): Command {
  const names = parts.map(({ name, description }) => `  ${name.padEnd(12)} ${description}`).join("\n");
  const command = new Command("chaos")
    .description("Break servers, clients and messages on purpose, and count the consequences. Needs a clone.")
    .addOption(
      new Option("--parts <names>", "run only these, separated by commas (below)")
        .argParser(parseParts)
        .default(parts, "all"),
    )
    .option("--quick", "small numbers, as in the tests")
    .option("--seed <n>", "seed of the faults", integer(0), 1)
    .option("--json", "print JSON")
    .addHelpText("after", `\nParts:\n${names}`)
    .action(chaos);
  return withExample(command, "chaos --parts kills,lossy");
}

function parseParts(text: string): Part[] {
  return list(text).map((name) => {
    const part = parts.find((one) => one.name === name);
    if (part !== undefined) return part;
    throw new InvalidArgumentError(`expected names from ${parts.map((one) => one.name).join(", ")}.`);
  });
}

async function chaos({ parts: chosen, quick = false, seed, json }: ChaosOptions): Promise<void> {
  const figures: Figure[] = [];
  const notMeasured: NotMeasured[] = [];
  const weightOf = ({ weight }: Part) => weight[quick ? 1 : 0];
  const total = chosen.reduce((sum, part) => sum + weightOf(part), 0);
  const loadBefore = loadavg()[0];
  let before = 0;
  await withProgress("chaos", async (update) => {
    for (const part of chosen) {
      const onProgress = (done: number, what: string) =>
        update(Math.round((1000 * (before + weightOf(part) * done)) / total), 1000, `${part.name}: ${what}`);
      onProgress(0, "starting");
      const program = programOf(part, { ...(quick ? part.quick : part.full), seed });
      if (typeof program === "string") {
        notMeasured.push({ id: part.name, reason: program, command: "node scripts/setup.mjs" });
      } else {
        const found = await runPart(program, onProgress);
        if (typeof found === "string") notMeasured.push({ id: part.name, reason: found, command: null });
        else figures.push(...found);
      }
      before += weightOf(part);
    }
  });
  const conditions = {
    parts: Object.fromEntries(chosen.map((part) => [part.name, quick ? part.quick : part.full])),
    seed,
    ...machineConditions(),
    loadBefore,
  };
  if (json) printJson({ figures, notMeasured, conditions });
  else process.stdout.write(render(figures, notMeasured));
  if (notMeasured.length > 0 || figures.some((figure) => meetsGoal(figure) === false)) {
    process.exitCode = EXIT_CHECK_FAILED;
  }
}

/** Command and arguments of a part's program, or why it cannot run. */
function programOf({ name, language }: Part, sizes: Sizes): [string, ...string[]] | string {
  const root = repositoryRoot();
  const places = { python: join("benchmarks", "chaos", "parts.py"), typescript: join("test", "chaos", `${name}.ts`) };
  const script = join(root, places[language]);
  if (!existsSync(script)) return "the fault runs are only in a clone of the repository";
  const argument = JSON.stringify(sizes);
  if (language === "typescript") return [process.execPath, "--import", "tsx", script, argument];
  const python = repositoryPython();
  return python === undefined ? "Python is not set up in .venv" : [python, script, name, argument];
}

/** Runs a part. Returns its figures, or how it ended if it failed. */
async function runPart(
  [command, ...args]: [string, ...string[]],
  onProgress: (done: number, what: string) => void,
): Promise<readonly Figure[] | string> {
  const child = spawn(command, args, { cwd: repositoryRoot(), stdio: ["ignore", "pipe", "pipe"] });
  const errors: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    errors.push(line);
    if (errors.length > 20) errors.shift();
  });
  const stop = () => child.kill("SIGINT");
  process.once("SIGINT", stop);
  const ended = new Promise<number | null>((resolve) => {
    child.once("error", (error) => {
      errors.push(error.message);
      resolve(null);
    });
    child.once("close", resolve);
  });
  let figures: readonly Figure[] | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const message = JSON.parse(line) as { figures?: Figure[]; done: number; what: string };
    if (message.figures !== undefined) figures = message.figures;
    else onProgress(message.done, message.what);
  }
  const code = await ended;
  process.removeListener("SIGINT", stop);
  if (code === 0 && figures !== undefined) return figures;
  return `it ended with ${code === null ? "a signal" : `exit code ${code}`}: ${errors.slice(-8).join("\n")}`;
}

function render(figures: readonly Figure[], notMeasured: readonly NotMeasured[]): string {
  const rows = figures.map((figure) => [
    figure.id,
    valueText(figure.value),
    figure.low === figure.high ? "" : `${valueText(figure.low)} to ${valueText(figure.high)}`,
    figure.unit,
    ...goalCells(figure),
  ]);
  const header = ["figure", "value", "from, to", "unit", "goal", ""];
  const table = markdownTable([header, ...rows], { align: ["l", "r", "r", "l", "r", "l"] });
  return `${[table, ...notMeasured.map(({ id, reason }) => notMeasuredLine(id, reason))].join("\n")}\n`;
}

function valueText(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString("en") : value.toPrecision(3);
}
