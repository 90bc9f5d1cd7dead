/** `mecgym dataset check`: checks files of records, line by line. */

import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { Command } from "commander";
import { readRecords } from "../../../benchmarks/datasets/read-records.js";
import { describeValue, MecgymError } from "../../../env/errors.js";
import type { Scenario } from "../../../env/index.js";
import { parseJson } from "../../../env/json.js";
import { openRegularFile, readRegularFile } from "../../keys/regular-file.js";
import { DATASET_MANIFEST, scenariosBeside } from "../support/dataset-files.js";
import { reasonOf, unreadable } from "../support/input.js";
import { EXIT_CHECK_FAILED, list, printJson, withExample } from "../support/program.js";
import { readScenarios, SCENARIO_HELP } from "../support/scenarios.js";

/** Damaged records that are shown; all are counted. */
const MAX_SHOWN = 20;

interface CheckedFile {
  readonly file: string;
  readonly records: number;
  readonly damaged: number;
  /** Records of scenarios that this version does not know. */
  readonly foreign: number;
  readonly problems: readonly string[];
}

export function datasetCheckCommand(): Command {
  const command = new Command("check")
    .description("Check every record: schema, seeds, prompt, decision and figures; and files against their manifest.")
    .argument("<file...>", "files of JSON Lines")
    .option(
      "--scenario <list>",
      `scenarios that the manifest does not have: ${SCENARIO_HELP}; several with commas`,
      list,
    )
    .option("--json", "print JSON")
    .action(checkFiles);
  return withExample(command, "dataset check data/sft.jsonl");
}

async function checkFiles(
  files: readonly string[],
  options: { json?: boolean; scenario?: readonly string[] },
): Promise<void> {
  const own = readScenarios(options.scenario ?? []);
  const checked: CheckedFile[] = [];
  for (const file of files) checked.push(await checkFile(file, own));
  if (options.json) printJson({ files: checked });
  else for (const one of checked) process.stdout.write(report(one));
  if (checked.some(({ problems }) => problems.length > 0)) process.exitCode = EXIT_CHECK_FAILED;
}

function report({ file, records, damaged, foreign, problems }: CheckedFile): string {
  const unknown = foreign === 0 ? "" : `, ${foreign} of unknown scenarios: their labels and figures are not checked`;
  return [...problems, `${file}: ${records} records, ${damaged} damaged${unknown}`].map((line) => `${line}\n`).join("");
}

async function checkFile(file: string, own: readonly Scenario[]): Promise<CheckedFile> {
  const input = createReadStream(file, { fd: openToCheck(file) });
  const hash = createHash("sha256");
  input.on("data", (chunk) => hash.update(chunk));
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  const problems: string[] = [];
  let [records, damaged, foreign] = [0, 0, 0];
  try {
    for await (const read of readRecords(file, lines, [...own, ...scenariosBeside(file)])) {
      records++;
      if (!("problem" in read)) {
        if (read.isForeign) foreign++;
        continue;
      }
      damaged++;
      const { line, path, expected, got } = read.problem;
      const place = `${file}:${line}${path === "" ? "" : ` at ${path}`}`;
      if (damaged <= MAX_SHOWN) problems.push(`${place}: expected ${expected}, got ${describeValue(got)}`);
    }
  } catch (error) {
    throw unreadable(file, "file", error);
  }
  if (records === 0) problems.push(`${file}: expected records, got an empty file`);
  const listed = listedHash(file);
  const sha256 = hash.digest("hex");
  if (listed !== undefined && listed !== sha256) {
    problems.push(`${file}: expected SHA-256 ${listed}, as ${DATASET_MANIFEST} says, got ${sha256}`);
  }
  return { file, records, damaged, foreign, problems };
}

function openToCheck(file: string): number {
  try {
    return openRegularFile(file);
  } catch (error) {
    throw unreadable(file, "file", error);
  }
}

/** The hash that the manifest in the file's folder lists for it; undefined if there is none. */
function listedHash(file: string): string | undefined {
  const path = join(dirname(file), DATASET_MANIFEST);
  if (!existsSync(path)) return undefined;
  try {
    const { files } = parseJson(readRegularFile(path).toString("utf8")) as {
      files: { name: string; sha256: string }[];
    };
    return files.find(({ name }) => name === basename(file))?.sha256;
  } catch (error) {
    throw new MecgymError("invalidOption", { path: "file", got: path, expected: `a manifest (${reasonOf(error)})` });
  }
}
