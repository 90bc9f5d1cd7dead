/** `mecgym run`: plays a suite and writes its result file and table. */

import { join } from "node:path";
import { Argument, Command } from "commander";
import { renderTable } from "../../../benchmarks/report/markdown.js";
import { resultPieces } from "../../../benchmarks/result-file.js";
import { suites } from "../../../benchmarks/suites/suites.js";
import { splits } from "../../../env/index.js";
import { addModelOptions, type ModelOptions, modelOf } from "../support/model-options.js";
import { defaultPolicies, type PlayOptions, playSuite, RUN_FILES } from "../support/play-suite.js";
import { integer, list, withExample } from "../support/program.js";
import { SCENARIO_HELP, suiteOrScenarios } from "../support/scenarios.js";
import { workersOption } from "../support/workers.js";

interface RunCommandOptions extends PlayOptions, ModelOptions {
  /** Ids or files of scenarios to play instead of a suite. */
  readonly scenario?: readonly string[];
  readonly json?: boolean;
}

export function runCommand(): Command {
  const command = new Command("run")
    .description(
      "Play a suite, or your own scenarios, with native policies, and with a model over HTTP if you name one; writes " +
        "a result file and a Markdown table.",
    )
    .addArgument(new Argument("[suite]", suites.map((suite) => `${suite.id}: ${suite.description}`).join("\n")))
    .option("--scenario <list>", `instead of a suite: ${SCENARIO_HELP}; several with commas`, list)
    .option("--policies <names>", `policies, separated by commas (default: ${defaultPolicies.join(",")})`, list)
    .option("--episodes <n>", "episodes, or states of the static protocol (default: 200, or 1000)", integer(2, 65_535))
    .option("--settings <ids>", "some settings of the suite, separated by commas (default: all of them)", list)
    .option("--seed <s>", "first episode seed; s … s+n−1 are played", integer(0), splits.test.start)
    .addOption(workersOption())
    .option("--out <folder>", "where to write (default: results/<suite>)")
    .option("--parts <files...>", "result files of some of the seeds; they are replayed, not played again")
    .option("--resume", "continue after what an interrupted run has finished")
    .option("--json", "print the result file instead of the table")
    .action(async (suiteId: string | undefined, options: RunCommandOptions) => {
      const suite = suiteOrScenarios(suiteId, options.scenario);
      const run = await playSuite(suite, options, modelOf(options));
      if (options.json) for (const piece of resultPieces(run.result)) process.stdout.write(piece);
      else process.stdout.write(`${renderTable(suite, run.result)}\n`);
      run.write();
      process.stderr.write(`wrote ${join(run.folder, RUN_FILES[0])} and ${RUN_FILES[1]}\n`);
    });
  addModelOptions(command);
  return withExample(
    command,
    "run paper-table-2 --policies oracle,random --episodes 100\n" +
      "  $ mecgym run paper-table-2 --model my-model --base-url http://127.0.0.1:8000/v1 --concurrency 16",
  );
}
