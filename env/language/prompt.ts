/** Prompts: an observation in words, with the same bytes everywhere. */

import type { Message, Prompt } from "../../schemas/generated/types.js";
import { copyObservation, LaneView, type Observation } from "../batch/observation.js";
import { checkActionNumber, checkChoice, checkFlag, checkNames, checkOption } from "../checks.js";
import { createStream, streamName } from "../random.js";
import { checkSeed } from "../scenario/seeds.js";
import { addNoise, chooseUnits, type PerturbationId, perturbationIds, shuffle } from "./perturbation.js";
import { type TemplateId, templateIds, templates } from "./templates/index.js";
import { listedServers, type OutputInstruction } from "./templates/template.js";

export type { Message, OutputInstruction, PerturbationId, Prompt, TemplateId };
export { perturbationIds, templateIds };

export interface PromptOptions {
  /** Which wording; en-v1 by default. */
  readonly template?: TemplateId;
  /** Which perturbation; standard by default. */
  readonly perturbation?: PerturbationId;
  /** Seed of the perturbation, by convention the episode's seed; 0 by default. */
  readonly seed?: number;
  /** Whether a system message states the role; false by default. */
  readonly system?: boolean;
  /** What to ask for: only the decision (default), or reasoning that ends in the decision. */
  readonly instruction?: OutputInstruction;
  /** Wait before the upload, slots; 0 by default. Only zh-release-v1 has words for it. */
  readonly networkWaitSlots?: number;
}

const optionNames = ["template", "perturbation", "seed", "system", "instruction", "networkWaitSlots"] as const;
const instructions: readonly OutputInstruction[] = ["direct", "reasoning"];

/**
 * Puts a decision into words. A pure function: draws come from the stream
 * `mecgym/v1/prompt/{perturbation}/{seed}/{decisionIndex}`.
 *
 * @throws MecgymError `invalidOption`, `invalidSeed`; `unsupportedState` if the template has no words for the state
 */
export function renderPrompt(state: Observation, options: PromptOptions = {}): Prompt {
  // a view builds the whole history each time a server's is read
  const observation: Observation = state instanceof LaneView ? copyObservation(state) : state;
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
 * The decision string of an action: the answer that a model should give.
 *
 * @throws MecgymError `invalidOption`, or `invalidAction` unless it is an integer of 0 or more
 */
export function renderAction(action: number, template: TemplateId = "en-v1"): string {
  checkChoice(template, "prompt/template", templateIds);
  checkActionNumber(action);
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
  checkChoice(template, "prompt/template", templateIds);
  checkChoice(perturbation, "prompt/perturbation", perturbationIds);
  checkChoice(instruction, "prompt/instruction", instructions);
  checkSeed(seed, "seed");
  checkFlag(system, "prompt/system");
  const waitPath = "prompt/networkWaitSlots";
  const isWait = typeof networkWaitSlots === "number" && networkWaitSlots >= 0 && networkWaitSlots < 1e9;
  checkOption(isWait, waitPath, networkWaitSlots, "a number of slots from 0 to 10^9");
  const hasWords = networkWaitSlots === 0 || template === "zh-release-v1";
  checkOption(hasWords, waitPath, networkWaitSlots, `0 with template ${template}, which has no words for it`);
  return { template, perturbation, seed, system, instruction, networkWaitSlots };
}
