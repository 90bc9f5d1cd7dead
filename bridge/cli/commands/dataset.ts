/** `mecgym dataset`: writes training and test data. */

import { join } from "node:path";
import { Command, Option } from "commander";
import {
  type DatasetKind,
  type DatasetPlan,
  datasetForms,
  datasetKinds,
  defaultCounts,
  planDataset,
} from "../../../benchmarks/datasets/plan.js";
import { policies, whyNoLabels } from "../../../benchmarks/policies/index.js";
import { perturbationIds, templateIds } from "../../../env/index.js";
import { writeDatasets } from "../support/dataset-files.js";
import { integer, list, withExample } from "../support/program.js";
import { isFile, readScenario, SCENARIO_HELP } from "../support/scenarios.js";
import { workersOption } from "../support/workers.js";
import { datasetCheckCommand } from "./dataset-check.js";

const labelPolicies = policies.filter((policy) => whyNoLabels(policy) === undefined).map(({ name }) => name);

const descriptions: Readonly<Record<DatasetKind, string>> = {
  sft: "Prompts with the decision to learn, for supervised fine-tuning.",
  grpo: "Prompts with their states, for group-relative policy optimisation.",
  test: "Prompts, decisions and states of test seeds.",
};

interface DatasetOptions {
  readonly scenario: readonly string[];
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
  for (const kind of datasetKinds) command.addCommand(kindCommand(kind));
  command.addCommand(allCommand()).addCommand(datasetCheckCommand());
  return withExample(command, "dataset all --out data");
}

function kindCommand(kind: DatasetKind): Command {
  const command = withOptions(new Command(kind).description(descriptions[kind]))
    .option("--count <n>", "number of records", integer(1, 1_000_000), defaultCounts[kind])
    .option("--seed <s>", "first episode seed, one for each record (default: the first of kind and split)", integer(0))
    .action((options: DatasetOptions) => write([planOf(kind, options)], options));
  if (kind !== "test") {
    command.addOption(new Option("--split <name>", "seeds to take").choices(["train", "validation"]).default("train"));
  }
  return withExample(command, `dataset ${kind} --scenario paper-v1 --count 1000 --out data`);
}

function allCommand(): Command {
  const command = withOptions(
    new Command("all").description("All three kinds, with 1,000, 2,000 and 1,000 records."),
  ).action((options: DatasetOptions) => {
    const plans = datasetKinds.map((kind) => planOf(kind, options));
    return write(plans, options);
  });
  return withExample(command, "dataset all --out data");
}

function withOptions(command: Command): Command {
  return command
    .option("--scenario <list>", `${SCENARIO_HELP}; several with commas take turns, record by record`, list, [
      "paper-v1",
    ])
    .option("--labels <policy>", `policy whose decisions are the labels: ${labelPolicies.join(", ")}`, "oracle")
    .addOption(new Option("--template <id>", "wording").choices(templateIds).default("en-v1"))
    .addOption(new Option("--perturbation <id>", "disturbance").choices(perturbationIds).default("standard"))
    .option("--reasoning", "ask for reasoning before the decision")
    .option("--system", "add a system message")
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
  const scenarios = options.scenario.map((one) => (isFile(one) ? readScenario(one) : one));
  const scenario = scenarios.length === 1 ? scenarios[0] : scenarios;
  const { labels, template, perturbation, system = false } = options;
  return planDataset({
    ...{ kind, scenario, labels, template, perturbation, system },
    ...(options.form === undefined ? {} : { form: options.form }),
    outputInstruction: options.reasoning ? "reasoning" : "direct",
    ...(kind === "test" ? {} : { split: options.split ?? "train" }),
    ...(options.count === undefined ? {} : { count: options.count }),
    ...(options.seed === undefined ? {} : { firstSeed: options.seed }),
  });
}

async function write(plans: readonly DatasetPlan[], { out, workers }: DatasetOptions): Promise<void> {
  for (const { name, records, sha256 } of await writeDatasets(out, plans, workers)) {
    process.stdout.write(`${sha256}  ${join(out, name)}  ${records} records\n`);
  }
}
