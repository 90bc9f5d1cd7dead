/** `mecgym verify`: replays result files and says whether the simulator gives every figure in them. */

import { Command } from "commander";
import type { VerifyReport } from "../../../benchmarks/runs/verify.js";
import { describeValue } from "../../../env/errors.js";
import { EXIT_CHECK_FAILED, printJson, withExample } from "../support/program.js";
import { readResult, verifyFile } from "../support/result-files.js";
import { workersOption } from "../support/workers.js";

interface VerifyOptions {
  readonly workers?: number;
  readonly json?: boolean;
}

export function verifyCommand(): Command {
  const command = new Command("verify")
    .description("Replay the action logs of result files, and recompute every figure in them.")
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

function verdict({ suite, checked, problems, note }: VerifyReport): string {
  const [first, ...others] = problems;
  const known = note === undefined ? "" : ` (${note})`;
  if (first === undefined) return `verified, ${suite}, ${checked.length} action logs replayed${known}`;
  const more = `${others.length === 0 ? "" : `; ${others.length} more, shown by --json`}${known}`;
  return `not verified: at ${first.path} the file has ${describeValue(first.got)}, the replay ${first.expected}${more}`;
}
