/** `mecgym dataset`: writes training and test data, and checks such files. */

import { createHash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { Command, Option } from "commander";
import { cardOf, type DatasetFile, fileNameOf, manifestOf, readManifest } from "../../../benchmarks/datasets/card.js";
import {
  type DatasetKind,
  type DatasetPlan,
  datasetForms,
  datasetKinds,
  defaultCounts,
  planDataset,
} from "../../../benchmarks/datasets/plan.js";
import { readRecords } from "../../../benchmarks/datasets/read-records.js";
import type { JobRunner, RecordLines } from "../../../benchmarks/jobs/jobs.js";
import { policies, whyNoLabels } from "../../../benchmarks/policies/index.js";
import { describeValue } from "../../../env/errors.js";
import { MecgymError, perturbationIds, templateIds } from "../../../env/index.js";
import { packageVersion } from "../../composition/package-version.js";
import { badPlace, prepareFolder, writeWhole } from "../support/output.js";
import { EXIT_CHECK_FAILED, integer, printJson, withExample } from "../support/program.js";
import { withWorkers, workersOption } from "../support/workers.js";

const MANIFEST = "manifest.json";
const CARD = "README.md";
/** Records a thread makes at a time. */
const RECORDS_PER_JOB = 100;
/** Damaged records that are shown; all are counted. */
const MAX_SHOWN = 20;

const labelPolicies = policies.filter((policy) => whyNoLabels(policy) === undefined).map(({ name }) => name);

interface DatasetOptions {
  readonly scenario: string;
  readonly count?: number;
  readonly seed?: number;
  readonly split: "train" | "validation";
  readonly labels: string;
  readonly template: DatasetPlan["template"];
  readonly perturbation: DatasetPlan["perturbation"];
  readonly reasoning?: boolean;
  readonly system?: boolean;
  readonly form?: DatasetPlan["form"];
  readonly workers?: number;
  readonly out: string;
}

export function datasetCommand(): Command {
  const command = new Command("dataset").description(
    "Write decisions in words as training or test data, or check such files.",
  );
  const texts = {
    sft: "Prompts with the decision to learn, for supervised fine-tuning.",
    grpo: "Prompts with their states, for group-relative policy optimisation.",
    test: "Prompts, decisions and states of test seeds.",
  };
  for (const kind of datasetKinds) {
    const one = withOptions(new Command(kind).description(texts[kind]))
      .option("--count <n>", "records", integer(1, 1_000_000), defaultCounts[kind])
      .option(
        "--seed <s>",
        "first episode seed; each record takes one (default: the first of kind and split)",
        integer(0),
      )
      .action((options: DatasetOptions) => write([planOf(kind, options)], options));
    if (kind !== "test") {
      one.addOption(new Option("--split <name>", "seeds to take").choices(["train", "validation"]).default("train"));
    }
    command.addCommand(withExample(one, `dataset ${kind} --scenario paper-v1 --count 1000 --out data`));
  }
  const all = withOptions(new Command("all").description("All three kinds with 1,000, 2,000 and 1,000 records."));
  all.action((options: DatasetOptions) =>
    write(
      datasetKinds.map((kind) => planOf(kind, options)),
      options,
    ),
  );
  command.addCommand(withExample(all, "dataset all --out data"));
  const check = new Command("check")
    .description("Check every record: schema, seeds, prompt, decision and figures; and files against their manifest.")
    .argument("<file...>", "files of JSON Lines")
    .option("--json", "print JSON")
    .action(checkFiles);
  command.addCommand(withExample(check, "dataset check data/sft.jsonl"));
  return withExample(command, "dataset all --out data");
}

function withOptions(command: Command): Command {
  return command
    .option("--scenario <id>", "scenario of the states; one with several numbers of servers mixes them", "paper-v1")
    .option("--labels <policy>", `policy whose decisions are the labels: ${labelPolicies.join(", ")}`, "oracle")
    .addOption(new Option("--template <id>", "wording").choices(templateIds).default("en-v1"))
    .addOption(new Option("--perturbation <id>", "disturbance").choices(perturbationIds).default("standard"))
    .option("--reasoning", "ask for reasoning before the decision")
    .option("--system", "with a system message")
    .addOption(
      new Option(
        "--form <form>",
        "columns of prompt and decision (default: release with template zh-release-v1, else plain)",
      ).choices(datasetForms),
    )
    .addOption(workersOption())
    .requiredOption("--out <folder>", "where to write");
}

function planOf(kind: DatasetKind, options: DatasetOptions): DatasetPlan {
  const { scenario, labels, template, perturbation, system = false } = options;
  return planDataset({
    ...{ kind, scenario, labels, template, perturbation, system },
    ...(options.form === undefined ? {} : { form: options.form }),
    outputInstruction: options.reasoning ? "reasoning" : "direct",
    ...(kind === "test" ? {} : { split: options.split ?? "train" }),
    ...(options.count === undefined ? {} : { count: options.count }),
    ...(options.seed === undefined ? {} : { firstSeed: options.seed }),
  });
}

/** Writes the files, the manifest and the card: all of them whole, or, where it comes to an early end, none. */
async function write(plans: readonly DatasetPlan[], options: DatasetOptions): Promise<void> {
  const folder = options.out;
  const names = plans.map(fileNameOf);
  prepareFolder(folder, [...names, MANIFEST, CARD]);
  const temporary = names.map((name) => join(folder, `.${name}.${process.pid}.tmp`));
  const tidy = () => {
    for (const path of temporary) rmSync(path, { force: true });
  };
  process.once("exit", tidy);
  try {
    const total = plans.reduce((sum, { count }) => sum + count, 0);
    const files = await withWorkers(
      "dataset",
      options.workers,
      Math.ceil(total / RECORDS_PER_JOB),
      async (runner, onProgress) => {
        const written: DatasetFile[] = [];
        for (const [i, plan] of plans.entries()) {
          const before = written.reduce((sum, { records }) => sum + records, 0);
          const file = await writeRecords(temporary[i], plan, runner, (done) =>
            onProgress(before + done, total, names[i]),
          );
          written.push({ name: names[i], ...file });
        }
        return written;
      },
      "nothing is written",
    );
    for (const [i, name] of names.entries()) renameSync(temporary[i], join(folder, name));
    const all = [...filesBeside(folder, names), ...files].sort((a, b) => placeOf(a) - placeOf(b));
    writeWhole(join(folder, CARD), cardOf(all, packageVersion));
    writeWhole(join(folder, MANIFEST), `${JSON.stringify(manifestOf(all, packageVersion), null, 2)}\n`);
    for (const { name, records, sha256 } of files)
      process.stdout.write(`${sha256}  ${join(folder, name)}  ${records} records\n`);
  } finally {
    tidy();
    process.removeListener("exit", tidy);
  }
}

/** What stands in a folder from earlier commands and is not written over. */
function filesBeside(folder: string, names: readonly string[]): DatasetFile[] {
  const path = join(folder, MANIFEST);
  const listed = existsSync(path) ? (readManifest(readFileSync(path, "utf8")) ?? []) : [];
  return listed.filter(({ name }) => !names.includes(name) && existsSync(join(folder, name)));
}

/** Files in an order of their own, whichever was written first: by kind, training before validation. */
function placeOf({ plan }: DatasetFile): number {
  return 2 * datasetKinds.indexOf(plan.kind) + (plan.split === "validation" ? 1 : 0);
}

/** Writes one file as its parts come, in order, with no more of them in memory than threads can be busy with. */
async function writeRecords(
  path: string,
  plan: DatasetPlan,
  runner: JobRunner,
  onProgress: (done: number) => void,
): Promise<Omit<DatasetFile, "name">> {
  const hash = createHash("sha256");
  const labelCounts: number[] = [];
  const ahead: Promise<RecordLines>[] = [];
  let [asked, done, bytes] = [0, 0, 0];
  const ask = () => {
    const count = Math.min(RECORDS_PER_JOB, plan.count - asked);
    if (count === 0) return;
    const part = runner.run({ kind: "records", plan, firstIndex: asked, count });
    part.catch(() => {}); // its turn to be reported comes below
    ahead.push(part);
    asked += count;
  };
  const file = openSync(path, "w");
  try {
    for (let i = 0; i < MAX_AHEAD; i++) ask();
    for (let part = ahead.shift(); part !== undefined; part = ahead.shift()) {
      const lines = await part;
      ask();
      try {
        for (let at = 0; at < lines.bytes.length; ) at += writeSync(file, lines.bytes, at);
      } catch (error) {
        throw badPlace(dirname(path), error);
      }
      hash.update(lines.bytes);
      bytes += lines.bytes.length;
      lines.labelCounts.forEach((count, action) => {
        labelCounts[action] = (labelCounts[action] ?? 0) + count;
      });
      done = Math.min(done + RECORDS_PER_JOB, plan.count);
      onProgress(done);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return { plan, records: done, bytes, sha256: hash.digest("hex"), labelCounts };
}

/** Parts that are asked for before the first of them is written. */
const MAX_AHEAD = 32;

interface CheckedFile {
  readonly file: string;
  readonly records: number;
  readonly damaged: number;
  /** Records of scenarios that this version does not know. */
  readonly foreign: number;
  readonly problems: readonly string[];
}

async function checkFiles(files: readonly string[], options: { json?: boolean }): Promise<void> {
  const checked: CheckedFile[] = [];
  for (const file of files) checked.push(await checkFile(file));
  if (options.json) printJson({ files: checked });
  for (const { file, records, damaged, foreign, problems } of checked) {
    if (options.json) break;
    for (const problem of problems) process.stdout.write(`${problem}\n`);
    const unknown = foreign === 0 ? "" : `, ${foreign} of unknown scenarios: their labels and figures are not checked`;
    process.stdout.write(`${file}: ${records} records, ${damaged} damaged${unknown}\n`);
  }
  if (checked.some(({ problems }) => problems.length > 0)) process.exitCode = EXIT_CHECK_FAILED;
}

async function checkFile(file: string): Promise<CheckedFile> {
  const input = createReadStream(file);
  const hash = createHash("sha256");
  input.on("data", (chunk) => hash.update(chunk));
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  const problems: string[] = [];
  let [records, damaged, foreign] = [0, 0, 0];
  try {
    for await (const read of readRecords(file, lines)) {
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
    const reason = error instanceof Error ? error.message : String(error);
    throw new MecgymError("invalidOption", { path: "file", got: file, expected: `a file to read (${reason})` });
  }
  if (records === 0) problems.push(`${file}: expected records, got an empty file`);
  const listed = manifestEntry(file);
  const sha256 = hash.digest("hex");
  if (listed !== undefined && listed !== sha256) {
    problems.push(`${file}: expected SHA-256 ${listed}, as ${MANIFEST} says, got ${sha256}`);
  }
  return { file, records, damaged, foreign, problems };
}

/** The hash that the manifest beside a file gives for it, where there is one. */
function manifestEntry(file: string): string | undefined {
  const path = join(dirname(file), MANIFEST);
  if (!existsSync(path)) return undefined;
  try {
    const { files } = JSON.parse(readFileSync(path, "utf8")) as { files: { name: string; sha256: string }[] };
    return files.find(({ name }) => name === basename(file))?.sha256;
  } catch (error) {
    const expected = `a manifest (${error instanceof Error ? error.message : error})`;
    throw new MecgymError("invalidOption", { path: "file", got: path, expected });
  }
}
