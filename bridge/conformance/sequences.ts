/** Rules of docs/protocol.md about sequence numbers: order, repetition, acknowledgement, refusals and close. */

import { newId, type RawReply } from "../client/raw-socket.js";
import { bodyHex, resetBody, stepArrays, stepBody } from "./bodies.js";
import { type Check, expect, expectEqual, expectError, resultOf } from "./server-under-test.js";

const hex = (part: Buffer) => part.toString("hex");

export const sequenceChecks: readonly Check[] = [
  {
    name: "order",
    rule: "requests are carried out in the order of seq; a request that comes early is held until its turn",
    run: async (server) => {
      const session = await server.open();
      await session.call("reset", resetBody(session, 1, 2));
      const first = session.header("step");
      const second = session.header("step", { seq: Number(first.seq) + 1, ack: first.ack });
      await server.socket.send(second, stepBody(session, 2, 2));
      await server.socket.send(first, stepBody(session, 1, 1));
      const replies = [await server.socket.receive(), await server.socket.receive()];
      expectEqual(
        replies.map(({ header }) => header.seq),
        [first.seq, second.seq],
        "seq of the replies",
      );
      expectEqual(
        replies.map((reply) => stepArrays(session, reply).executedAction),
        [
          [1, 1],
          [2, 2],
        ],
        "executed actions",
      );
      session.advance(0, 2);
    },
  },
  {
    name: "window",
    rule: "a seq more than maxInFlight beyond ack gets windowExceeded and uses up no seq",
    run: async (server) => {
      const session = await server.open();
      const early = session.header("reset", { seq: server.limits.maxInFlight + 1 });
      expectError(await server.socket.exchange({ ...early, ack: 0 }), "windowExceeded");
      stepArrays(session, await session.call("reset"));
    },
  },
  {
    name: "repetition",
    rule: "a repeated request gets the same reply, byte for byte, and is carried out once",
    run: async (server) => {
      const [session, other] = [await server.open(), await server.open()];
      for (const one of [session, other]) await one.call("reset", resetBody(one, 5, 6));
      const header = session.header("step");
      const replies: RawReply[] = [];
      for (let i = 0; i < 3; i++) replies.push(await server.socket.exchange(header, stepBody(session, 1, 0)));
      for (const { parts } of replies) {
        expectEqual(parts.map(hex), replies[0].parts.map(hex), "parts of a repeated reply");
      }
      session.advance();
      await other.call("step", stepBody(other, 1, 0));
      const next = await session.call("step", stepBody(session, 2, 2));
      expectEqual(bodyHex(next), bodyHex(await other.call("step", stepBody(other, 2, 2))), "the step after it");
    },
  },
  {
    name: "conflict",
    rule: "the same seq with a different request gets sequenceConflict",
    run: async (server) => {
      const session = await server.open();
      const header = session.header("reset");
      resultOf(await server.socket.exchange(header, resetBody(session, 1, 2)));
      expectError(await server.socket.exchange(header, resetBody(session, 1, 3)), "sequenceConflict");
      session.advance();
    },
  },
  {
    name: "acknowledged",
    rule: "a seq at or below ack gets staleSequence; an ack ahead of what was carried out is refused",
    run: async (server) => {
      const session = await server.open();
      const first = session.header("reset");
      await session.call("reset");
      await session.call("reset");
      expectError(await server.socket.exchange(first), "staleSequence");
      expectError(await server.socket.exchange(session.header("step", { ack: 9 })), "invalidRequest", "/ack");
    },
  },
  {
    name: "strangers",
    rule: "an unknown group, epoch or session is refused: invalidRequest, staleEpoch, unknownSession",
    run: async (server) => {
      const session = await server.open();
      expectError(await server.socket.exchange(session.header("reset", { group: 7 })), "invalidRequest", "/group");
      expectError(await server.socket.exchange(session.header("reset", { epoch: 99 })), "staleEpoch");
      const unknown = await server.socket.exchange(session.header("reset", { session: newId() }));
      const { code } = (unknown.header.error ?? {}) as { code?: string };
      expect(code === "unknownSession" || code === "staleEpoch", `an unknown session gets ${code}`);
    },
  },
  {
    name: "refusal-uses-seq",
    rule: "a request that is refused for its content uses up its seq, and changes nothing else",
    run: async (server) => {
      const [session, other] = [await server.open(), await server.open()];
      for (const one of [session, other]) await one.call("reset", resetBody(one, 5, 6));
      expectError(await session.call("step", new Uint8Array(4)), "invalidBody");
      expectError(await session.call("step", stepBody(session, 1, 1), { surprise: 1 }), "invalidRequest");
      const after = await session.call("step", stepBody(session, 1, 1));
      expectEqual(
        bodyHex(after),
        bodyHex(await other.call("step", stepBody(other, 1, 1))),
        "the step after the refusals",
      );
    },
  },
  {
    name: "close",
    rule: "close ends a session; later requests get unknownSession, and so do held ones",
    run: async (server) => {
      const session = await server.open({ groups: 2 });
      const held = session.header("step", { group: 1, seq: 2, ack: 0 });
      await server.socket.send(held, stepBody(session, 1));
      expectEqual(resultOf(await session.call("close")), {}, "result of close");
      expectError(await server.socket.receive(), "unknownSession");
      expectError(await server.socket.exchange(session.header("reset")), "unknownSession");
    },
  },
];
