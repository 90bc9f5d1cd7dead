/** `mecgym demo`: plays the main table, and compares episodes with the same ones played from Python. */

import { spawn, spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { Command } from "commander";
import { trajectoryDigest } from "../../../benchmarks/play/episode-player.js";
import { findPolicy } from "../../../benchmarks/policies/index.js";
import { renderTable } from "../../../benchmarks/report/markdown.js";
import { findSuite } from "../../../benchmarks/suites/suites.js";
import { MecgymError } from "../../../env/errors.js";
import { resolveScenario } from "../../../env/scenario/scenario.js";
import { splits } from "../../../env/scenario/seeds.js";
import { playSuite } from "../support/play-suite.js";
import { EXIT_CHECK_FAILED, EXIT_INTERRUPTED, integer, withExample } from "../support/program.js";
import { repositoryPython } from "../support/repository.js";

const SUITE = "paper-table-2";
const SCENARIO = "paper-v1";
/** Longest time the Python process may take, ms. */
const PYTHON_DEADLINE_MS = 300_000;

export function demoCommand(): Command {
  const command = new Command("demo")
    .description("Play the main table, then play episodes natively and from Python, and compare.")
    .option("--python-episodes <n>", "episodes that Python plays", integer(1, 1000), 20)
    .option("--episodes <n>", "episodes, or states of the static protocol, of the table", integer(2, 65_535))
    .option(
      "--python <path>",
      "Python with the package installed (default: the one that brought the command, or the clone's .venv)",
    )
    .action(demo);
  return withExample(command, "demo");
}

interface DemoOptions {
  readonly pythonEpisodes: number;
  readonly episodes?: number;
  readonly python?: string;
}

async function demo(options: DemoOptions): Promise<void> {
  const out = process.stdout;
  const python = options.python ?? findPython();
  checkPython(python);
  out.write(`1. Suite ${SUITE}: every native policy answers recorded states and plays episodes.\n\n`);
  const suite = findSuite(SUITE);
  const { result, folder, write } = await playSuite(suite, {
    seed: splits.test.start,
    ...(options.episodes === undefined ? {} : { episodes: options.episodes }),
  });
  out.write(`${renderTable(suite, result)}\n\n${suite.notes.map((note) => `- ${note}`).join("\n")}\n\n`);

  write();

  const count = options.pythonEpisodes;
  out.write(
    `2. Python, gymnasium.make("mecgym/Offloading-v0", scenario="${SCENARIO}"): ${count} test episodes in the\n`,
  );
  out.write("   Python process, always with the action that the look-ahead shows to be cheapest.\n\n");
  const played = await playFromPython(python, count);
  const native = trajectoryDigest(resolveScenario(SCENARIO), findPolicy("oracle"), splits.test.start, count);
  out.write(
    `   python  ${played.decisions} decisions, average latency ${played.averageLatencySlots.toFixed(4)} slots\n`,
  );
  out.write(`   python  trajectory digest ${played.digest}\n`);
  out.write(`   native  trajectory digest ${native}\n\n`);
  const isSame = native === played.digest;
  out.write(isSame ? "   The digests are equal: the same physics, bit for bit.\n\n" : "   THE DIGESTS DIFFER.\n\n");
  out.write(`3. Wrote ${resolve(folder, "result.json")} and table.md.\n`);
  if (!isSame) process.exitCode = EXIT_CHECK_FAILED;
}

/** @throws MecgymError `invalidOption` if this Python cannot import the package */
function checkPython(python: string): void {
  const { status, error, stdout, stderr } = spawnSync(python, ["-c", "import mecgym; print(mecgym.__name__)"], {
    encoding: "utf8",
  });
  if (status === 0 && stdout.trim() === "mecgym") return;
  const reason = error?.message ?? (stderr.trim().split("\n").pop() || "it prints something else");
  throw new MecgymError("invalidOption", {
    path: "--python",
    got: python,
    expected: `a Python with mecgym (${reason})`,
  });
}

function findPython(): string {
  // an installed Python package names its own Python
  const found = process.env.MECGYM_COMMAND_PYTHON || repositoryPython();
  if (found !== undefined) return found;
  throw new MecgymError("invalidOption", {
    path: "--python",
    got: undefined,
    expected: "a Python with mecgym installed; `npm run demo` makes one in .venv",
  });
}

interface PythonReport {
  readonly decisions: number;
  readonly averageLatencySlots: number;
  readonly digest: string;
}

/** Plays the episodes from Python. If Python needs a server, it starts this same command, and ends it. */
async function playFromPython(python: string, episodes: number): Promise<PythonReport> {
  const { MECGYM_ADDRESS: _other, ...env } = process.env;
  const command = [process.execPath, process.argv[1], "serve", "--until-stdin-closes"];
  const child = spawn(
    python,
    ["-m", "mecgym.demo", "--json", "--episodes", String(episodes), "--seed", String(splits.test.start)],
    { stdio: ["ignore", "pipe", "inherit"], env: { ...env, MECGYM_SERVER_COMMAND: JSON.stringify(command) } },
  );
  const timer = setTimeout(() => child.kill("SIGKILL"), PYTHON_DEADLINE_MS);
  const interrupt = () => {
    child.kill("SIGTERM");
    process.exit(EXIT_INTERRUPTED);
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const code = await new Promise<number | null>((settle, reject) => {
    child.once("error", reject);
    child.once("close", settle);
  });
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${python} -m mecgym.demo ended with ${code ?? "a signal"}`);
  return JSON.parse(text.trim().split("\n").pop() ?? "") as PythonReport;
}
