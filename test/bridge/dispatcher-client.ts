/** Talks to a dispatcher as a client does, without a socket. Its lanes are in this thread or in others. */

import { afterAll, expect } from "vitest";
import { workerEntry } from "../../benchmarks/jobs/worker-pool.js";
import { nativePolicies } from "../../bridge/composition/native-policies.js";
import { Dispatcher, type DispatcherOptions } from "../../bridge/server/dispatcher.js";
import type { Message } from "../../bridge/server/replies.js";
import { type ArraySpec, bodyBytes, readArray, type Values, writeArray } from "../../bridge/wire/array-layout.js";
import { decodeHeader, encodeHeader } from "../../bridge/wire/header.js";
import type { Request } from "../../bridge/wire/protocol.js";
import { findProblem } from "../../schemas/validate.js";

let requests = 0;
export const newId = () => (requests++).toString(16).padStart(32, "0");

export interface Answer {
  readonly header: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what its results hold
  readonly result: any;
  readonly error: { code: string; path: string; expected: string; got: string } | undefined;
  readonly body: Uint8Array | undefined;
}

/** A reply as it would arrive: a copy, because the dispatcher uses its memory again. */
export function read(message: Message): Answer {
  const header = decodeHeader(message[0]);
  expect(findProblem("reply", structuredClone(header))).toBeUndefined();
  const body = message[1] === undefined ? undefined : Uint8Array.from(message[1]);
  return { header, result: header.result, error: header.error as Answer["error"], body };
}

const dispatchers: Dispatcher[] = [];
afterAll(() => Promise.all(dispatchers.splice(0).map((dispatcher) => dispatcher.close())));

/** Where the lanes of a dispatcher are. */
export type Place = "inline" | "threads";
export const places: readonly Place[] = ["inline", "threads"];

export function makeDispatcher(place: Place, options: Partial<DispatcherOptions> = {}): Dispatcher {
  const threads = place === "inline" ? {} : { threads: { count: 2, entry: workerEntry() }, maxInlineLanes: 0 };
  const dispatcher = new Dispatcher({ packageVersion: "0.0.0", policies: nativePolicies, ...threads, ...options });
  dispatchers.push(dispatcher);
  return dispatcher;
}

/** Replies of each dispatcher since the last message, to any request. */
const inboxes = new WeakMap<Dispatcher, Answer[]>();

const shared = new Map<Place, Dispatcher>();

/** One dispatcher for all tests of a file that do not disturb each other: threads take a while to start. */
export function sharedDispatcher(place: Place): Dispatcher {
  const dispatcher = shared.get(place) ?? makeDispatcher(place);
  shared.set(place, dispatcher);
  return dispatcher;
}

/** Sends a message, and returns all replies until the dispatcher is idle, including those to held requests. */
export async function tell(dispatcher: Dispatcher, message: Message): Promise<Answer[]> {
  inboxes.set(dispatcher, []);
  dispatcher.handle(message, (reply) => inboxes.get(dispatcher)?.push(read(reply)));
  await untilIdle(dispatcher);
  return inboxes.get(dispatcher) as Answer[];
}

async function untilIdle(dispatcher: Dispatcher): Promise<void> {
  const isBusy = () => dispatcher.stats().workers.some(({ queued }) => queued > 0);
  while (isBusy()) await new Promise((resolve) => setTimeout(resolve, 0));
}

export function messageOf(header: Record<string, unknown>, body?: Uint8Array): Message {
  const head = encodeHeader({ v: "1.2", ...header } as unknown as Request);
  return body === undefined ? [head] : [head, body];
}

/** Sends a request, and returns its reply. */
export async function ask(dispatcher: Dispatcher, header: Record<string, unknown>, body?: Uint8Array): Promise<Answer> {
  const answers = await tell(dispatcher, messageOf(header, body));
  expect(answers).toHaveLength(1);
  return answers[0];
}

/** Sends a request that must be granted. */
export async function granted(
  dispatcher: Dispatcher,
  header: Record<string, unknown>,
  body?: Uint8Array,
): Promise<Answer> {
  const answer = await ask(dispatcher, header, body);
  expect(answer.error).toBeUndefined();
  return answer;
}

/** An open session. Its requests follow one another in group 0 by default. */
export interface Opened {
  readonly dispatcher: Dispatcher;
  readonly session: string;
  readonly epoch: number;
  readonly layouts: Record<"resetRequest" | "stepRequest" | "maskRequest" | "stepReply", ArraySpec[]>;
  seq: number;
}

export async function open(dispatcher: Dispatcher, fields: Record<string, unknown> = {}): Promise<Opened> {
  const { result } = await granted(dispatcher, {
    op: "open",
    requestId: newId(),
    scenarios: ["paper-v1"],
    numEnvs: 2,
    ...fields,
  });
  return openedOf(dispatcher, result);
}

/** The session of an `open`, a `resume` or a `fork`. */
export function openedOf(dispatcher: Dispatcher, result: Answer["result"]): Opened {
  const { session, epoch, layouts } = result;
  return { dispatcher, session, epoch, layouts, seq: 0 };
}

/** Header of a session's request. */
export function request(opened: Opened, op: string, seq: number, more: object = {}): Record<string, unknown> {
  const { session, epoch } = opened;
  return { op, session, epoch, group: 0, seq, ack: 0, ...more };
}

/** Sends the session's next request, and acknowledges all earlier ones. */
export function next(opened: Opened, op: string, more: object = {}, body?: Uint8Array): Promise<Answer> {
  opened.seq += 1;
  return ask(opened.dispatcher, request(opened, op, opened.seq, { ack: opened.seq - 1, ...more }), body);
}

export function actionsBody(opened: Opened, actions: readonly number[]): Uint8Array {
  const body = new Uint8Array(bodyBytes(opened.layouts.stepRequest));
  writeArray(body, opened.layouts.stepRequest[0], Int32Array.from(actions));
  return body;
}

export function seedsBody(opened: Opened, seeds: readonly number[], mask = seeds.map(() => 1)): Uint8Array {
  const body = new Uint8Array(bodyBytes(opened.layouts.resetRequest));
  const words = Int32Array.from(seeds.flatMap((seed) => [seed % 0x100000000, Math.floor(seed / 0x100000000)]));
  writeArray(body, opened.layouts.resetRequest[0], words);
  writeArray(body, opened.layouts.resetRequest[1], Uint8Array.from(mask));
  return body;
}

/** An array of a reply, by its name in a layout. */
export function arrayOf(layout: readonly ArraySpec[], answer: Answer, name: string): Values {
  return readArray(answer.body as Uint8Array, layout.find((spec) => spec.name === name) as ArraySpec);
}

/** An array of the reply to a step. */
export const array = (opened: Opened, answer: Answer, name: string) => arrayOf(opened.layouts.stepReply, answer, name);
