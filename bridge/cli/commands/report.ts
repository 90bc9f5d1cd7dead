/** `mecgym report`: puts result files on one HTML page, with the result of their replay. */

import { Command } from "commander";
import { type ReportedFile, renderPage } from "../../../benchmarks/report/page.js";
import { suiteOfResult } from "../../../benchmarks/suites/suites.js";
import { writeWhole } from "../support/output.js";
import { readPageAssets } from "../support/page-assets.js";
import { EXIT_CHECK_FAILED, withExample } from "../support/program.js";
import { readResult, verifyFile } from "../support/result-files.js";
import { workersOption } from "../support/workers.js";

interface ReportOptions {
  readonly out: string;
  readonly verify: boolean;
  readonly workers?: number;
}

export function reportCommand(): Command {
  const command = new Command("report")
    .description(
      "Put result files on one HTML page: tables, pictures, the paper's figures, and whether each is verified.",
    )
    .argument("<files...>", "result files, as `mecgym run` writes them")
    .requiredOption("--out <file>", "the page to write")
    .option("--no-verify", "do not replay the files; the page marks them unverified")
    .addOption(workersOption())
    .action(async (files: string[], { out, verify, workers }: ReportOptions) => {
      for (const file of files) suiteOfResult(readResult(file));
      const reported: ReportedFile[] = [];
      for (const file of files) {
        const verification = verify ? await verifyFile(file, workers) : undefined;
        if (verification !== undefined && verification.problems.length > 0) process.exitCode = EXIT_CHECK_FAILED;
        reported.push({ file, result: readResult(file), verification });
      }
      writeWhole(out, await renderPage(reported, readPageAssets()));
      process.stderr.write(`wrote ${out}\n`);
    });
  return withExample(command, "report results/paper-table-2/result.json --out report.html");
}
