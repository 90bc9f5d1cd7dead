/** `mecgym score`: scores answers of language models to recorded states, in the profile that is named. */

import { basename, dirname, extname } from "node:path";
import { Command, Option } from "commander";
import { type PlacedRecord, parseRecords } from "../../../benchmarks/answers/answer-files.js";
import {
  type AnswerFile,
  type AnswerScores,
  renderScores,
  scoreFigures,
  scoreLines,
  scorePaperFiles,
  scoreReleaseFiles,
} from "../../../benchmarks/answers/score-answers.js";
import { readRecords } from "../../../benchmarks/datasets/read-records.js";
import { type Profile, profiles } from "../../../benchmarks/metrics/profiles.js";
import { NUM_RESAMPLES } from "../../../benchmarks/metrics/statistics.js";
import { checkOption } from "../../../env/checks.js";
import { MecgymError, type Scenario } from "../../../env/index.js";
import type { DatasetRecord } from "../../../schemas/generated/types.js";
import { packageVersion } from "../../composition/package-version.js";
import { scenariosBeside } from "../support/dataset-files.js";
import { readText } from "../support/input.js";
import { prepareFolder, writeWhole } from "../support/output.js";
import { integer, list, number, printJson, withExample } from "../support/program.js";
import { readScenarios, SCENARIO_HELP } from "../support/scenarios.js";

interface ScoreOptions {
  readonly profile: Profile;
  readonly states?: string;
  readonly scenario?: readonly string[];
  readonly column?: string;
  readonly weight?: number;
  readonly seed?: number;
  readonly out?: string;
  readonly json?: boolean;
}

export function scoreCommand(): Command {
  const command = new Command("score")
    .description(
      "Score files of answers to recorded states: costs, rewards and metrics, a row for each file. " +
        "A file is JSON Lines or a JSON array with a field for the answer.",
    )
    .argument("<file...>", "files of answers; all answer the same states, in the same order")
    .addOption(
      new Option(
        "--profile <name>",
        "how to compute the figures: paper, for data sets of `mecgym dataset`; " +
          "comllm-release, for the form of the paper's authors",
      )
        .choices(profiles)
        .makeOptionMandatory(),
    )
    .option("--states <file>", "records that were answered (default: those in the files; required for paper)")
    .option(
      "--scenario <list>",
      `paper: your own scenarios of the states, unless the manifest beside them has them: ${SCENARIO_HELP}`,
      list,
    )
    .option("--column <name>", "field that holds the answer (default: completion, or model_output)")
    .option("--weight <lambda>", "comllm-release: weight of the future in the reward (default: 0.3)", number(0, 1000))
    .option("--seed <s>", "comllm-release: seed of the future tasks (default: 0)", integer(0))
    .option("--out <file>", "write the figures of every answer to this file, as JSON Lines")
    .option("--json", "print JSON")
    .action(score);
  return withExample(command, "score sft.jsonl grpo.jsonl --states test.json --profile comllm-release");
}

async function score(paths: readonly string[], options: ScoreOptions): Promise<void> {
  const { profile, out } = options;
  if (out !== undefined) prepareFolder(dirname(out), [basename(out)]);
  const files = paths.map(
    (path): AnswerFile => ({ name: basename(path, extname(path)), path, records: readRecordsOf(path) }),
  );
  const repeated = files.find(({ name }, i) => files.findIndex((one) => one.name === name) < i);
  checkOption(repeated === undefined, "file", repeated?.name, "files of different names: the names become the rows");
  const scores = profile === "paper" ? await scorePaper(files, options) : scoreRelease(files, options);
  if (out !== undefined) writeWhole(out, scoreLines(scores));
  const conditions = {
    profile,
    states: options.states ?? null,
    answers: files[0].records.length,
    resamples: NUM_RESAMPLES,
    ...(profile === "comllm-release" ? { weight: options.weight ?? 0.3, numSamples: 3, seed: options.seed ?? 0 } : {}),
    packageVersion,
  };
  if (options.json) printJson({ figures: scoreFigures(scores), conditions });
  else {
    const count = `${conditions.answers} answer${conditions.answers === 1 ? "" : "s"} in each file`;
    process.stdout.write(`Profile ${profile}, ${count}, 95 % intervals.\n\n${renderScores(scores)}\n`);
  }
}

function scoreRelease(files: readonly AnswerFile[], { states, column, weight, seed }: ScoreOptions): AnswerScores[] {
  const asked = states === undefined ? undefined : readRecordsOf(states);
  return scoreReleaseFiles(files, asked, column, {
    ...(weight === undefined ? {} : { weight }),
    ...(seed === undefined ? {} : { seed }),
  });
}

async function scorePaper(files: readonly AnswerFile[], options: ScoreOptions): Promise<AnswerScores[]> {
  const { states, column } = options;
  for (const name of ["weight", "seed"] as const) {
    const expected = "no such option with profile paper: the data set's scenario and seeds decide";
    checkOption(options[name] === undefined, `--${name}`, options[name], expected);
  }
  checkOption(states !== undefined, "--states", states, "the data set that was answered, with profile paper");
  const own = [...readScenarios(options.scenario ?? []), ...scenariosBeside(states)];
  return scorePaperFiles(files, await readDataset(states, own), column, own);
}

/** Reads the records of a data set of `mecgym dataset`, and checks each one completely. */
async function readDataset(
  path: string,
  own: readonly Scenario[],
): Promise<{ place: string; record: DatasetRecord }[]> {
  const records: { place: string; record: DatasetRecord }[] = [];
  const lines = readText(path, "file").split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  for await (const read of readRecords(path, toAsync(lines), own)) {
    if ("problem" in read) {
      const { file, line, path: within, expected, got } = read.problem;
      throw new MecgymError("invalidRecord", { path: `${file}:${line}${within}`, got, expected });
    }
    records.push({ place: `${path}:${records.length + 1}`, record: read.record });
  }
  checkOption(records.length > 0, "--states", path, "a data set with at least one record");
  return records;
}

async function* toAsync(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

function readRecordsOf(path: string): PlacedRecord[] {
  return parseRecords(path, readText(path, "file"));
}
