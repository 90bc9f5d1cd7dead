/** Fault run: mutated messages. Well-formed ones in between must get the right answer, and nothing may grow. */

import fc from "fast-check";
import { Dealer } from "zeromq";
import { Client } from "../../bridge/client/client.js";
import { encodeHeader } from "../../bridge/wire/header.js";
import { PROTOCOL_VERSION, type Request } from "../../bridge/wire/protocol.js";
import { BatchEnv } from "../../env/batch/batch-env.js";
import { mutated, type Parts } from "./mutations.js";
import { figure, relativeSlope, reportProgress, runPart, ServerUnderTest, statsOf } from "./part.js";

interface Sizes {
  readonly messages: number;
  readonly seed: number;
}

const LANES = 4;
/** Number of mutated messages between two well-formed ones. */
const BETWEEN = 50;
const LOOKS = 40;

const hex = (text: string) => text.repeat(32).slice(0, 32);
const message = (header: Record<string, unknown>, ...body: Uint8Array[]): Parts => [
  encodeHeader({ v: PROTOCOL_VERSION, ...header } as unknown as Request),
  ...body,
];

/** A message of every operation, for an open session. */
function realMessages(session: string): Parts[] {
  const ids = { session, epoch: 1, group: 0, seq: 3, ack: 2 };
  const requestId = hex("a1");
  const actions = new Uint8Array(8 * Math.ceil(LANES / 2));
  const small = { numServers: 2, episodeSlots: 4 };
  const text = new TextEncoder().encode("Server 1");
  return [
    message({ op: "hello", requestId }),
    message({ op: "ping", requestId, sessions: [session] }),
    message({ op: "stats", requestId }),
    message({ op: "scenarios", requestId, scenario: small }),
    message({ op: "open", requestId, scenarios: [small], numEnvs: LANES, seed: 3 }),
    message({ op: "resume", requestId, scenarios: [small], numEnvs: LANES, session: hex("7"), epoch: 2 }),
    message({ op: "reset", ...ids }, new Uint8Array(8 * LANES + 8)),
    message({ op: "step", ...ids }, actions),
    message({ op: "step", ...ids, seq: 1, ack: 0 }, actions),
    message({ op: "lookahead", ...ids, numSamples: 2, weight: 0.5, mode: "sequential", rates: "resampled" }),
    message({ op: "prompt", ...ids, template: "en-v1", perturbation: "noisy" }),
    message({ op: "snapshot", ...ids }),
    message(
      { op: "restore", ...ids, layout: [{ name: "lane", dtype: "int32", shape: [1], offset: 0 }] },
      new Uint8Array(8),
    ),
    message({ op: "fork", ...ids }),
    message({ op: "policy", ...ids, policy: "oracle", steps: 2 }),
    message(
      {
        op: "score",
        requestId,
        scenario: "paper-v1",
        layout: [
          { name: "stateOffsets", dtype: "uint32", shape: [2], offset: 0 },
          { name: "stateBytes", dtype: "uint8", shape: [8], offset: 8 },
          { name: "completionOffsets", dtype: "uint32", shape: [2], offset: 16 },
          { name: "completionBytes", dtype: "uint8", shape: [8], offset: 24 },
        ],
      },
      Uint8Array.from([0, 0, 0, 0, 8, 0, 0, 0, ...text, 0, 0, 0, 0, 8, 0, 0, 0, ...text]),
    ),
    message({ op: "evaluate", requestId, suite: "paper-table-2", policies: ["local"], episodes: 1 }),
    message({ op: "job-status", requestId, job: hex("9") }),
    message({ op: "job-result", requestId, job: hex("9"), page: 0 }),
    message({ op: "cancel", requestId, job: hex("9") }),
    message({ op: "close", ...ids, session: hex("8") }),
  ];
}

await runPart(async ({ messages, seed }: Sizes) => {
  // sessions that a mutated message opens by chance are closed soon
  const server = await ServerUnderTest.start(["--lease-seconds", "3", "--log-level", "error"]);
  const client = new Client(server.address);
  const vandal = new Dealer({ linger: 0, sendHighWaterMark: 0, receiveHighWaterMark: 0 });
  vandal.connect(server.address);
  let numReplies = 0;
  const listening = (async () => {
    for await (const _reply of vandal) numReplies += 1;
  })().catch(() => {}); // it was closed

  const session = await client.open({ scenarios: ["paper-v1"], numEnvs: LANES, seed: 5 });
  const expected = new BatchEnv({ scenarios: ["paper-v1"], numLanes: LANES, seed: 5, autoreset: "next-step" });
  const victim = (await client.open({ scenarios: ["paper-v1"], numEnvs: LANES })).info.session;
  const seeds = [11, 12, 13, 14];
  await session.reset(seeds);
  expected.reset(seeds);

  const mutatedMessages = fc.sample(fc.infiniteStream(mutated(realMessages(victim))), { numRuns: 1, seed })[0];
  const resident: number[] = [];
  let warm: { heldBytes: number } | undefined;
  let numRight = 0;
  let numAsked = 0;
  let numSent = 0;
  try {
    while (numSent < messages) {
      for (let i = 0; i < BETWEEN && numSent < messages; i++, numSent++) {
        const parts = mutatedMessages.next().value as Parts;
        // a ZeroMQ message has at least one part
        await vandal.send(parts.length === 0 ? [new Uint8Array(0)] : parts.map((part) => Buffer.from(part)));
      }
      const actions = Int32Array.from({ length: LANES }, (_, lane) => (numAsked + lane) % 7);
      const step = await session.step(actions);
      expected.step(actions);
      numAsked += 1;
      const same = (one: Float64Array | Float32Array, other: Float64Array | Float32Array) =>
        Buffer.compare(
          Buffer.from(one.buffer, one.byteOffset, one.byteLength),
          Buffer.from(other.buffer, other.byteOffset, other.byteLength),
        ) === 0;
      if (same(step.costSlots, expected.costSlots) && same(step.observation, expected.observation)) numRight += 1;
      if (numAsked % Math.ceil(messages / BETWEEN / LOOKS) === 0) {
        const held = await server.held();
        // the first tenth lets compilation, caches and bounded memories settle
        if (numSent >= messages / 10) {
          warm ??= held;
          resident.push(held.residentBytes);
        }
        reportProgress(numSent / messages, `${numSent} mutated messages`);
      }
    }
    // before the last look, the server has closed the sessions that were opened by chance
    const deadline = Date.now() + 20_000;
    while ((await statsOf(client)).sessions > 2 && Date.now() < deadline) {
      await session.step(new Int32Array(LANES));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const held = await server.held();
    const { errors } = await statsOf(client);
    return [
      figure("malformed/sent", numSent, "messages", "higher"),
      figure("malformed/answered", numReplies, "messages", "higher"),
      figure("malformed/server-alive", server.isRunning ? 1 : 0, "1", "higher", 1),
      figure("malformed/well-formed", numAsked, "messages", "higher"),
      figure("malformed/well-formed-right", numRight / numAsked, "1", "higher", 1),
      figure("malformed/internal-errors", errors.internalError ?? 0, "messages", "lower", 0),
      figure("malformed/held", held.heldBytes / (warm ?? held).heldBytes, "1", "lower", 1.05),
      figure("malformed/resident-slope", relativeSlope(resident), "1", "lower", 0.05),
    ];
  } finally {
    vandal.close();
    client.close();
    await listening;
    await server.close();
  }
});
