/** How long prompts are: characters, and tokens of o200k_base, at 3 to 128 servers. */

import {
  copyObservation,
  makeEnv,
  type ObservationData,
  type PerturbationId,
  renderPrompt,
  type TemplateId,
} from "../../env/index.js";
import { oracle } from "../policies/index.js";
import { asExpressible } from "./prompt-agreement.js";

export const statsServers = [3, 6, 11, 32, 64, 128] as const;
/** Users for each server: the default load, and one under which every queue is long. */
const LOADS = [2, 5] as const;
/** Decisions of an episode whose prompts are measured, evenly apart. */
const STATES_PER_EPISODE = 20;
const EPISODE_SLOTS = 60;

/** Lengths of a template's prompts at one number of servers. */
export interface PromptLengths {
  readonly template: TemplateId;
  readonly numServers: number;
  readonly numPrompts: number;
  readonly maxCharacters: number;
  readonly meanTokens: number;
  readonly maxTokens: number;
}

/**
 * Measures prompts of states that the oracle comes by in episode `seed`, at two loads.
 *
 * @param servers numbers of servers
 */
export async function measurePrompts(
  templates: readonly TemplateId[],
  perturbation: PerturbationId,
  seed: number,
  onProgress?: (done: number, total: number) => void,
  servers: readonly number[] = statsServers,
): Promise<PromptLengths[]> {
  // the tokenizer's table takes a while to load, and nothing else needs it
  const { countTokens } = await import("gpt-tokenizer/encoding/o200k_base");
  const total = servers.length * templates.length;
  const result: PromptLengths[] = [];
  for (const numServers of servers) {
    const states = LOADS.flatMap((perServer) => statesOf(numServers, perServer, seed));
    for (const template of templates) {
      const texts = states.map((state) => {
        return renderPrompt(asExpressible(template, state), { template, perturbation, seed }).text;
      });
      const tokens = texts.map((text) => countTokens(text));
      result.push({
        template,
        numServers,
        numPrompts: texts.length,
        maxCharacters: Math.max(...texts.map((text) => [...text].length)),
        meanTokens: tokens.reduce((sum, count) => sum + count, 0) / tokens.length,
        maxTokens: Math.max(...tokens),
      });
      onProgress?.(result.length, total);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return result;
}

function statesOf(numServers: number, perServer: number, seed: number): ObservationData[] {
  const env = makeEnv({ numServers, users: { perServer }, episodeSlots: EPISODE_SLOTS });
  const states: ObservationData[] = [];
  for (let step = env.reset(seed); !step.truncated; step = env.step(oracle(step.observation))) {
    states.push(copyObservation(step.observation));
  }
  const count = Math.min(STATES_PER_EPISODE, states.length);
  return Array.from({ length: count }, (_, i) => states[Math.floor((i * states.length) / count)]);
}
