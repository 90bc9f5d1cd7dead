/** `mecgym verify`: replays result files and says whether every figure in them is what the simulator gives. */

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { parseResult, type VerifyReport, verifyResult } from "../../../benchmarks/runs/verify.js";
import { describeValue, MecgymError } from "../../../env/errors.js";
import type { Result } from "../../../schemas/generated/types.js";
import { EXIT_CHECK_FAILED, printJson, withExample } from "../support/program.js";
import { withWorkers, workersOption } from "../support/workers.js";

interface VerifyOptions {
  readonly workers?: number;
  readonly json?: boolean;
}

export function verifyCommand(): Command {
  const command = new Command("verify")
    .description("Replay the action logs of result files, and compute every figure in them again.")
    .argument("<files...>", "result files, as `mecgym run` writes them")
    .addOption(workersOption())
    .option("--json", "print JSON: what was checked in each file, and every disagreement")
    .action(async (files: string[], options: VerifyOptions) => {
      // a file that cannot be read ends the command before hours of replays, not after them
      for (const file of files) readResult(file);
      const reports: (VerifyReport & { file: string })[] = [];
      for (const file of files) {
        const report = await verifyFile(file, options.workers);
        reports.push({ file, ...report });
        if (report.problems.length > 0) process.exitCode = EXIT_CHECK_FAILED;
        if (!options.json) process.stdout.write(`${file}: ${verdict(report)}\n`);
      }
      if (options.json) printJson({ files: reports });
    });
  return withExample(command, "verify results/paper-table-2/result.json");
}

/** Replays one file with a pool of threads and a progress bar. */
export function verifyFile(file: string, numWorkers: number | undefined): Promise<VerifyReport> {
  const result = readResult(file);
  const consequence = `${file} is neither verified nor refuted`;
  const most = Math.max(...result.settings.map(({ seeds, policies }) => seeds.count * (policies.length + 1)));
  return withWorkers(
    `verify ${result.suite}`,
    numWorkers,
    most,
    (runner, onProgress) => verifyResult(result, { runner, onProgress }),
    consequence,
  );
}

/** @throws MecgymError `invalidRecord` where the file cannot be read, or holds no result */
export function readResult(file: string): Result {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MecgymError("invalidRecord", { path: file, got: "no text", expected: `a file to read (${reason})` });
  }
  return parseResult(text, file);
}

function verdict({ suite, checked, problems }: VerifyReport): string {
  const [first, ...others] = problems;
  if (first === undefined) return `verified, ${suite}, ${checked.length} action logs replayed`;
  const more = others.length === 0 ? "" : `; ${others.length} more, shown by --json`;
  return `not verified: at ${first.path} stands ${describeValue(first.got)}, found ${first.expected}${more}`;
}
