/** Makes the records of data sets: states that the oracle visits, in words, with the costs of every action. */

import {
  isObservedActionAvailable,
  lookAheadOfState,
  type ObservationData,
  observedLatencySlots,
  type Prompt,
  renderAction,
  renderPrompt,
  type Scenario,
  scenarioHash,
} from "../../env/index.js";
import type { DatasetRecord } from "../../schemas/generated/types.js";
import { EpisodePlayer } from "../play/episode-player.js";
import { findPolicy, oracle, type PolicyEntry, policies, whyNoLabels } from "../policies/index.js";
import { type DatasetPlan, scenariosOf } from "./plan.js";

/** Makes records of one plan in any order: a record depends only on the plan and its index. */
export class RecordMaker {
  readonly #plan: DatasetPlan;
  readonly #labels: PolicyEntry;
  /** The scenarios, which take turns. */
  readonly #worlds: readonly { readonly scenario: Scenario; readonly hash: string; readonly player: EpisodePlayer }[];

  /** @param plan a checked plan (`planDataset`) */
  constructor(plan: DatasetPlan) {
    this.#plan = plan;
    this.#labels = findPolicy(plan.labels);
    this.#worlds = scenariosOf(plan).map((scenario) => ({
      scenario,
      hash: scenarioHash(scenario),
      player: new EpisodePlayer(scenario),
    }));
  }

  /**
   * Record `index` of the data set: the static protocol's state of its episode.
   *
   * @throws MecgymError `unsupportedState` if the template has no words for the state
   */
  make(index: number): DatasetRecord {
    const { kind, split, firstSeed, labels, template, perturbation, outputInstruction, system, form } = this.#plan;
    const episodeSeed = firstSeed + index;
    const { scenario, hash, player } = this.#worlds[index % this.#worlds.length];
    const policy = this.#labels.make(episodeSeed, scenario);
    const state = player.visitState(episodeSeed, this.#labels.remembers ? policy : undefined);
    const label = player.ask(policy);
    const prompt = renderPrompt(state, {
      template,
      perturbation,
      seed: episodeSeed,
      system,
      instruction: outputInstruction,
    });
    return {
      ...wordsOf(prompt, renderAction(label, template), form, kind),
      kind,
      split,
      index,
      profile: "paper",
      scenarioId: scenario.id,
      scenarioHash: hash,
      episodeSeed,
      decisionIndex: state.decisionIndex,
      template,
      perturbation,
      outputInstruction,
      labelPolicy: labels,
      labelAction: label,
      ...figuresOf(scenario, episodeSeed, state),
      state,
    };
  }
}

/** What every action of a state costs now and may cost later. */
export type ActionFigures = Pick<
  DatasetRecord,
  "cheapestAction" | "costSlots" | "regretSlots" | "meetsDeadline" | "impactSlots" | "lookAheadReward"
>;

/**
 * Computes the label of a record from its state, as a check does. Undefined if the state does not decide it, because
 * the policy remembers earlier states or needs rollouts, and for a policy that cannot label.
 */
export function labelOf(
  name: string,
  scenario: Scenario,
  episodeSeed: number,
  state: ObservationData,
): number | undefined {
  const entry = policies.find((policy) => policy.name === name);
  if (entry === undefined || entry.remembers || entry.needsRollout || whyNoLabels(entry) !== undefined)
    return undefined;
  const policy = entry.make(episodeSeed, scenario);
  return policy(state, (options) => lookAheadOfState(scenario, episodeSeed, state, options));
}

/** Computes the figures of a record from its state, as a check does. */
export function figuresOf(scenario: Scenario, episodeSeed: number, state: ObservationData): ActionFigures {
  const cheapestAction = oracle(state);
  const lookAhead = lookAheadOfState(scenario, episodeSeed, state);
  const actions = Array.from({ length: state.numServers + 1 }, (_, action) => action);
  const available = actions.map((action) => isObservedActionAvailable(state, action));
  const ofAvailable = (values: Float64Array) => actions.map((a) => (available[a] ? values[a] : null));
  const cheapestCostSlots = lookAhead.costSlots[cheapestAction];
  return {
    cheapestAction,
    costSlots: ofAvailable(lookAhead.costSlots),
    regretSlots: ofAvailable(lookAhead.costSlots.map((cost) => cost - cheapestCostSlots)),
    meetsDeadline: actions.map((a) => available[a] && observedLatencySlots(state, a) <= state.deadlineSlots),
    impactSlots: ofAvailable(lookAhead.impactSlots),
    lookAheadReward: ofAvailable(lookAhead.reward),
  };
}

type Words = Pick<DatasetRecord, "prompt" | "completion" | "messages" | "instruction" | "input" | "output">;

/** The columns that trainers read. Kind grpo has only a prompt, because its trainers make the completions. */
function wordsOf(prompt: Prompt, answer: string, form: DatasetPlan["form"], kind: DatasetPlan["kind"]): Words {
  const reply = { role: "assistant" as const, content: answer };
  const completion = form === "chat" ? [reply] : answer;
  switch (form) {
    case "messages":
      return { messages: [...prompt.messages, reply] };
    case "release":
      return releaseWords(prompt, answer);
    default: {
      const asked = form === "chat" ? prompt.messages : prompt.text;
      return kind === "grpo" ? { prompt: asked } : { prompt: asked, completion };
    }
  }
}

/** The form of the published data: the published scripts join it to the template's own text. */
function releaseWords(prompt: Prompt, answer: string): Words {
  const [instruction, fields] = prompt.user.split("\n\n**输入数据**：\n");
  const input = fields.split("\n").map((line) => line.split(/: (.*)/s, 2));
  return { instruction, input: Object.fromEntries(input), output: { action_name: answer } };
}

/** Fields with real numbers. They always have a decimal point, so that readers of columns see one type. */
const realFields = new Set([
  ...["sizeMbit", "densityGcyclesPerMbit", "deadlineSlots", "penaltySlots", "slotSeconds", "localCpuGHz"],
  ...["localBacklogMbit", "localWaitSlots", "rateMbps", "cpuGHz", "workloadMbit", "workloadHistoryMbit"],
  ...["costSlots", "regretSlots", "impactSlots", "lookAheadReward"],
]);

/** A record as one line of JSON, including the line end. */
export function recordLine(record: DatasetRecord): string {
  return `${encode(record, false)}\n`;
}

function encode(value: unknown, isReal: boolean): string {
  if (typeof value === "number") {
    const text = JSON.stringify(value);
    return isReal && /^-?\d+$/.test(text) ? `${text}.0` : text;
  }
  if (Array.isArray(value)) return `[${value.map((item) => encode(item, isReal)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, item]) => `"${name}":${encode(item, realFields.has(name))}`);
  return `{${fields.join(",")}}`;
}
