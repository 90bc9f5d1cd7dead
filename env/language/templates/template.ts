/** What a prompt template is: how one observation becomes a list of labelled fields, and how that list becomes text. */

import { isServerAvailable, type Observation } from "../../batch/observation.js";
import type { Units, UnitTable } from "./units.js";

/** One line of a prompt: what it is about, and its fields. Perturbations may reorder the fields. */
export interface Entry {
  readonly label: string;
  readonly fields: readonly string[];
}

/** Lines under one heading. Perturbations may reorder the lines, unless they are the servers, which keep their order. */
export interface Section {
  readonly heading: string;
  readonly entries: readonly Entry[];
  readonly isServers: boolean;
}

/** What a template may say beside the observation. */
export interface TemplateContext {
  /** Wait before the upload starts, slots: a quantity of the profile comllm-release alone. */
  readonly networkWaitSlots: number;
}

export type OutputInstruction = "direct" | "reasoning";

/** One way to put an observation into words. Its texts never change; another wording is another template. */
export interface Template {
  readonly id: string;
  readonly units: UnitTable;
  /** What the role of the system message says, where one is asked for. */
  readonly system: string;
  /** How the answer is asked for. */
  readonly request: Readonly<Record<OutputInstruction, string>>;
  /** Sentences that say nothing about the decision, for the perturbation `noisy`. */
  readonly noise: readonly string[];
  /** The decision string of an action: the answer a model should give. */
  readonly answer: (action: number) => string;
  /** @throws MecgymError `unsupportedState` where the template has no words for a state */
  readonly check?: (observation: Observation, context: TemplateContext) => void;
  readonly describe: (observation: Observation, units: Units, context: TemplateContext) => Section[];
  /** Puts the parts together; `request` is the wording asked for. */
  readonly assemble: (sections: readonly Section[], request: string) => string;
}

/** Indices of the servers that can be chosen, in order: an absent one is not listed. */
export function listedServers(observation: Observation): number[] {
  const all = Array.from({ length: observation.numServers }, (_, e) => e);
  return all.filter((e) => isServerAvailable(observation, e));
}
