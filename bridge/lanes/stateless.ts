/** `score` and the `prompt` of given states: questions that need no session, and leave nothing behind. */

import { score } from "../../env/batch/score.js";
import { scoreRelease } from "../../env/comllm-release/score.js";
import { releaseStateOf } from "../../env/comllm-release/state.js";
import { type ParseFailure, parseCompletion } from "../../env/language/parser/parser.js";
import { type PromptOptions, renderPrompt } from "../../env/language/prompt.js";
import { resolveScenario, type ScenarioInput } from "../../env/scenario/scenario.js";
import {
  bodyOf,
  checkOffsets,
  joinPieces,
  needArray,
  type Outcome,
  type ReplyArray,
  readBody,
} from "../wire/array-layout.js";
import type { Limits } from "../wire/limits.js";
import { BridgeError } from "../wire/protocol.js";
import type { RequestOf } from "../wire/requests.js";
import { type GivenState, readStates, stateForms } from "./body-states.js";
import { tooLarge } from "./queries.js";

type ScoreLimits = Pick<Limits, "maxCompletionBytes" | "maxRequestWork" | "maxReplyBytes">;

const questionForms = {
  ...stateForms,
  stateOfAction: ["int32", "C"],
  actions: ["int32", "C"],
  completionOffsets: ["uint32", "C+1"],
  completionBytes: ["uint8", "completionBytes"],
} as const;

/** What `parseFailure` says of each. */
const failureCodes: Readonly<Record<ParseFailure, number>> = {
  empty: 1,
  noDecision: 2,
  ambiguous: 3,
  unfinishedReasoning: 4,
};
/** Where nothing could be read; no text names it. */
const NO_ACTION = -0x80000000;

/** The questions of a request: actions, or texts. */
interface Questions {
  readonly states: readonly GivenState[];
  readonly stateOfAction: ArrayLike<number> | undefined;
  readonly actions: Int32Array | undefined;
  /** Completion i; none where actions are given. */
  readonly completion: ((i: number) => string) | undefined;
  readonly count: number;
}

/**
 * Scores actions or completions in given states.
 *
 * @throws BridgeError, MecgymError; the request is refused whole
 */
export function scoreOutcome(request: RequestOf<"score">, body: Uint8Array | undefined, limits: ScoreLimits): Outcome {
  const scenario = resolveScenario(request.scenario as string | ScenarioInput);
  const { arrays, sizes } = readBody(request.layout, body, questionForms);
  const states = readStates(scenario, { arrays, sizes });
  const questions = readQuestions(states, arrays, limits);
  const { profile = "paper", numSamples, weight, sizeFactor, mode, rates, seed } = request;
  const widest = states.reduce((most, { state }) => Math.max(most, state.numServers), 1);
  const samples = numSamples ?? scenario.lookAhead.numSamples;
  checkWork(states.length * (widest + 1) * samples + questions.count, limits);
  if (questions.count * 64 > limits.maxReplyBytes) throw tooLarge(limits.maxReplyBytes, questions.count * 64);
  if (profile === "paper") {
    if (seed !== undefined) throw notIn(profile, "seed", seed);
    const options = { numSamples, weight, sizeFactor, mode, rates };
    return paperScores(scenario, questions, definedOf(options));
  }
  for (const [name, value] of Object.entries({ sizeFactor, mode, rates })) {
    if (value !== undefined) throw notIn(profile, name, value);
  }
  return releaseScores(questions, definedOf({ numSamples, weight, seed }));
}

function readQuestions(
  states: readonly GivenState[],
  arrays: ReturnType<typeof readBody<keyof typeof questionForms>>["arrays"],
  { maxCompletionBytes }: ScoreLimits,
): Questions {
  const { stateOfAction, completionOffsets, completionBytes } = arrays;
  const actions = arrays.actions as Int32Array | undefined;
  if ((actions === undefined) === (completionOffsets === undefined)) {
    const expected = "either actions, or completionOffsets and completionBytes";
    throw new BridgeError("invalidRequest", { path: "/layout", expected, got: actions ? "both" : "neither" });
  }
  const bytes = actions ? undefined : needArray<Uint8Array>(completionBytes, "completionBytes");
  const offsets = completionOffsets as Uint32Array;
  if (bytes !== undefined) checkOffsets("completionOffsets", offsets, bytes.length);
  const numCompletions = bytes === undefined ? 0 : offsets.length - 1;
  for (let i = 0; i < numCompletions; i++) {
    const length = offsets[i + 1] - offsets[i];
    if (length <= maxCompletionBytes) continue;
    const expected = `at most ${maxCompletionBytes} bytes (maxCompletionBytes)`;
    throw new BridgeError("completionTooLong", { path: `completions/${i}`, expected, got: `${length} bytes` });
  }
  const count = actions?.length ?? numCompletions;
  if (stateOfAction === undefined && count !== states.length) {
    const expected = `${states.length} questions, one for each state, or an array stateOfAction`;
    throw new BridgeError("invalidRequest", { path: "/layout", expected, got: count });
  }
  const completion = bytes === undefined ? undefined : textsOf(offsets, bytes);
  return { states, stateOfAction, actions, completion, count };
}

const lenient = new TextDecoder();

/** Text i of those in `bytes`. */
function textsOf(offsets: ArrayLike<number>, bytes: Uint8Array): (i: number) => string {
  // a character for each byte: then no text has one of several bytes, and pieces of the whole are what each would be alone
  const whole = lenient.decode(bytes);
  if (whole.length === bytes.length) return (i) => whole.slice(offsets[i], offsets[i + 1]);
  return (i) => lenient.decode(bytes.subarray(offsets[i], offsets[i + 1]));
}

function paperScores(
  scenario: ScenarioInput | string,
  { states, stateOfAction, actions, completion, count }: Questions,
  options: object,
): Outcome {
  const action = actions ?? new Int32Array(count);
  const parseFailure = new Uint8Array(count);
  for (let i = 0; completion !== undefined && i < count; i++) {
    const parsed = parseCompletion(completion(i));
    if ("failure" in parsed) parseFailure[i] = failureCodes[parsed.failure];
    // a number beyond 32 bits names no server, as −1 does
    action[i] = "failure" in parsed ? NO_ACTION : (parsed.action | 0) === parsed.action ? parsed.action : -1;
  }
  const { chargedAction, isInvalid, ...figures } = score(scenario, states, action, stateOfAction, options);
  const { latencySlots, costSlots, impactSlots, reward, cheapestCostSlots } = figures;
  // what could not be read is a parse failure, and no invalid action
  for (let i = 0; i < count; i++) if (parseFailure[i] !== 0) isInvalid[i] = 0;
  return reply("paper", {
    ...{ action, parseFailure, chargedAction, isInvalid },
    ...{ latencySlots, costSlots, impactSlots, reward, cheapestCostSlots },
  });
}

function releaseScores({ states, stateOfAction, completion, count }: Questions, options: object): Outcome {
  if (completion === undefined) {
    const expected = "completions: profile comllm-release rewards their form too";
    throw new BridgeError("invalidRequest", { path: "/layout", expected, got: "actions" });
  }
  const of = stateOfAction ?? Array.from({ length: states.length }, (_, i) => i);
  const release = states.map(({ state, networkWaitSlots }) => releaseStateOf(state, networkWaitSlots));
  const action = new Int32Array(count);
  const parseFailure = new Uint8Array(count);
  const names = ["costSlots", "impactSlots", "taskReward", "formatReward", "reward"] as const;
  const columns = Object.fromEntries(names.map((name) => [name, new Float64Array(count)]));
  for (let i = 0; i < count; i++) {
    const state = release[of[i]];
    if (state === undefined) {
      const expected = `an index from 0 to ${states.length - 1}`;
      throw new BridgeError("invalidRequest", { path: `stateOfAction/${i}`, expected, got: of[i] });
    }
    const scored = scoreRelease(state, completion(i), options);
    action[i] = scored.action ?? NO_ACTION;
    parseFailure[i] = scored.action === null ? failureCodes.noDecision : 0;
    for (const name of names) columns[name][i] = scored[name] ?? Number.NaN;
  }
  return reply("comllm-release", { action, parseFailure, ...columns });
}

function reply(profile: string, columns: Readonly<Record<string, ReplyArray["values"]>>): Outcome {
  const { layout, body } = bodyOf(Object.entries(columns).map(([name, values]) => ({ name, values })));
  return { result: { profile, layout }, body };
}

/** Prompts of given states, as many as a reply takes. */
export function promptsOfStates(
  request: RequestOf<"prompt">,
  body: Uint8Array | undefined,
  { maxReplyBytes }: ScoreLimits,
): Outcome {
  const { scenario: input, layout, template, perturbation, instruction, system, seed, firstLane = 0 } = request;
  const scenario = resolveScenario(input as string | ScenarioInput);
  const states = readStates(scenario, readBody(layout as NonNullable<typeof layout>, body, stateForms));
  const options = definedOf({ template, perturbation, instruction, system }) as PromptOptions;
  const texts: Uint8Array[] = [];
  const encoder = new TextEncoder();
  let [bytes, next, role]: [number, number, string | null] = [64, firstLane, null];
  for (; next < states.length; next++) {
    const { state, episodeSeed, networkWaitSlots } = states[next];
    const wait = networkWaitSlots === 0 ? {} : { networkWaitSlots };
    const prompt = renderPrompt(state, { ...options, ...wait, seed: seed ?? episodeSeed });
    const text = encoder.encode(prompt.user);
    bytes += text.length + 8;
    if (bytes > maxReplyBytes && texts.length > 0) break;
    role = prompt.system;
    texts.push(text);
  }
  const { offsets, bytes: promptBytes } = joinPieces(texts);
  const packed = bodyOf([
    { name: "promptOffsets", values: offsets },
    { name: "promptBytes", values: promptBytes },
  ]);
  return { result: { layout: packed.layout, nextLane: next, system: role }, body: packed.body };
}

/** @throws BridgeError `workExceeded` */
export function checkWork(work: number, { maxRequestWork }: Pick<Limits, "maxRequestWork">): void {
  if (work <= maxRequestWork) return;
  const expected = `at most ${maxRequestWork} evaluations of an action (maxRequestWork)`;
  throw new BridgeError("workExceeded", { path: "request", expected, got: work });
}

/** The entries that are given: an option that is undefined would be one that is wrong. */
function definedOf<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function notIn(profile: string, name: string, got: unknown): BridgeError {
  return new BridgeError("invalidRequest", { path: `/${name}`, expected: `nothing, in profile ${profile}`, got });
}
