/** Malformed messages of all kinds: none crashes a dispatcher, and valid ones in between are answered correctly. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultLimits } from "../../../bridge/server/limits.js";
import type { Message } from "../../../bridge/server/replies.js";
import { BatchEnv } from "../../../env/index.js";
import {
  actionsBody,
  array,
  makeDispatcher,
  messageOf,
  newId,
  next,
  open,
  places,
  request,
  seedsBody,
  tell,
} from "../dispatcher-client.js";

const NUM_MESSAGES = 10_000;
const SEED = 20_260_101;

/** A way to damage a message of one or two parts. */
type Damage = (message: Message, at: number, byte: number) => Message;
const ofHeader =
  (change: (header: Uint8Array, at: number, byte: number) => Uint8Array): Damage =>
  ([header, ...rest], at, byte) => [change(header, at, byte), ...rest];
/** Replaces the first value of the header, `v`. */
const inPlaceOfV = (value: number[]) =>
  ofHeader((header) => Uint8Array.from([header[0], 0xa1, 0x76, ...value, ...header.subarray(7)]));
const damages: Damage[] = [
  ofHeader((header, at) => header.subarray(0, at % (header.length + 1))),
  ofHeader((header, at, byte) => header.map((old, i) => (i === at % header.length ? byte : old))),
  ofHeader((header, at, byte) =>
    Uint8Array.from([...header.subarray(0, at % header.length), byte, ...header.subarray(at % header.length)]),
  ),
  ofHeader((header, _at, byte) => Uint8Array.from([...header, byte])),
  inPlaceOfV([0xdb, 0xff, 0xff, 0xff, 0xff]), // a text of 4 GiB
  inPlaceOfV([0xdd, 0xff, 0xff, 0xff, 0xff]), // a list of 4 billion entries
  inPlaceOfV([0xdf, 0x7f, 0xff, 0xff, 0xff]), // a map as large
  inPlaceOfV(Array(200).fill(0x91)), // a deep list
  inPlaceOfV([0xd4, 0x01, 0x00]), // an extension type
  inPlaceOfV([0xc7, 0x02, 0x72, 0x00, 0x00]), // one that msgpackr interprets
  inPlaceOfV([0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]), // NaN
  inPlaceOfV([0xc0]),
  inPlaceOfV([0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), // 2^64 − 1
  inPlaceOfV([0xa3, 0xff, 0xfe, 0xfd]), // not UTF-8
  () => [],
  ([header]) => [header],
  (message) => [...message, new Uint8Array(8)],
  ([header, body = new Uint8Array(0)], at) => [header, body.subarray(0, at % (body.length + 1))],
  ([header], at) => [header, new Uint8Array(at % 5000)],
  (message) => [message[1] ?? new Uint8Array(0), message[0]],
  (message) => message, // sent again as it is
];

describe.each(places)("a dispatcher with its lanes in %s", (place) => {
  const count = place === "inline" ? NUM_MESSAGES : NUM_MESSAGES / 10;

  it(`answers ${count} messages, most of them malformed, and continues to play correctly`, async () => {
    const reported: unknown[] = [];
    const dispatcher = makeDispatcher(place, {
      limits: { ...defaultLimits, maxSessions: 20, maxLanes: 400 },
      report: (error) => reported.push(error),
    });
    const opened = await open(dispatcher, { numEnvs: 2 });
    const victim = await open(dispatcher, { numEnvs: 2 });
    const env = new BatchEnv({
      scenarios: ["paper-v1"],
      numLanes: 2,
      autoreset: "next-step",
      invalidActions: "costliest",
    });
    env.reset([4, 5]);
    await next(opened, "reset", {}, seedsBody(opened, [4, 5]));
    const valid: (() => Message)[] = [
      () => messageOf({ op: "hello", requestId: newId() }),
      () => messageOf({ op: "ping", requestId: newId(), sessions: [victim.session] }),
      () => messageOf({ op: "open", requestId: newId(), scenarios: ["paper-v1"], numEnvs: 1 }),
      () => messageOf(request(victim, "reset", 1)),
      () => messageOf(request(victim, "step", 2), actionsBody(victim, [1, 2])),
      () => messageOf(request(victim, "snapshot", 3)),
      () => messageOf({ op: "score", requestId: newId(), scenario: "paper-v1", layout: [] }, new Uint8Array(16)),
      () => messageOf({ op: "stats", requestId: newId() }),
    ];
    const one = fc.record({
      which: fc.nat(valid.length - 1),
      how: fc.nat(damages.length - 1),
      at: fc.nat(),
      byte: fc.nat(255),
    });
    const samples = fc.sample(one, { numRuns: count, seed: SEED });
    for (const [i, { which, how, at, byte }] of samples.entries()) {
      const message = damages[how](valid[which](), at, byte);
      const answers = await tell(dispatcher, message);
      for (const { header, error } of answers) {
        expect(header.ok === true || typeof error?.code === "string").toBe(true);
        expect(error?.code).not.toBe("internalError");
      }
      if (i % 10 > 0) continue;
      const actions = [i % 7, (i * 3) % 8];
      env.step(actions);
      const step = await next(opened, "step", {}, actionsBody(opened, actions));
      expect(array(opened, step, "observation")).toEqual(env.observation);
      expect(array(opened, step, "costSlots")).toEqual(env.costSlots);
    }
    expect(reported).toEqual([]);
    expect(dispatcher.numSessions).toBeLessThanOrEqual(20);
  });
});
