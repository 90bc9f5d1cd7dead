/** `mecgym run`: plays a suite and writes its result file and table. */

import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Argument, Command } from "commander";
import { policies } from "../../benchmarks/policies/index.js";
import { renderMarkdown, renderTable } from "../../benchmarks/report.js";
import { runSuite } from "../../benchmarks/run-suite.js";
import { findSuite, suites } from "../../benchmarks/suites.js";
import { MecgymError } from "../../env/errors.js";
import { checkSeed, splits } from "../../env/seeds.js";
import type { Result } from "../../schemas/generated/types.js";
import { integer, list, packageVersion, printJson, withExample } from "./program.js";
import { startProgress } from "./progress.js";

export const policyNames = policies.map((policy) => policy.name);

export function runCommand(): Command {
  const command = new Command("run")
    .description("Play a suite with native policies; writes a result file and a Markdown table.")
    .addArgument(new Argument("<suite>", suites.map((suite) => `${suite.id}: ${suite.description}`).join("\n")))
    .option("--policies <names>", "policies, separated by commas", list, policyNames)
    .option("--episodes <n>", "episodes, or states of the static protocol (default: 200, or 1000)", integer(2, 65_535))
    .option("--seed <s>", "first episode seed; s … s+n−1 are played", integer(0), splits.test.start)
    .option("--out <folder>", "where to write (default: results/<suite>)")
    .option("--json", "print the result file's JSON instead of the table")
    .action(async (suiteId: string, options: RunCommandOptions) => {
      const { result, folder } = await runAndWrite(suiteId, options);
      if (options.json) printJson(result);
      else process.stdout.write(`${renderTable(findSuite(suiteId), result)}\n`);
      process.stderr.write(`wrote ${join(folder, "result.json")} and table.md\n`);
    });
  return withExample(command, "run paper-table-2 --policies oracle,random --episodes 100");
}

export interface RunCommandOptions {
  readonly policies: readonly string[];
  readonly episodes?: number;
  readonly seed: number;
  readonly out?: string;
  readonly json?: boolean;
}

/** Plays a suite and writes `result.json` and `table.md`, both whole or not at all. */
export async function runAndWrite(
  suiteId: string,
  options: RunCommandOptions,
): Promise<{ result: Result; folder: string }> {
  const suite = findSuite(suiteId);
  checkSeed(options.seed + (options.episodes ?? 1000) - 1, "seed");
  const folder = options.out ?? join("results", suite.id);
  makeFolder(folder); // before the work, so that a bad place is known at once
  const progress = startProgress(suite.id);
  try {
    const result = await runSuite(suite, {
      policies: options.policies,
      firstSeed: options.seed,
      packageVersion,
      runtime: { node: process.version, platform: process.platform, arch: process.arch },
      onProgress: progress.update,
      ...(options.episodes === undefined ? {} : { episodes: options.episodes }),
    });
    progress.stop();
    writeWhole(join(folder, "result.json"), `${JSON.stringify(result)}\n`);
    writeWhole(join(folder, "table.md"), renderMarkdown(suite, result));
    return { result, folder };
  } finally {
    progress.stop();
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new MecgymError("invalidOption", {
      path: "--out",
      got: folder,
      expected: `a folder to write to (${String(error)})`,
    });
  }
}

/** Writes beside the target and renames: a reader never sees half a file, and a full disk leaves the old one. */
function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new MecgymError("invalidOption", {
      path: "--out",
      got: path,
      expected: `a place that can be written (${String(error)})`,
    });
  }
}
