/** Talks to a SessionHost as a client does, without a socket: in this thread, or with its lanes in others. */

import { afterAll, expect } from "vitest";
import { workerEntry } from "../../benchmarks/jobs/worker-pool.js";
import { policyBook } from "../../bridge/composition/native-policies.js";
import { type HostOptions, type Message, SessionHost } from "../../bridge/server/dispatcher.js";
import {
  type ArraySpec,
  bodyBytes,
  decodeHeader,
  encodeHeader,
  type Request,
  readArray,
  type Values,
  writeArray,
} from "../../bridge/wire/protocol.js";
import { findProblem } from "../../schemas/validate.js";

let requests = 0;
export const newId = () => (requests++).toString(16).padStart(32, "0");

export interface Answer {
  readonly header: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: what a result holds is what a test is about
  readonly result: any;
  readonly error: { code: string; path: string; expected: string; got: string } | undefined;
  readonly body: Uint8Array | undefined;
}

/** A reply as it would arrive: a copy, for the host uses its memory again. */
export function read(message: Message): Answer {
  const header = decodeHeader(message[0]);
  expect(findProblem("reply", structuredClone(header))).toBeUndefined();
  const body = message[1] === undefined ? undefined : Uint8Array.from(message[1]);
  return { header, result: header.result, error: header.error as Answer["error"], body };
}

const hosts: SessionHost[] = [];
afterAll(() => Promise.all(hosts.splice(0).map((host) => host.close())));

/** Where the lanes of a host are. */
export type Place = "inline" | "threads";
export const places: readonly Place[] = ["inline", "threads"];

export function makeHost(place: Place, options: Partial<HostOptions> = {}): SessionHost {
  const threads = place === "inline" ? {} : { threads: { count: 2, entry: workerEntry() }, maxInlineLanes: 0 };
  const host = new SessionHost({ packageVersion: "0.0.0", policies: policyBook, ...threads, ...options });
  hosts.push(host);
  return host;
}

/** Replies that a host has sent and no test has taken, to whichever request. */
const inboxes = new WeakMap<SessionHost, Answer[]>();

const shared = new Map<Place, SessionHost>();

/** One host for all tests of a file that do not mind each other's sessions: threads take a while to start. */
export function sharedHost(place: Place): SessionHost {
  const host = shared.get(place) ?? makeHost(place);
  shared.set(place, host);
  return host;
}

/** Sends a message; gives all replies that come until the host is at rest, those to held requests among them. */
export async function tell(host: SessionHost, message: Message): Promise<Answer[]> {
  inboxes.set(host, []);
  host.handle(message, (reply) => inboxes.get(host)?.push(read(reply)));
  await rest(host);
  return inboxes.get(host) as Answer[];
}

async function rest(host: SessionHost): Promise<void> {
  const isBusy = () => host.stats().workers.some(({ queued }) => queued > 0);
  while (isBusy()) await new Promise((resolve) => setTimeout(resolve, 0));
}

export function messageOf(header: Record<string, unknown>, body?: Uint8Array): Message {
  const head = encodeHeader({ v: "1.2", ...header } as unknown as Request);
  return body === undefined ? [head] : [head, body];
}

/** Sends a request; gives its reply. */
export async function ask(host: SessionHost, header: Record<string, unknown>, body?: Uint8Array): Promise<Answer> {
  const answers = await tell(host, messageOf(header, body));
  expect(answers).toHaveLength(1);
  return answers[0];
}

/** Sends a request that must be granted. */
export async function granted(host: SessionHost, header: Record<string, unknown>, body?: Uint8Array): Promise<Answer> {
  const answer = await ask(host, header, body);
  expect(answer.error).toBeUndefined();
  return answer;
}

/** An open session whose requests follow one another in group 0 unless they say otherwise. */
export interface Opened {
  readonly host: SessionHost;
  readonly session: string;
  readonly epoch: number;
  readonly layouts: Record<"resetRequest" | "stepRequest" | "maskRequest" | "stepReply", ArraySpec[]>;
  seq: number;
}

export async function open(host: SessionHost, fields: Record<string, unknown> = {}): Promise<Opened> {
  const { result } = await granted(host, {
    op: "open",
    requestId: newId(),
    scenarios: ["paper-v1"],
    numEnvs: 2,
    ...fields,
  });
  return openedOf(host, result);
}

/** The session of an `open`, a `resume` or a `fork`. */
export function openedOf(host: SessionHost, result: Answer["result"]): Opened {
  const { session, epoch, layouts } = result;
  return { host, session, epoch, layouts, seq: 0 };
}

/** Header of a session's request. */
export function request(opened: Opened, op: string, seq: number, more: object = {}): Record<string, unknown> {
  const { session, epoch } = opened;
  return { op, session, epoch, group: 0, seq, ack: 0, ...more };
}

/** Sends the session's next request, all before it acknowledged. */
export function next(opened: Opened, op: string, more: object = {}, body?: Uint8Array): Promise<Answer> {
  opened.seq += 1;
  return ask(opened.host, request(opened, op, opened.seq, { ack: opened.seq - 1, ...more }), body);
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

/** One array of a reply, by its name in a layout. */
export function arrayOf(layout: readonly ArraySpec[], answer: Answer, name: string): Values {
  return readArray(answer.body as Uint8Array, layout.find((spec) => spec.name === name) as ArraySpec);
}

/** One array of a reply to a step. */
export const array = (opened: Opened, answer: Answer, name: string) => arrayOf(opened.layouts.stepReply, answer, name);
