/** The plan of a data set: kinds, defaults, and the episode seeds that each kind and split may use. */

import { checkChoice, checkNames, checkOption } from "../../env/checks.js";
import {
  checkSeed,
  MecgymError,
  type OutputInstruction,
  type PerturbationId,
  perturbationIds,
  resolveScenario,
  type Scenario,
  type ScenarioInput,
  type Split,
  splits,
  type TemplateId,
  templateIds,
} from "../../env/index.js";
import type { DatasetRecord } from "../../schemas/generated/types.js";
import { checkCanLabel } from "../policies/index.js";

export type DatasetKind = DatasetRecord["kind"];

/** The columns of prompt and answer in a record; see docs/datasets.md. */
export type DatasetForm = "plain" | "chat" | "messages" | "release";

/** The id of a frozen scenario, or the fields of one's own. */
export type PlannedScenario = string | ScenarioInput;

/** One data set: everything that its bytes depend on, except the program's version. */
export interface DatasetPlan {
  readonly kind: DatasetKind;
  readonly split: Split;
  /** A scenario by its id or its fields, or several, which take turns record by record. */
  readonly scenario: PlannedScenario | readonly PlannedScenario[];
  /** Seed of the first record's episode; each further record takes the next seed. */
  readonly firstSeed: number;
  readonly count: number;
  /** Native policy whose decisions are the labels. */
  readonly labels: string;
  readonly template: TemplateId;
  readonly perturbation: PerturbationId;
  readonly outputInstruction: OutputInstruction;
  /** Whether prompts have a system message. */
  readonly system: boolean;
  readonly form: DatasetForm;
}

export const datasetKinds: readonly DatasetKind[] = ["sft", "grpo", "test"];
export const datasetForms: readonly DatasetForm[] = ["plain", "chat", "messages", "release"];

/** Numbers of records in the paper's data sets (section V-A). */
export const defaultCounts: Readonly<Record<DatasetKind, number>> = { sft: 1000, grpo: 2000, test: 1000 };

interface SeedRange {
  readonly start: number;
  readonly size: number;
}

/** The seeds of a kind in a split: sft takes the first half of training and validation seeds, grpo the second. */
export function seedRange(kind: DatasetKind, split: Split): SeedRange | undefined {
  const { start, size } = splits[split];
  if ((split === "test") !== (kind === "test")) return undefined;
  if (kind === "test") return { start, size };
  return kind === "sft" ? { start, size: size / 2 } : { start: start + size / 2, size: size / 2 };
}

/** The scenarios of a plan, complete. */
export function scenariosOf({ scenario }: Pick<DatasetPlan, "scenario">): Scenario[] {
  return listOf(scenario).map((one) => resolveScenario(one));
}

function listOf(scenario: DatasetPlan["scenario"]): readonly PlannedScenario[] {
  return Array.isArray(scenario) ? scenario : [scenario as PlannedScenario];
}

/** Scenarios as a plan keeps them: own ones whole, so that a later change of what was given changes nothing. */
function plannedScenario(scenario: DatasetPlan["scenario"]): DatasetPlan["scenario"] {
  const given = listOf(scenario);
  checkOption(given.length >= 1, "dataset/scenario", scenario, "at least one scenario");
  const kept = given.map((one) => {
    const resolved = resolveScenario(one);
    return typeof one === "string" ? one : resolved;
  });
  return Array.isArray(scenario) ? kept : kept[0];
}

const names = [
  ...["kind", "split", "scenario", "firstSeed", "count", "labels"],
  ...["template", "perturbation", "outputInstruction", "system", "form"],
] as const;

/**
 * A complete, checked plan. Fields that are left out take their defaults.
 *
 * @throws MecgymError `invalidOption`, also for a label policy that draws at random or sees the future;
 *   `unknownScenario`, `unknownPolicy`; `invalidSeed` unless all seeds belong to the kind and split
 */
export function planDataset(input: Partial<DatasetPlan> & Pick<DatasetPlan, "kind">): DatasetPlan {
  checkNames(input, names, "dataset");
  const { kind, scenario = "paper-v1", labels = "oracle", template = "en-v1", perturbation = "standard" } = input;
  checkChoice(kind, "dataset/kind", datasetKinds);
  const { split = kind === "test" ? "test" : "train", count = defaultCounts[kind], system = false } = input;
  const { outputInstruction = "direct" } = input;
  const isRelease =
    template === "zh-release-v1" && perturbation === "standard" && outputInstruction === "direct" && !system;
  // another form is a choice: the published scripts read nothing else
  const { form = template === "zh-release-v1" ? "release" : "plain" } = input;
  checkChoice(split, "dataset/split", Object.keys(splits));
  checkChoice(template, "dataset/template", templateIds);
  checkChoice(perturbation, "dataset/perturbation", perturbationIds);
  checkChoice(outputInstruction, "dataset/outputInstruction", ["direct", "reasoning"]);
  checkChoice(form, "dataset/form", datasetForms);
  checkCanLabel(labels);
  const planned = plannedScenario(scenario);
  const range = seedRange(kind, split);
  const expectedSplit = kind === "test" ? "test for kind test" : "train or validation: test seeds train nothing";
  checkOption(range !== undefined, "dataset/split", split, expectedSplit);
  const { firstSeed = range.start } = input;
  checkSeed(firstSeed, "dataset/firstSeed");
  checkOption(Number.isSafeInteger(count) && count >= 1, "dataset/count", count, "an integer of 1 or more");
  const last = range.start + range.size - 1;
  if (firstSeed < range.start || firstSeed + count - 1 > last) {
    throw new MecgymError("invalidSeed", {
      path: "dataset",
      got: `seeds ${firstSeed} to ${firstSeed + count - 1}`,
      expected: `seeds of ${kind} in split ${split}, ${range.start} to ${last}; every record takes one`,
    });
  }
  const hasPrompt = form !== "messages" || kind !== "grpo";
  checkOption(hasPrompt, "dataset/form", form, "a form with a prompt of its own for kind grpo");
  const releaseSettings =
    "form plain, chat or messages, or else template zh-release-v1, perturbation standard, direct, without a system " +
    "message: the published loader has one order of fields and one wording";
  checkOption(form !== "release" || isRelease, "dataset/form", form, releaseSettings);
  return {
    kind,
    split,
    scenario: planned,
    firstSeed,
    count,
    labels,
    template,
    perturbation,
    outputInstruction,
    system,
    form,
  };
}
