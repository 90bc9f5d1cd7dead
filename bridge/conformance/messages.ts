/** Rules of docs/protocol.md about messages: parts, headers, ids, versions, and operations without a session. */

import { newId } from "../client/raw-socket.js";
import { encodeHeader } from "../wire/header.js";
import { PROTOCOL_VERSION, type Request } from "../wire/protocol.js";
import { type Check, expect, expectEqual, expectError, resultOf } from "./server-under-test.js";

const MAJOR = PROTOCOL_VERSION.split(".")[0];
/** How long to wait for a second reply, ms. */
const SILENCE_MS = 150;

const ping = (fields: Record<string, unknown> = {}) => ({
  v: PROTOCOL_VERSION,
  op: "ping",
  requestId: newId(),
  ...fields,
});
const encoded = (header: Record<string, unknown>) => Buffer.from(encodeHeader(header as unknown as Request));

/** A ping with an extra field, whose value is the given msgpack. */
function withValue(value: Buffer): Buffer {
  const header = encoded(ping());
  header[0] += 1; // one more entry in the map
  return Buffer.concat([header, Buffer.from([0xa1, 0x78]), value]);
}

const nested = (levels: number) => Buffer.concat([Buffer.alloc(levels, 0x91), Buffer.from([0xc0])]);

/** Headers that cannot be read. */
const unreadable: readonly [string, Buffer, string][] = [
  ["no-msgpack", Buffer.from([0xc1]), "a header that is not msgpack"],
  ["empty", Buffer.alloc(0), "an empty header"],
  ["no-map", Buffer.from([0x91, 0x01]), "a header that is not a map"],
  ["cut", encoded(ping()).subarray(0, 20), "a header that ends early"],
  ["trailing", Buffer.concat([encoded(ping()), Buffer.from([0x00])]), "bytes after the header"],
  ["extension-type", withValue(Buffer.from([0xd4, 0x01, 0x00])), "an extension type"],
  ["timestamp", withValue(Buffer.from("d6ff00000000", "hex")), "a timestamp, which is an extension type"],
  ["number-key", Buffer.from([0x81, 0x01, 0x02]), "a key that is not text"],
  ["huge-count", Buffer.from("dfffffffff", "hex"), "a map that claims 2^32 − 1 entries"],
  ["huge-text", withValue(Buffer.from("dbffffffff", "hex")), "a text that claims 2^32 − 1 bytes"],
  ["bad-utf8", withValue(Buffer.from([0xa1, 0xff])), "a text that is not UTF-8"],
];

const unreadableChecks: Check[] = unreadable.map(([name, bytes, what]) => ({
  name: `header-${name}`,
  rule: `${what} gets malformedMessage with op and requestId null, and the next request is answered`,
  run: async ({ socket }) => {
    const reply = await socket.exchange(bytes);
    expectError(reply, "malformedMessage");
    expectEqual([reply.header.op, reply.header.requestId], [null, null], "op and requestId");
    resultOf(await socket.exchange(ping()));
  },
}));

export const messageChecks: readonly Check[] = [
  {
    name: "one-reply",
    rule: "every request gets exactly one reply of one or two parts",
    run: async ({ socket }) => {
      const reply = await socket.exchange(ping());
      expect(reply.parts.length <= 2, `a reply of ${reply.parts.length} parts`);
      // a second reply comes before that to a later request, however slow the machine is; then nothing may follow
      const next = await socket.ask("hello");
      expect(next.header.op === "hello", "a second reply to one request");
      expect(await socket.isSilentFor(SILENCE_MS), "a second reply to one request");
    },
  },
  {
    name: "reply-ids",
    rule: "a reply repeats op and ids, and has the server's own version",
    run: async ({ socket }) => {
      const request = ping();
      const { header } = await socket.exchange(request);
      expectEqual([header.op, header.requestId], [request.op, request.requestId], "op and requestId");
      expect(/^\d+\.\d+$/.test(String(header.v)), `a reply with v ${JSON.stringify(header.v)}`);
      expectEqual(header.ok, true, "ok");
    },
  },
  {
    name: "parts",
    rule: "a request of more than two parts gets malformedMessage",
    run: async ({ socket }) =>
      expectError(await socket.exchange(ping(), Buffer.alloc(8), Buffer.alloc(8)), "malformedMessage"),
  },
  ...unreadableChecks,
  {
    name: "header-depth",
    rule: "a header of maxHeaderDepth levels is read, one more level gets malformedMessage",
    run: async ({ socket, limits }) => {
      expectError(await socket.exchange(withValue(nested(limits.maxHeaderDepth - 1))), "invalidRequest");
      expectError(await socket.exchange(withValue(nested(limits.maxHeaderDepth))), "malformedMessage");
    },
  },
  {
    name: "header-bytes",
    rule: "a header of more than maxHeaderBytes gets malformedMessage",
    run: async ({ socket, limits }) => {
      expectError(await socket.exchange(ping({ x: "y".repeat(limits.maxHeaderBytes) })), "malformedMessage");
    },
  },
  {
    name: "version-major",
    rule: "another major version gets versionMismatch, which names both versions",
    run: async ({ socket }) => {
      const other = `${Number(MAJOR) + 1}.0`;
      const reply = await socket.exchange(ping({ v: other }));
      expectError(reply, "versionMismatch");
      const { expected, got } = reply.header.error as Record<string, string>;
      expect(expected.includes(String(reply.header.v)), `\`expected\` ${expected} does not name the server's version`);
      expect(got.includes(other), `\`got\` ${got} does not name the client's version`);
    },
  },
  {
    name: "version-minor",
    rule: "every minor version of the major version is accepted",
    run: async ({ socket }) => {
      for (const minor of ["0", "99"]) resultOf(await socket.exchange(ping({ v: `${MAJOR}.${minor}` })));
    },
  },
  {
    name: "unknown-operation",
    rule: "an operation that the server does not have gets unknownOperation",
    run: async ({ socket }) => expectError(await socket.ask("no-such-operation"), "unknownOperation"),
  },
  {
    name: "unknown-field",
    rule: "unknown fields of a request are refused",
    run: async ({ socket }) => expectError(await socket.ask("ping", { surprise: 1 }), "invalidRequest"),
  },
  {
    name: "request-id",
    rule: "a requestId is 32 lowercase hexadecimal digits; anything else is refused and not repeated in the reply",
    run: async ({ socket }) => {
      for (const requestId of ["A".repeat(32), "0".repeat(31), 7]) {
        const reply = await socket.exchange(ping({ requestId }));
        expectError(reply, "invalidRequest");
        expectEqual(reply.header.requestId, null, "requestId of the reply");
      }
    },
  },
  {
    name: "body-without-use",
    rule: "a body with an operation that takes none gets invalidBody",
    run: async ({ socket }) => expectError(await socket.ask("hello", {}, Buffer.alloc(8)), "invalidBody"),
  },
  {
    name: "hello",
    rule: "hello names versions, the instance, capabilities and limits",
    run: async ({ socket }) => {
      const result = resultOf(await socket.ask("hello"));
      expect(String(result.protocolVersion).split(".")[0] === MAJOR, `protocolVersion ${result.protocolVersion}`);
      expect(typeof result.packageVersion === "string", "no packageVersion");
      expect(/^[0-9a-f]{32}$/.test(String(result.instance)), `instance ${JSON.stringify(result.instance)}`);
      expect(Array.isArray(result.capabilities), "no list of capabilities");
      const limits = Object.entries((result.limits ?? {}) as Record<string, unknown>);
      for (const name of [
        "maxHeaderBytes",
        "maxHeaderDepth",
        "maxBodyBytes",
        "maxReplyBytes",
        "maxSessions",
        "maxLanes",
        "maxInFlight",
      ]) {
        expect(
          limits.some(([one]) => one === name),
          `no limit ${name}`,
        );
      }
      for (const [name, value] of limits)
        expect(typeof value === "number" && value >= 0, `limit ${name} is not a number`);
    },
  },
  {
    name: "hello-capabilities",
    rule: "hello with a list of capabilities returns those that the server has",
    run: async ({ socket, capabilities }) => {
      const asked = [...capabilities.slice(0, 1), "no-such-capability"];
      const result = resultOf(await socket.ask("hello", { capabilities: asked }));
      expectEqual(result.capabilities, capabilities.slice(0, 1), "capabilities");
    },
  },
  {
    name: "ping-sessions",
    rule: "ping with a list of sessions returns those that the server does not know",
    run: async (server) => {
      const { session } = (await server.open()).opened;
      const stranger = newId();
      const result = resultOf(await server.socket.ask("ping", { sessions: [session, stranger] }));
      expectEqual(result.lost, [stranger], "lost");
    },
  },
  {
    name: "scenarios",
    rule: "scenarios lists all scenarios, or the one that is named or given; an unknown one gets unknownScenario",
    run: async ({ socket }) => {
      const all = resultOf(await socket.ask("scenarios")).scenarios as Record<string, unknown>[];
      expect(
        all.some(({ id }) => id === "paper-v1"),
        "no paper-v1 in the list",
      );
      const one = resultOf(await socket.ask("scenarios", { scenario: "paper-v1" })).scenarios;
      expectEqual(
        one,
        all.filter(({ id }) => id === "paper-v1"),
        "the one scenario",
      );
      const [own] = resultOf(await socket.ask("scenarios", { scenario: { numServers: 3 } })).scenarios as Record<
        string,
        unknown
      >[];
      expectEqual((own.scenario as Record<string, unknown>).numServers, 3, "numServers of the given scenario");
      expectError(await socket.ask("scenarios", { scenario: "nowhere" }), "unknownScenario");
      expectError(await socket.ask("scenarios", { scenario: { numServers: -1 } }), "invalidScenario");
    },
  },
  {
    name: "stats",
    rule: "stats counts sessions and shows no session id",
    needs: "stats",
    run: async (server) => {
      const { session } = (await server.open()).opened;
      const reply = await server.socket.ask("stats");
      expect(Number(resultOf(reply).sessions) >= 1, "a session is open, but stats counts none");
      expect(!JSON.stringify(reply.header.result).includes(String(session)), "stats shows a session id");
    },
  },
  {
    name: "unknown-job",
    rule: "a job that the server does not know gets unknownJob",
    needs: "evaluate",
    run: async ({ socket }) => {
      for (const op of ["job-status", "cancel"]) expectError(await socket.ask(op, { job: newId() }), "unknownJob");
      expectError(await socket.ask("job-result", { job: newId(), page: 0 }), "unknownJob");
    },
  },
];
