/** `mecgym run`: plays a suite and writes its result file and table. */

import { join } from "node:path";
import { Argument, Command } from "commander";
import { findPolicy, policies } from "../../benchmarks/policies/index.js";
import { renderMarkdown, renderTable } from "../../benchmarks/report.js";
import { countsOf, resultFrame, runSuite } from "../../benchmarks/run-suite.js";
import { findSuite, suites } from "../../benchmarks/suites.js";
import { checkSeed, splits } from "../../env/index.js";
import type { Result } from "../../schemas/generated/types.js";
import { prepareFolder, SettingFiles, writeWhole } from "./output.js";
import { EXIT_INTERRUPTED, integer, list, packageVersion, printJson, withExample } from "./program.js";
import { startProgress } from "./progress.js";

export const policyNames = policies.map((policy) => policy.name);

const FILES = ["result.json", "table.md"] as const;

export function runCommand(): Command {
  const command = new Command("run")
    .description("Play a suite with native policies; writes a result file and a Markdown table.")
    .addArgument(new Argument("<suite>", suites.map((suite) => `${suite.id}: ${suite.description}`).join("\n")))
    .option("--policies <names>", `policies, separated by commas (default: ${policyNames.join(",")})`, list)
    .option("--episodes <n>", "episodes, or states of the static protocol (default: 200, or 1000)", integer(2, 65_535))
    .option("--seed <s>", "first episode seed; s … s+n−1 are played", integer(0), splits.test.start)
    .option("--out <folder>", "where to write (default: results/<suite>)")
    .option("--resume", "take over the settings that a run broken off has finished")
    .option("--json", "print the result file's JSON instead of the table")
    .action(async (suiteId: string, options: RunCommandOptions) => {
      const run = await playSuite(suiteId, options);
      if (options.json) printJson(run.result);
      else process.stdout.write(`${renderTable(findSuite(suiteId), run.result)}\n`);
      run.write();
      process.stderr.write(`wrote ${join(run.folder, FILES[0])} and ${FILES[1]}\n`);
    });
  return withExample(command, "run paper-table-2 --policies oracle,random --episodes 100");
}

export interface RunCommandOptions {
  readonly policies?: readonly string[];
  readonly episodes?: number;
  readonly seed: number;
  readonly out?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
}

/**
 * Plays a suite; `write` then writes `result.json` and `table.md`, both whole or not at all. Settings are kept as they are
 * finished: Ctrl-C loses the one that is being played, and `--resume` goes on after the others.
 */
export async function playSuite(
  suiteId: string,
  options: RunCommandOptions,
): Promise<{ result: Result; folder: string; write: () => void }> {
  const suite = findSuite(suiteId);
  const names = options.policies ?? policyNames;
  for (const name of names) findPolicy(name);
  checkSeed(options.seed + Math.max(...countsOf(suite, options.episodes)) - 1, "--seed");
  const folder = options.out ?? join("results", suite.id);
  prepareFolder(folder, FILES);
  const settings = {
    policies: names,
    firstSeed: options.seed,
    packageVersion,
    runtime: { node: process.version, platform: process.platform, arch: process.arch },
    ...(options.episodes === undefined ? {} : { episodes: options.episodes }),
  };
  const store = new SettingFiles(folder, resultFrame(suite, settings), options.resume ?? false);
  const progress = startProgress(suite.id);
  const interrupt = () => {
    progress.stop();
    process.stderr.write("mecgym: interrupted; the finished settings are kept, and --resume goes on after them\n");
    process.exit(EXIT_INTERRUPTED);
  };
  process.once("SIGINT", interrupt);
  try {
    const result = await runSuite(suite, { ...settings, store, onProgress: progress.update });
    const write = () => {
      writeWhole(join(folder, FILES[0]), `${JSON.stringify(result)}\n`);
      writeWhole(join(folder, FILES[1]), renderMarkdown(suite, result));
      store.remove();
    };
    return { result, folder, write };
  } finally {
    progress.stop();
    process.removeListener("SIGINT", interrupt);
  }
}
