/** `score`: the costs and rewards of actions, or of completions that name an action, in given states. */

import { score } from "../../env/batch/score.js";
import { scoreRelease } from "../../env/comllm-release/score.js";
import { releaseStateOf } from "../../env/comllm-release/state.js";
import { parseCompletion } from "../../env/language/parser/parser.js";
import { resolveScenario, type ScenarioInput } from "../../env/scenario/scenario.js";
import { checkOffsets } from "../wire/byte-lists.js";
import { needArray, readBody } from "../wire/described-body.js";
import { failureCodes, NO_ACTION } from "../wire/failure-codes.js";
import { settingOf } from "../wire/limit-flags.js";
import { BridgeError } from "../wire/protocol.js";
import { bodyOf, type ReplyArray } from "../wire/reply-body.js";
import { checkAbsent, definedFields, type RequestOf } from "../wire/requests.js";
import type { Outcome } from "./answer.js";
import { type GivenState, readStates, stateForms } from "./body-states.js";
import type { LaneLimits } from "./lane-options.js";
import { checkReplyBytes, checkWork } from "./request-limits.js";

const scoreForms = {
  ...stateForms,
  stateOfAction: ["int32", "C"],
  actions: ["int32", "C"],
  completionOffsets: ["uint32", "C+1"],
  completionBytes: ["uint8", "completionBytes"],
} as const;

/** Bytes of a reply for each candidate, an upper bound. */
const BYTES_PER_CANDIDATE = 64;

/** The actions or completions to score, and the states they are for. */
interface Candidates {
  readonly states: readonly GivenState[];
  /** The index of each candidate's state; undefined if there is one candidate for each state. */
  readonly stateOfAction: ArrayLike<number> | undefined;
  readonly actions: Int32Array | undefined;
  /** Returns completion i; undefined if the candidates are actions. */
  readonly completion: ((i: number) => string) | undefined;
  readonly count: number;
}

/**
 * Scores actions or completions in given states.
 *
 * @throws BridgeError, MecgymError; the whole request is refused
 */
export function scoreOutcome(request: RequestOf<"score">, body: Uint8Array | undefined, limits: LaneLimits): Outcome {
  const scenario = resolveScenario(request.scenario as string | ScenarioInput);
  const { arrays, sizes } = readBody(request.layout, body, scoreForms);
  const states = readStates(scenario, { arrays, sizes }, request.profile);
  const candidates = readCandidates(states, arrays, limits);
  const { profile = "paper", numSamples, weight, sizeFactor, mode, rates, seed } = request;
  const maxServers = states.reduce((most, { state }) => Math.max(most, state.numServers), 1);
  const samples = numSamples ?? scenario.lookAhead.numSamples;
  const perAction = (mode ?? scenario.lookAhead.mode) === "sequential" ? samples * (maxServers + 1) : samples;
  checkWork(states.length * (maxServers + 1) * perAction + candidates.count, limits);
  checkReplyBytes(candidates.count * BYTES_PER_CANDIDATE, limits);
  if (profile === "paper") {
    checkAbsent({ seed }, `in profile ${profile}`);
    return paperScores(scenario, candidates, definedFields({ numSamples, weight, sizeFactor, mode, rates }));
  }
  checkAbsent({ sizeFactor, mode, rates }, `in profile ${profile}`);
  return releaseScores(candidates, definedFields({ numSamples, weight, seed }));
}

function readCandidates(
  states: readonly GivenState[],
  arrays: ReturnType<typeof readBody<keyof typeof scoreForms>>["arrays"],
  { maxCompletionBytes }: LaneLimits,
): Candidates {
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
    const expected = `at most ${maxCompletionBytes} bytes (${settingOf("maxCompletionBytes")})`;
    throw new BridgeError("completionTooLong", { path: `completions/${i}`, expected, got: `${length} bytes` });
  }
  const count = actions?.length ?? numCompletions;
  if (stateOfAction === undefined && count !== states.length) {
    const expected = `${states.length} actions or completions, one for each state, or an array stateOfAction`;
    throw new BridgeError("invalidRequest", { path: "/layout", expected, got: count });
  }
  const completion = bytes === undefined ? undefined : textsOf(offsets, bytes);
  return { states, stateOfAction, actions, completion, count };
}

const lenientUtf8 = new TextDecoder();

/** A function that returns text i of a list. */
function textsOf(offsets: ArrayLike<number>, bytes: Uint8Array): (i: number) => string {
  // if every byte became one character, no text has a longer one, and a slice of the whole equals a text decoded alone
  const whole = lenientUtf8.decode(bytes);
  if (whole.length === bytes.length) return (i) => whole.slice(offsets[i], offsets[i + 1]);
  return (i) => lenientUtf8.decode(bytes.subarray(offsets[i], offsets[i + 1]));
}

function paperScores(
  scenario: ScenarioInput | string,
  { states, stateOfAction, actions, completion, count }: Candidates,
  options: object,
): Outcome {
  const action = actions ?? new Int32Array(count);
  const parseFailure = new Uint8Array(count);
  for (let i = 0; completion !== undefined && i < count; i++) {
    const parsed = parseCompletion(completion(i));
    if ("failure" in parsed) parseFailure[i] = failureCodes[parsed.failure];
    // a number beyond 32 bits names no server, and neither does −1
    action[i] = "failure" in parsed ? NO_ACTION : (parsed.action | 0) === parsed.action ? parsed.action : -1;
  }
  const { chargedAction, isInvalid, ...figures } = score(scenario, states, action, stateOfAction, options);
  const { latencySlots, costSlots, impactSlots, reward, cheapestCostSlots } = figures;
  // a completion that could not be read is a parse failure, and not an invalid action
  for (let i = 0; i < count; i++) if (parseFailure[i] !== 0) isInvalid[i] = 0;
  return outcomeOf("paper", {
    ...{ action, parseFailure, chargedAction, isInvalid },
    ...{ latencySlots, costSlots, impactSlots, reward, cheapestCostSlots },
  });
}

function releaseScores({ states, stateOfAction, completion, count }: Candidates, options: object): Outcome {
  if (completion === undefined) {
    const expected = "completions: profile comllm-release also rewards their form";
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
  return outcomeOf("comllm-release", { action, parseFailure, ...columns });
}

function outcomeOf(profile: string, columns: Readonly<Record<string, ReplyArray["values"]>>): Outcome {
  const { layout, body } = bodyOf(Object.entries(columns).map(([name, values]) => ({ name, values })));
  return { result: { profile, layout }, body };
}
