/** Prompts: an observation in words, the same bytes everywhere. */

import type { Message, Prompt } from "../../schemas/generated/types.js";
import type { Observation } from "../batch/observation.js";
import { checkNames, MecgymError } from "../errors.js";
import { createStream, streamName } from "../random.js";
import { checkSeed } from "../scenario/seeds.js";
import { addNoise, chooseUnits, type PerturbationId, perturbationIds, shuffle } from "./perturbation.js";
import { type TemplateId, templateIds, templates } from "./templates/index.js";
import { listedServers, type OutputInstruction } from "./templates/template.js";

export type { Message, OutputInstruction, PerturbationId, Prompt, TemplateId };
export { perturbationIds, templateIds };

export interface PromptOptions {
  /** Which wording; en-v1 where left out. */
  readonly template?: TemplateId;
  /** How it is disturbed; standard where left out. */
  readonly perturbation?: PerturbationId;
  /** Seed of the perturbation, 0 where left out; the episode's seed by convention. */
  readonly seed?: number;
  /** Whether a system message tells the role. */
  readonly system?: boolean;
  /** What is asked for: the decision alone (where left out), or reasoning that ends in the decision. */
  readonly instruction?: OutputInstruction;
  /** Wait before the upload in slots, 0 where left out; only zh-release-v1 has words for it. */
  readonly networkWaitSlots?: number;
}

const optionNames = ["template", "perturbation", "seed", "system", "instruction", "networkWaitSlots"] as const;
const instructions: readonly OutputInstruction[] = ["direct", "reasoning"];

/**
 * Puts a decision into words. A pure function: draws come from the stream
 * `mecgym/v1/prompt/{perturbation}/{seed}/{decisionIndex}`.
 *
 * @throws MecgymError `invalidOption`, `invalidSeed`; `unsupportedState` where the template has no words for the state
 */
export function renderPrompt(observation: Observation, options: PromptOptions = {}): Prompt {
  const settings = checkOptions(options);
  const { perturbation, seed } = settings;
  const template = templates[settings.template];
  const context = { networkWaitSlots: settings.networkWaitSlots };
  template.check?.(observation, context);
  const uniform = createStream(streamName("prompt", perturbation, seed, observation.decisionIndex));
  const units = chooseUnits(template, perturbation === "units", observation.slotSeconds, uniform);
  let sections = template.describe(observation, units, context);
  if (perturbation === "shuffled") sections = shuffle(sections, uniform);
  if (perturbation === "noisy") sections = addNoise(sections, template.noise, uniform);
  const user = template.assemble(sections, template.request[settings.instruction]);
  const system = settings.system ? template.system : null;
  return {
    template: settings.template,
    perturbation,
    seed,
    instruction: settings.instruction,
    system,
    user,
    text: system === null ? user : `${system}\n\n${user}`,
    messages: [
      ...(system === null ? [] : [{ role: "system" as const, content: system }]),
      { role: "user" as const, content: user },
    ],
    answers: [0, ...listedServers(observation).map((e) => e + 1)].map(template.answer),
  };
}

/**
 * The decision string of an action: what a model should answer.
 *
 * @throws MecgymError `invalidOption`, or `invalidAction` unless it is an integer of 0 or more
 */
export function renderAction(action: number, template: TemplateId = "en-v1"): string {
  checkChoice(template, "template", templateIds);
  if (!Number.isSafeInteger(action) || action < 0) {
    throw new MecgymError("invalidAction", { path: "action", got: action, expected: "an integer of 0 or more" });
  }
  return templates[template].answer(action);
}

function checkOptions(options: PromptOptions): Required<PromptOptions> {
  checkNames(options, optionNames, "prompt");
  const {
    template = "en-v1",
    perturbation = "standard",
    seed = 0,
    system = false,
    instruction = "direct",
    networkWaitSlots = 0,
  } = options;
  checkChoice(template, "template", templateIds);
  checkChoice(perturbation, "perturbation", perturbationIds);
  checkChoice(instruction, "instruction", instructions);
  checkSeed(seed, "seed");
  if (typeof system !== "boolean") fail("system", system, "true or false");
  const isWait = typeof networkWaitSlots === "number" && networkWaitSlots >= 0 && networkWaitSlots < 1e9;
  if (!isWait) fail("networkWaitSlots", networkWaitSlots, "a number of slots from 0 to 10^9");
  if (networkWaitSlots > 0 && template !== "zh-release-v1") {
    fail("networkWaitSlots", networkWaitSlots, `0 with template ${template}, which has no words for it`);
  }
  return { template, perturbation, seed, system, instruction, networkWaitSlots };
}

function checkChoice(value: unknown, path: string, choices: readonly string[]): void {
  if (!choices.includes(value as string)) fail(path, value, `one of ${choices.join(", ")}`);
}

function fail(path: string, got: unknown, expected: string): never {
  throw new MecgymError("invalidOption", { path: `prompt/${path}`, got, expected });
}
