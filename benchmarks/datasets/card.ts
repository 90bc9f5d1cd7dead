/** The manifest of a data set, and its card, which a reader sees first. */

import { markdownTable } from "markdown-table";
import { type Scenario, scenarioHash } from "../../env/index.js";
import { parseJson } from "../../env/json.js";
import { type DatasetPlan, type PlannedScenario, planDataset, scenariosOf } from "./plan.js";

/** One file of a data set. */
export interface DatasetFile {
  readonly name: string;
  readonly plan: DatasetPlan;
  readonly records: number;
  readonly bytes: number;
  /** SHA-256 of the file. */
  readonly sha256: string;
  /** How often each action is the label. */
  readonly labelCounts: readonly number[];
}

/** Name of a plan's file. */
export function fileNameOf({ kind, split }: DatasetPlan): string {
  return split === "validation" ? `${kind}-validation.jsonl` : `${kind}.jsonl`;
}

/**
 * The files that a manifest lists.
 *
 * @returns undefined for a text that is not a manifest of this version's scenarios
 */
export function readManifest(text: string): DatasetFile[] | undefined {
  try {
    const { files } = parseJson(text) as ReturnType<typeof manifestOf>;
    return files.map(({ name, records, bytes, sha256, scenario, seeds, labelCounts, ...rest }) => {
      const read = Array.isArray(scenario) ? scenario.map(readScenario) : readScenario(scenario);
      const plan = { ...rest, scenario: read, firstSeed: seeds.first, count: seeds.count };
      return { name, plan: planDataset(plan), records, bytes, sha256, labelCounts };
    });
  } catch {
    return undefined;
  }
}

/** A scenario in a manifest. */
interface ListedScenario {
  readonly id: string;
  readonly hash: string;
  /** Every field of one's own scenario; absent if it is a frozen one. */
  readonly fields?: Scenario;
}

function readScenario({ id, hash, fields }: ListedScenario): PlannedScenario {
  const scenario = fields ?? id;
  if (scenarioHash(scenario) !== hash) throw new TypeError("another scenario");
  return scenario;
}

/** A plan's scenarios as a manifest lists them: one, or a list of them. */
function listedScenarios(plan: DatasetPlan): ListedScenario | ListedScenario[] {
  const given = Array.isArray(plan.scenario) ? plan.scenario : [plan.scenario];
  const listed = scenariosOf(plan).map((scenario, i) => ({
    id: scenario.id,
    hash: scenarioHash(scenario),
    ...(typeof given[i] === "string" ? {} : { fields: scenario }),
  }));
  return Array.isArray(plan.scenario) ? listed : listed[0];
}

/** The manifest: the files, and what they were made from. */
export function manifestOf(files: readonly DatasetFile[], packageVersion: string) {
  return {
    manifestVersion: "1.0",
    profile: "paper",
    packageVersion,
    files: files.map(({ name, plan, records, bytes, sha256, labelCounts }) => {
      const { scenario: _scenario, firstSeed, count, ...rest } = plan;
      return {
        name,
        records,
        bytes,
        sha256,
        scenario: listedScenarios(plan),
        seeds: { first: firstSeed, count },
        ...rest,
        labelCounts,
      };
    }),
  };
}

/** The card, in the format of the Hugging Face hub. */
export function cardOf(files: readonly DatasetFile[], packageVersion: string): string {
  const kinds = [...new Set(files.map(({ plan }) => plan.kind))];
  const configs = kinds.flatMap((kind) => [
    `  - config_name: ${kind}`,
    "    data_files:",
    ...files
      .filter(({ plan }) => plan.kind === kind)
      .flatMap(({ name, plan }) => [`      - split: ${plan.split}`, `        path: ${name}`]),
  ]);
  const rows = files.map(({ name, plan, records, bytes, sha256 }) => [
    name,
    String(records),
    `${plan.firstSeed} – ${plan.firstSeed + plan.count - 1}`,
    scenariosOf(plan)
      .map(({ id }) => id)
      .join(", "),
    plan.labels,
    `${(bytes / 1e6).toFixed(1)} MB`,
    sha256.slice(0, 16),
  ]);
  const header = ["file", "records", "episode seeds", "scenario", "labels", "size", "SHA-256 starts with"];
  const languages = [...new Set(files.map(({ plan }) => (plan.template.startsWith("zh") ? "zh" : "en")))];
  const wordings = new Map<string, string[]>();
  for (const { name, plan } of files) wordings.set(wordingOf(plan), [...(wordings.get(wordingOf(plan)) ?? []), name]);
  const byHash = new Map(files.flatMap(({ plan }) => scenariosOf(plan)).map((one) => [scenarioHash(one), one]));
  const scenarios = [...byHash.values()];
  return [
    [
      "---",
      "license: mit",
      `language: ${languages.length === 1 ? languages[0] : `[${languages.join(", ")}]`}`,
      "tags: [mobile-edge-computing, task-offloading, reinforcement-learning]",
      "configs:",
      ...configs,
      "---",
    ].join("\n"),
    "# Task offloading decisions",
    "Decisions of mobile edge computing in words: where to run one task, on the user's own device or on one of " +
      `several edge servers. Made by mecgym ${packageVersion}, profile \`paper\`.`,
    markdownTable([header, ...rows], { align: ["l", "r", "l", "l", "l", "r", "l"] }),
    [
      "## Where the states come from",
      ...scenarios.map(({ id, description }) => `Scenario \`${id}\`: ${description}`),
    ].join("\n\n"),
    "Each record is one decision of an episode of its own, met while the one-step oracle plays, drawn uniformly " +
      "from the episode's decisions; so records are independent. Kinds and splits share no episode. Costs are in " +
      "time slots.",
    ...[...wordings].map(([wording, names]) => (wordings.size === 1 ? "" : `\`${names.join("`, `")}\`: `) + wording),
    "## Columns",
    [
      "- `prompt`, `completion` (or `messages`, or `instruction`, `input`, `output`): what a trainer reads; kind " +
        "grpo has no completion",
      "- `labelAction`, `cheapestAction`: 0 for the device, e for server e",
      "- `costSlots`, `regretSlots`, `meetsDeadline`, `impactSlots`, `lookAheadReward`: one entry for each action",
      "- `state`, `scenarioHash`, `episodeSeed`, `decisionIndex`: enough to score any answer later",
    ].join("\n"),
    "## Limits",
    "The states are simulated. Labels of the oracle are the cheapest for the task at hand and blind to later ones; " +
      "imitating them is not the best play under high load.",
    "",
  ].join("\n\n");
}

function wordingOf({ template, perturbation, form, outputInstruction, labels }: DatasetPlan): string {
  const asked =
    outputInstruction === "direct" ? "asking only for the decision" : "asking for reasoning that ends in the decision";
  const prompts = `template \`${template}\`, perturbation \`${perturbation}\`, form \`${form}\``;
  return `Prompts: ${prompts}, ${asked}. Labels are what policy \`${labels}\` decides.`;
}
