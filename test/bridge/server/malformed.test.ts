/** Messages that are spoilt in every way: none crashes a host, and well-formed ones in between are answered rightly. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultLimits, type Message } from "../../../bridge/server/dispatcher.js";
import { decodeHeader, encodeHeader, type Request } from "../../../bridge/wire/protocol.js";
import { checkRequest, isPlainStep } from "../../../bridge/wire/requests.js";
import { BatchEnv } from "../../../env/index.js";
import { findProblem } from "../../../schemas/validate.js";
import {
  actionsBody,
  array,
  makeHost,
  messageOf,
  newId,
  next,
  open,
  places,
  request,
  seedsBody,
  tell,
} from "../host-client.js";

const NUM_MESSAGES = 10_000;
const SEED = 20_260_101;

/** Ways to spoil a message of one or two parts. */
type Spoil = (message: Message, at: number, byte: number) => Message;
const ofHeader =
  (change: (header: Uint8Array, at: number, byte: number) => Uint8Array): Spoil =>
  ([header, ...rest], at, byte) => [change(header, at, byte), ...rest];
/** Puts a value in place of the header's first one, `v`. */
const inPlaceOfV = (value: number[]) =>
  ofHeader((header) => Uint8Array.from([header[0], 0xa1, 0x76, ...value, ...header.subarray(7)]));
const spoils: Spoil[] = [
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
  inPlaceOfV([0xc7, 0x02, 0x72, 0x00, 0x00]), // one that msgpackr gives a meaning
  inPlaceOfV([0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]), // NaN
  inPlaceOfV([0xc0]),
  inPlaceOfV([0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), // 2^64 − 1
  inPlaceOfV([0xa3, 0xff, 0xfe, 0xfd]), // no UTF-8
  () => [],
  ([header]) => [header],
  (message) => [...message, new Uint8Array(8)],
  ([header, body = new Uint8Array(0)], at) => [header, body.subarray(0, at % (body.length + 1))],
  ([header], at) => [header, new Uint8Array(at % 5000)],
  (message) => [message[1] ?? new Uint8Array(0), message[0]],
  (message) => message, // sent again as it is
];

describe.each(places)("a host with its lanes in %s", (place) => {
  const count = place === "inline" ? NUM_MESSAGES : NUM_MESSAGES / 10;

  it(`answers ${count} messages of which most are spoilt, and plays on`, async () => {
    const reported: unknown[] = [];
    const host = makeHost(place, {
      limits: { ...defaultLimits, maxSessions: 20, maxLanes: 400 },
      report: (error) => reported.push(error),
    });
    const opened = await open(host, { numEnvs: 2 });
    const victim = await open(host, { numEnvs: 2 });
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
      how: fc.nat(spoils.length - 1),
      at: fc.nat(),
      byte: fc.nat(255),
    });
    const samples = fc.sample(one, { numRuns: count, seed: SEED });
    for (const [i, { which, how, at, byte }] of samples.entries()) {
      const message = spoils[how](valid[which](), at, byte);
      const answers = await tell(host, message);
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
    expect(host.numSessions).toBeLessThanOrEqual(20);
  });
});

describe("the short way for steps", () => {
  const operations = new Set(["step", "hello"]);
  const step = { v: "1.2", op: "step", session: "0".repeat(32), epoch: 1, group: 0, seq: 1, ack: 0 };
  const anything = fc.oneof(
    fc.constantFrom(
      0,
      1,
      -1,
      0.5,
      65_535,
      65_536,
      2 ** 53 - 1,
      2 ** 53,
      Number.NaN,
      "1.2",
      "1.1",
      "2.0",
      "step",
      null,
      true,
    ),
    fc.string(),
    fc.constant(step.session),
    fc.constant([]),
  );
  const names = fc.constantFrom(...Object.keys(step), "requestId", "colour");

  it("takes nothing that the schema does not", () => {
    let numTaken = 0;
    const changes = fc.array(fc.tuple(names, anything, fc.boolean()), { maxLength: 3 });
    fc.assert(
      fc.property(changes, (list) => {
        const header: Record<string, unknown> = { ...step };
        for (const [name, value, isGone] of list) {
          if (isGone) delete header[name];
          else header[name] = value;
        }
        if (!isPlainStep(header)) return;
        numTaken++;
        expect(findProblem("request", structuredClone(header))).toBeUndefined();
      }),
      { numRuns: 5000, seed: SEED },
    );
    expect(numTaken).toBeGreaterThan(500);
  });

  it("takes every step of our clients", () => {
    const header = decodeHeader(encodeHeader(step as unknown as Request));
    expect(isPlainStep(header)).toBe(true);
    expect(checkRequest(header, operations)).toBe(header);
  });
});
