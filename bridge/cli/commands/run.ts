/** `mecgym run`: plays a suite and writes its result file and table. */

import { join } from "node:path";
import { Argument, Command } from "commander";
import { checkCanPlay, findPolicy, policies } from "../../../benchmarks/policies/index.js";
import { renderMarkdown, renderTable } from "../../../benchmarks/report/markdown.js";
import { LogRunner } from "../../../benchmarks/runs/joined-runs.js";
import { resultPieces } from "../../../benchmarks/runs/result-file.js";
import { countsOf, resultFrame, runSuite } from "../../../benchmarks/runs/run-suite.js";
import { findSuite, suites, withSettings } from "../../../benchmarks/suites/suites.js";
import { checkSeed, splits } from "../../../env/index.js";
import type { Result } from "../../../schemas/generated/types.js";
import { packageVersion } from "../../composition/package-version.js";
import { PartFiles, prepareFolder, writeWhole } from "../support/output.js";
import { integer, list, withExample } from "../support/program.js";
import { programId, withWorkers, workersOption } from "../support/workers.js";
import { readResult } from "./verify.js";

/** What is played unless policies are named: all but those with rollouts, which take a thousand times as long. */
export const policyNames = policies.filter((policy) => !policy.needsRollout).map((policy) => policy.name);

const FILES = ["result.json", "table.md"] as const;

export function runCommand(): Command {
  const command = new Command("run")
    .description("Play a suite with native policies; writes a result file and a Markdown table.")
    .addArgument(new Argument("<suite>", suites.map((suite) => `${suite.id}: ${suite.description}`).join("\n")))
    .option("--policies <names>", `policies, separated by commas (default: ${policyNames.join(",")})`, list)
    .option("--episodes <n>", "episodes, or states of the static protocol (default: 200, or 1000)", integer(2, 65_535))
    .option("--settings <ids>", "some settings of the suite, separated by commas (default: all of them)", list)
    .option("--seed <s>", "first episode seed; s … s+n−1 are played", integer(0), splits.test.start)
    .addOption(workersOption())
    .option("--out <folder>", "where to write (default: results/<suite>)")
    .option("--parts <files...>", "result files of some of the seeds, which are replayed instead of played again")
    .option("--resume", "take over what a run broken off has finished")
    .option("--json", "print the result file instead of the table")
    .action(async (suiteId: string, options: RunCommandOptions) => {
      const run = await playSuite(suiteId, options);
      if (options.json) for (const piece of resultPieces(run.result)) process.stdout.write(piece);
      else process.stdout.write(`${renderTable(findSuite(suiteId), run.result)}\n`);
      run.write();
      process.stderr.write(`wrote ${join(run.folder, FILES[0])} and ${FILES[1]}\n`);
    });
  return withExample(command, "run paper-table-2 --policies oracle,random --episodes 100");
}

export interface RunCommandOptions {
  readonly policies?: readonly string[];
  readonly episodes?: number;
  readonly settings?: readonly string[];
  readonly seed: number;
  readonly workers?: number;
  readonly out?: string;
  readonly parts?: readonly string[];
  readonly resume?: boolean;
  readonly json?: boolean;
}

/**
 * Plays a suite; `write` then writes `result.json` and `table.md`, both whole or not at all. A policy's part of a setting
 * is kept as it is finished: Ctrl-C loses those that are being played, and `--resume` goes on after the others.
 */
export async function playSuite(
  suiteId: string,
  options: RunCommandOptions,
): Promise<{ result: Result; folder: string; write: () => void }> {
  const suite = withSettings(findSuite(suiteId), options.settings, "--settings");
  const names = options.policies ?? policyNames;
  for (const name of names) {
    findPolicy(name);
    for (const { protocol } of suite.settings) checkCanPlay(name, protocol);
  }
  const counts = countsOf(suite, options.episodes);
  checkSeed(options.seed + Math.max(...counts) - 1, "--seed");
  const folder = options.out ?? join("results", suite.id);
  prepareFolder(folder, FILES);
  const settings = {
    policies: names,
    firstSeed: options.seed,
    packageVersion,
    runtime: { node: process.version, platform: process.platform, arch: process.arch },
    ...(options.episodes === undefined ? {} : { episodes: options.episodes }),
  };
  const program = { id: programId(), frame: resultFrame(suite, settings) };
  const parts = (options.parts ?? []).map((file): [string, Result] => [file, readResult(file)]);
  const store = new PartFiles(folder, program, options.resume ?? false);
  const result = await withWorkers(suite.id, options.workers, Math.max(...counts), (runner, onProgress) =>
    runSuite(suite, { ...settings, store, runner: new LogRunner(runner, program.frame, parts), onProgress }),
  );
  const write = () => {
    writeWhole(join(folder, FILES[0]), resultPieces(result));
    writeWhole(join(folder, FILES[1]), renderMarkdown(suite, result));
    store.remove();
  };
  return { result, folder, write };
}
