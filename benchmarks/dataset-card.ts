/** What stands beside a data set: its manifest, and the card a reader sees first. */

import { markdownTable } from "markdown-table";
import { resolveScenario, scenarioHash } from "../env/index.js";
import type { DatasetPlan } from "./dataset-plan.js";

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

/** The manifest: what the files are, and what they were made from. */
export function manifestOf(files: readonly DatasetFile[], packageVersion: string): object {
  return {
    manifestVersion: "1.0",
    profile: "paper",
    packageVersion,
    files: files.map(({ name, plan, records, bytes, sha256, labelCounts }) => {
      const { scenario, firstSeed, count, ...rest } = plan;
      return {
        name,
        records,
        bytes,
        sha256,
        scenario: { id: scenario, hash: scenarioHash(resolveScenario(scenario)) },
        seeds: { first: firstSeed, count },
        ...rest,
        labelCounts,
      };
    }),
  };
}

/** The card, in the form that the Hugging Face hub reads. */
export function cardOf(files: readonly DatasetFile[], packageVersion: string): string {
  const configs = files.flatMap(({ name, plan }) => [
    `  - config_name: ${plan.kind}`,
    "    data_files:",
    `      - split: ${plan.split}`,
    `        path: ${name}`,
  ]);
  const rows = files.map(({ name, plan, records, bytes, sha256 }) => [
    name,
    String(records),
    `${plan.firstSeed} – ${plan.firstSeed + plan.count - 1}`,
    plan.scenario,
    plan.labels,
    `${(bytes / 1e6).toFixed(1)} MB`,
    sha256.slice(0, 16),
  ]);
  const header = ["file", "records", "episode seeds", "scenario", "labels", "size", "SHA-256 starts with"];
  const { plan } = files[0];
  const scenarios = [...new Set(files.map((file) => file.plan.scenario))].map((id) => resolveScenario(id));
  return [
    [
      "---",
      "license: mit",
      `language: ${plan.template.startsWith("zh") ? "zh" : "en"}`,
      "tags: [mobile-edge-computing, task-offloading, reinforcement-learning]",
      "configs:",
      ...configs,
      "---",
    ].join("\n"),
    "# Task offloading decisions",
    `Decisions of mobile edge computing in words: where to run one task, on the user's own device or on one of several edge servers. Made by mecgym ${packageVersion}, profile \`paper\`.`,
    markdownTable([header, ...rows], { align: ["l", "r", "l", "l", "l", "r", "l"] }),
    [
      "## Where the states come from",
      ...scenarios.map(({ id, description }) => `Scenario \`${id}\`: ${description}`),
    ].join("\n\n"),
    "Each record is one decision of an episode of its own, met while the one-step oracle plays, drawn uniformly from the episode's decisions; so records are independent. Kinds and splits share no episode. Costs are in time slots.",
    `Prompts: template \`${plan.template}\`, perturbation \`${plan.perturbation}\`, form \`${plan.form}\`, ${plan.outputInstruction === "direct" ? "asking for the decision alone" : "asking for reasoning that ends in the decision"}. Labels are what policy \`${plan.labels}\` decides.`,
    "## Columns",
    [
      "- `prompt`, `completion` (or `messages`, or `instruction`, `input`, `output`): what a trainer reads; kind grpo has no completion",
      "- `labelAction`, `cheapestAction`: 0 for the device, e for server e",
      "- `costSlots`, `regretSlots`, `meetsDeadline`, `impactSlots`, `lookAheadReward`: one entry for each action",
      "- `state`, `scenarioHash`, `episodeSeed`, `decisionIndex`: enough to score any answer later",
    ].join("\n"),
    "## Limits",
    "The states are simulated. Labels of the oracle are the cheapest for the task at hand and blind to later ones; imitating them is not the best play under high load.",
    "",
  ].join("\n\n");
}
