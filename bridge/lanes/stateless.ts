/** Queries that need no session: `score`, and the `prompt` of given states. */

import { type PromptOptions, renderPrompt } from "../../env/language/prompt.js";
import { resolveScenario, type ScenarioInput } from "../../env/scenario/scenario.js";
import { byteListArrays } from "../wire/byte-lists.js";
import { readBody } from "../wire/described-body.js";
import { bodyOf } from "../wire/reply-body.js";
import type { RequestOf, StatelessQuery } from "../wire/requests.js";
import { type Answer, answerOf, type Outcome } from "./answer.js";
import { readStates, stateForms } from "./body-states.js";
import type { LaneLimits } from "./lane-options.js";
import { promptOptionsOf } from "./lane-options.js";
import { checkWork, promptWork } from "./request-limits.js";
import { scoreOutcome } from "./score.js";

/** Answers a query in the calling thread. */
export function answerStateless(request: StatelessQuery, body: Uint8Array | undefined, limits: LaneLimits): Answer {
  return answerOf(() =>
    request.op === "score" ? scoreOutcome(request, body, limits) : statePromptOutcome(request, body, limits),
  );
}

const utf8 = new TextEncoder();

/** Prompts of the given states from `firstLane` on, as many as fit in a reply. */
function statePromptOutcome(
  request: RequestOf<"prompt">,
  body: Uint8Array | undefined,
  { maxReplyBytes, maxRequestWork }: LaneLimits,
): Outcome {
  const { scenario: input, layout, seed, firstLane = 0 } = request;
  const scenario = resolveScenario(input as string | ScenarioInput);
  const states = readStates(scenario, readBody(layout as NonNullable<typeof layout>, body, stateForms));
  const { historySlots } = scenario;
  const work = states.reduce((sum, { state }) => sum + promptWork({ servers: state.numServers, historySlots }), 0);
  checkWork(work, { maxRequestWork });
  const options: PromptOptions = promptOptionsOf(request);
  const texts: Uint8Array[] = [];
  let [bytes, next, system]: [number, number, string | null] = [64, firstLane, null];
  for (; next < states.length; next++) {
    const { state, episodeSeed, networkWaitSlots } = states[next];
    const wait = networkWaitSlots === 0 ? {} : { networkWaitSlots };
    const prompt = renderPrompt(state, { ...options, ...wait, seed: seed ?? episodeSeed });
    const text = utf8.encode(prompt.user);
    bytes += text.length + 8;
    if (bytes > maxReplyBytes && texts.length > 0) break;
    system = prompt.system;
    texts.push(text);
  }
  const packed = bodyOf(byteListArrays("prompt", texts));
  return { result: { layout: packed.layout, nextLane: next, system }, body: packed.body };
}
