/** Whether prompts say enough: how often the cheapest action by the printed numbers is the cheapest one. */

import {
  makeEnv,
  type ObservationData,
  observedCostSlots,
  type PerturbationId,
  renderPrompt,
  type TemplateId,
} from "../../env/index.js";
import { oracle } from "../policies/index.js";
import { cheapestByText, readPrompt } from "./prompt-reader.js";

/** Where the states come from, an equal share each: the default load at every number of servers, and long queues. */
export const agreementScenarios = ["paper-3-to-11-servers-v1", "load-30-users-v1"] as const;
/** States between two turns of whoever waits for a signal or a progress bar. */
const STATES_PER_TURN = 500;

export interface PromptAgreement {
  readonly template: TemplateId;
  readonly perturbation: PerturbationId;
  readonly numStates: number;
  /** Share of states whose oracle decides the same by the printed numbers, %. */
  readonly agreementPercent: number;
  /** Mean and largest cost J of the action by the printed numbers, above the smallest, slots. */
  readonly meanLossSlots: number;
  readonly maxLossSlots: number;
}

/**
 * Reads prompts as a reader of their text would, and decides by what they say.
 *
 * @param numStates states that the oracle comes by in episodes `seed`, `seed` + 1, …
 */
export async function measureAgreement(
  template: TemplateId,
  perturbation: PerturbationId,
  numStates: number,
  seed = 0,
  onProgress?: (done: number) => void,
): Promise<PromptAgreement> {
  let [done, agreed, lossSlots, maxLossSlots] = [0, 0, 0, 0];
  for (const [i, scenario] of agreementScenarios.entries()) {
    const until = Math.floor(((i + 1) * numStates) / agreementScenarios.length);
    for (const { episodeSeed, visited } of visitedStates(scenario, seed, until - done)) {
      const state = asExpressible(template, visited);
      const { user } = renderPrompt(state, { template, perturbation, seed: episodeSeed });
      const best = oracle(state);
      const byText = cheapestByText(readPrompt(template, user, state.slotSeconds));
      const loss = observedCostSlots(state, byText) - observedCostSlots(state, best);
      if (byText === best) agreed++;
      lossSlots += loss;
      maxLossSlots = Math.max(maxLossSlots, loss);
      done++;
      if (done % STATES_PER_TURN !== 0) continue;
      onProgress?.(done);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const agreementPercent = (100 * agreed) / numStates;
  return { template, perturbation, numStates, agreementPercent, meanLossSlots: lossSlots / numStates, maxLossSlots };
}

/** States the oracle comes by in closed loop. */
function* visitedStates(
  scenario: string,
  firstSeed: number,
  count: number,
): Generator<{ episodeSeed: number; visited: ObservationData }> {
  const env = makeEnv(scenario);
  for (let episodeSeed = firstSeed, left = count; left > 0; episodeSeed++) {
    let step = env.reset(episodeSeed);
    for (; left > 0 && !step.truncated; left--) {
      yield { episodeSeed, visited: step.observation };
      step = env.step(oracle(step.observation));
    }
  }
}

/** The state as far as a template has words for it: zh-release-v1 has them for one rate alone. */
export function asExpressible(template: TemplateId, state: ObservationData): ObservationData {
  const { rateMbps } = state;
  return template === "zh-release-v1" ? { ...state, rateMbps: rateMbps.map(() => rateMbps[0]) } : state;
}
