/** The parts of a prompt template: how an observation becomes labelled fields, and how these become text. */

import { isServerAvailable, type Observation } from "../../batch/observation.js";
import type { Units, UnitTable } from "./units.js";

/** One line of a prompt: its subject and its fields. Perturbations may reorder the fields. */
export interface Entry {
  readonly label: string;
  readonly fields: readonly string[];
}

/** Lines under one heading. Perturbations may reorder the lines, except those of the servers. */
export interface Section {
  readonly heading: string;
  readonly entries: readonly Entry[];
  readonly isServers: boolean;
}

/** What a template may say in addition to the observation. */
export interface TemplateContext {
  /** Wait before the upload starts, slots: a quantity that only the profile comllm-release has. */
  readonly networkWaitSlots: number;
}

export type OutputInstruction = "direct" | "reasoning";

/** One way to put an observation into words. Its texts never change: a new wording is a new template. */
export interface Template {
  readonly id: string;
  readonly units: UnitTable;
  /** The text of the system message, if one is asked for. */
  readonly system: string;
  /** The request for an answer. */
  readonly request: Readonly<Record<OutputInstruction, string>>;
  /** Sentences that say nothing about the decision, for the perturbation `noisy`. */
  readonly noise: readonly string[];
  /** The decision string of an action: the answer a model should give. */
  readonly answer: (action: number) => string;
  /** @throws MecgymError `unsupportedState` if the template has no words for a state */
  readonly check?: (observation: Observation, context: TemplateContext) => void;
  readonly describe: (observation: Observation, units: Units, context: TemplateContext) => Section[];
  /** Joins the parts; `request` is one of the wordings above. */
  readonly assemble: (sections: readonly Section[], request: string) => string;
}

/** Indices of the available servers, in order. */
export function listedServers(observation: Observation): number[] {
  const all = Array.from({ length: observation.numServers }, (_, e) => e);
  return all.filter((e) => isServerAvailable(observation, e));
}
