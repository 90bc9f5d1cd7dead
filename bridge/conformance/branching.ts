/** Rules of docs/protocol.md about branching: snapshots, copies, and sessions that come back. */

import { createHash } from "node:crypto";
import { newId } from "../client/raw-socket.js";
import type { ArraySpec } from "../wire/protocol.js";
import { bytesOf, resetBody, stepArrays, stepBody } from "./bodies.js";
import { type Check, expectEqual, expectError, resultOf, type SessionUnderTest } from "./server-under-test.js";

/** A snapshot of a group: its reply, and the body and layout that restore it. */
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
    rule: "after a restore the same actions bring the same bytes; the digest of a snapshot is that of its arrays",
    needs: "restore",
    run: async (server) => {
      const session = await server.open();
      await session.call("reset", resetBody(session, 7, 8));
      const { body, layout, hash } = await takeSnapshot(session);
      const play = async () => {
        const seen: string[] = [];
        for (let i = 0; i < 5; i++) seen.push(bytesOf(await session.call("step", stepBody(session, i % 4, 1))));
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
      const session = await server.open();
      await session.call("reset", resetBody(session, 7, 8));
      const { body, layout, hash } = await takeSnapshot(session);
      const spoilt = Buffer.from(body);
      const { offset } = layout.find(({ name }) => name === "snapshotBytes") as ArraySpec;
      spoilt[offset] ^= 0xff;
      expectError(await session.call("restore", spoilt, { layout }), "invalidSnapshot");
      expectEqual((await takeSnapshot(session)).hash, hash, "state hash after the refusal");
    },
  },
  {
    name: "fork",
    rule: "a copied session plays on as the one it was copied from, which it never touches",
    needs: "fork",
    run: async (server) => {
      const session = await server.open();
      await session.call("reset", resetBody(session, 7, 8));
      const copy = server.adopt(resultOf(await session.call("fork")));
      for (let i = 0; i < 5; i++) {
        const one = await copy.call("step", stepBody(copy, i % 4, 1));
        expectEqual(
          bytesOf(await session.call("step", stepBody(session, i % 4, 1))),
          bytesOf(one),
          "a step of the copy",
        );
      }
    },
  },
  {
    name: "resume",
    rule: "resume keeps the lanes of a known session, raises its epoch and refuses the old one",
    needs: "resume",
    run: async (server) => {
      const fields = { scenarios: [{ numServers: 3, episodeSlots: 6 }], numEnvs: 2 };
      const session = await server.open(fields);
      await session.call("reset", resetBody(session, 7, 8));
      const { hash } = await takeSnapshot(session);
      const old = session.header("step");
      const result = resultOf(
        await server.wire.ask("resume", { ...fields, session: session.opened.session, epoch: 1 }),
      );
      expectEqual(
        [result.epoch, result.isFresh, result.session],
        [2, false, session.opened.session],
        "epoch, isFresh, session",
      );
      expectError(await server.wire.exchange(old, stepBody(session, 1, 1)), "staleEpoch");
      session.restart(2);
      expectEqual((await takeSnapshot(session)).hash, hash, "state hash after resuming");
    },
  },
  {
    name: "resume-unknown",
    rule: "resume of a session the server does not know makes it under that id, with lanes that need a reset",
    needs: "resume",
    run: async (server) => {
      const session = newId();
      const fields = { scenarios: [{ numServers: 3, episodeSlots: 6 }], numEnvs: 2, session, epoch: 4 };
      const result = resultOf(await server.wire.ask("resume", fields));
      expectEqual([result.epoch, result.isFresh, result.session], [5, true, session], "epoch, isFresh, session");
      const resumed = server.adopt(result);
      expectError(await resumed.call("step", stepBody(resumed, 1, 1)), "needsReset");
    },
  },
];
