/** Rules of docs/protocol.md about branching: snapshots, forks, and sessions that are resumed. */

import { createHash } from "node:crypto";
import { newId } from "../client/raw-socket.js";
import type { ArraySpec } from "../wire/array-layout.js";
import { bodyHex, startSession, stepArrays, stepBody } from "./bodies.js";
import {
  type Check,
  expectEqual,
  expectError,
  resultOf,
  type SessionUnderTest,
  smallSession,
} from "./server-under-test.js";

/** A snapshot of a group: the body and layout that restore it, and the hashes of its lanes. */
async function takeSnapshot(session: SessionUnderTest) {
  const reply = await session.call("snapshot");
  const result = resultOf(reply);
  const layout = result.layout as ArraySpec[];
  const find = (name: string) => layout.find((spec) => spec.name === name) as ArraySpec;
  const bytes = (name: string) => {
    const { offset, shape, dtype } = find(name);
    const width = dtype === "uint8" ? 1 : 4;
    const length = shape.reduce((product, n) => product * n, width);
    return (reply.body as Buffer).subarray(offset, offset + length);
  };
  const hash = createHash("sha256");
  for (const name of ["lane", "stateHash", "snapshotOffsets", "snapshotBytes"]) hash.update(bytes(name));
  expectEqual(result.digest, hash.digest("hex"), "digest of a snapshot");
  const restored = layout.filter(({ name }) => name !== "stateHash");
  return { body: reply.body as Buffer, layout: restored, hash: Buffer.from(bytes("stateHash")).toString("hex") };
}

export const branchingChecks: readonly Check[] = [
  {
    name: "restore",
    rule: "after a restore, the same actions give the same bytes; the digest of a snapshot is that of its arrays",
    needs: "restore",
    run: async (server) => {
      const session = await startSession(server);
      const { body, layout, hash } = await takeSnapshot(session);
      const play = async () => {
        const seen: string[] = [];
        for (let i = 0; i < 5; i++) seen.push(bodyHex(await session.call("step", stepBody(session, i % 4, 1))));
        return seen;
      };
      const first = await play();
      stepArrays(session, await session.call("restore", body, { layout }));
      expectEqual((await takeSnapshot(session)).hash, hash, "state hash after the restore");
      expectEqual(await play(), first, "the steps after the restore");
    },
  },
  {
    name: "damaged-snapshot",
    rule: "a damaged snapshot gets invalidSnapshot and changes nothing",
    needs: "restore",
    run: async (server) => {
      const session = await startSession(server);
      const { body, layout, hash } = await takeSnapshot(session);
      const damaged = Buffer.from(body);
      const { offset } = layout.find(({ name }) => name === "snapshotBytes") as ArraySpec;
      damaged[offset] ^= 0xff;
      expectError(await session.call("restore", damaged, { layout }), "invalidSnapshot");
      expectEqual((await takeSnapshot(session)).hash, hash, "state hash after the refusal");
    },
  },
  {
    name: "fork",
    rule: "a forked session continues like the original, and the two are independent",
    needs: "fork",
    run: async (server) => {
      const session = await startSession(server);
      const copy = server.adopt(resultOf(await session.call("fork")));
      for (let i = 0; i < 5; i++) {
        const one = await copy.call("step", stepBody(copy, i % 4, 1));
        expectEqual(
          bodyHex(await session.call("step", stepBody(session, i % 4, 1))),
          bodyHex(one),
          "a step of the copy",
        );
      }
    },
  },
  {
    name: "resume",
    rule: "resume keeps the lanes of a known session, raises its epoch and refuses the old epoch",
    needs: "resume",
    run: async (server) => {
      const session = await startSession(server);
      const { hash } = await takeSnapshot(session);
      const old = session.header("step");
      const result = resultOf(
        await server.socket.ask("resume", { ...smallSession, session: session.opened.session, epoch: 1 }),
      );
      expectEqual(
        [result.epoch, result.isFresh, result.session],
        [2, false, session.opened.session],
        "epoch, isFresh, session",
      );
      expectError(await server.socket.exchange(old, stepBody(session, 1, 1)), "staleEpoch");
      session.restart(2);
      expectEqual((await takeSnapshot(session)).hash, hash, "state hash after resuming");
    },
  },
  {
    name: "resume-unknown",
    rule: "resume of an unknown session opens it under that id, with lanes that need a reset",
    needs: "resume",
    run: async (server) => {
      const session = newId();
      const result = resultOf(await server.socket.ask("resume", { ...smallSession, session, epoch: 4 }));
      expectEqual([result.epoch, result.isFresh, result.session], [5, true, session], "epoch, isFresh, session");
      const resumed = server.adopt(result);
      expectError(await resumed.call("step", stepBody(resumed, 1, 1)), "needsReset");
    },
  },
];
