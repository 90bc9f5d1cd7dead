/** `mecgym submit`: checks an entry for the leaderboard before it is sent. */

import { dirname, join } from "node:path";
import { Command } from "commander";
import { checkSubmission } from "../../../benchmarks/runs/submissions.js";
import { describeValue } from "../../../env/errors.js";
import { readRegularFile } from "../../keys/regular-file.js";
import { readText } from "../support/input.js";
import { EXIT_CHECK_FAILED, printJson, withExample } from "../support/program.js";

export function submitCommand(): Command {
  const command = new Command("submit")
    .description("Check an entry for the leaderboard: its fields, and the result files that it names.")
    .requiredOption("--check <file>", "the submission, a JSON file")
    .option("--json", "print JSON")
    .action(({ check, json }: { check: string; json?: boolean }) => {
      const report = checkSubmission(check, readText(check, "--check"), (path) =>
        readRegularFile(join(dirname(check), path)),
      );
      const { problems, checked, notChecked } = report;
      if (json) printJson(report);
      else {
        for (const { file, path, expected, got } of problems) {
          process.stdout.write(
            `${file}${path === "" ? "" : ` at ${path}`}: expected ${expected}, got ${describeValue(got)}\n`,
          );
        }
        for (const line of checked) process.stdout.write(`checked: ${line}\n`);
        for (const line of notChecked) process.stdout.write(`not checked: ${line}\n`);
        process.stdout.write(`${check}: ${problems.length === 0 ? "no problems" : `${problems.length} problems`}\n`);
      }
      if (problems.length > 0) process.exitCode = EXIT_CHECK_FAILED;
    });
  return withExample(command, "submit --check submission.json");
}
