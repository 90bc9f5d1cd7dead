/** Snapshots, restores and forks of lanes and of whole sessions. */

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { columnsOf, described } from "../described-bodies.js";
import { actionsBody, arrayOf, next, open, openedOf, places, sharedDispatcher } from "../dispatcher-client.js";
import { play, started } from "./played-lanes.js";

describe.each(places)("lanes in %s", (place) => {
  const dispatcher = () => sharedDispatcher(place);

  describe("snapshot, restore and fork", () => {
    const churn = "churn-v1";

    it("of all lanes: after a restore, the same steps give the same bytes", async () => {
      const opened = await started(
        await open(dispatcher(), { scenarios: [churn], numEnvs: 3, autoreset: "same-step" }),
        [1, 2, 3],
      );
      await play(opened, 0, 40);
      const taken = await next(opened, "snapshot");
      const { layout, nextLane, digest } = taken.result;
      expect(nextLane).toBe(3);
      const sha = createHash("sha256");
      for (const { name } of layout) {
        const values = arrayOf(layout, taken, name);
        sha.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      }
      expect(digest).toBe(sha.digest("hex"));
      const first = await play(opened, 40, 400);
      const back = described(columnsOf(taken, ["lane", "snapshotOffsets", "snapshotBytes"]));
      const restored = await next(opened, "restore", { layout: back.layout }, back.body);
      expect(restored.error).toBeUndefined();
      expect(await play(opened, 40, 400)).toEqual(first);
      const again = await next(opened, "restore", { layout: back.layout }, back.body);
      expect(again.body).toEqual(restored.body);
      const hashes = await next(opened, "snapshot");
      expect(hashes.body).toEqual(taken.body);
    });

    it("restores all lanes or none", async () => {
      const opened = await started(await open(dispatcher()), [1, 2]);
      await play(opened, 0, 5);
      const taken = await next(opened, "snapshot");
      await play(opened, 5, 5);
      const before = await next(opened, "snapshot");
      const columns = columnsOf(taken, ["lane", "snapshotOffsets", "snapshotBytes"]);
      const damaged = Uint8Array.from(columns.snapshotBytes.values as Uint8Array);
      damaged[damaged.length - 9] ^= 1; // in the second lane
      const bad = described({ ...columns, snapshotBytes: { values: damaged } });
      expect((await next(opened, "restore", { layout: bad.layout }, bad.body)).error?.code).toBe("invalidSnapshot");
      const twice = described({ ...columns, lane: { values: Int32Array.of(1, 1) } });
      expect((await next(opened, "restore", { layout: twice.layout }, twice.body)).error?.path).toBe("lane/1");
      expect((await next(opened, "snapshot")).body).toEqual(before.body);
    });

    it("copies lanes all at once, so that two can swap places, and leaves the sources unchanged", async () => {
      const opened = await started(await open(dispatcher(), { numEnvs: 4 }), [1, 2, 3, 4]);
      await play(opened, 0, 7);
      const hashes = async () => {
        const answer = await next(opened, "snapshot");
        const all = Buffer.from(arrayOf(answer.result.layout, answer, "stateHash") as Uint8Array).toString("hex");
        return all.match(/.{16}/g) as string[];
      };
      const [a, b, c] = await hashes();
      const copy = described({
        from: { values: Int32Array.of(1, 0, 0, 2) },
        to: { values: Int32Array.of(0, 1, 3, 2) },
      });
      expect((await next(opened, "fork", { layout: copy.layout }, copy.body)).error).toBeUndefined();
      expect(await hashes()).toEqual([b, a, c, a]);
      const bad = described({ from: { values: Int32Array.of(0, 9) }, to: { values: Int32Array.of(1, 2) } });
      expect((await next(opened, "fork", { layout: bad.layout }, bad.body)).error?.code).toBe("invalidOption");
      expect(await hashes()).toEqual([b, a, c, a]);
    });

    it("copies a session: both continue in the same way, and are independent", async () => {
      const opened = await started(await open(dispatcher(), { numEnvs: 3 }), [5, 6, 7]);
      await play(opened, 0, 20);
      const forked = await next(opened, "fork");
      const copy = openedOf(dispatcher(), forked.result);
      expect(copy.session).not.toBe(opened.session);
      const original = await play(opened, 20, 150);
      expect(await play(copy, 20, 150)).toEqual(original);
      await next(opened, "close");
      expect((await next(copy, "step", {}, actionsBody(copy, [1, 1, 1]))).error).toBeUndefined();
    });

    it("needs a reset first", async () => {
      const opened = await open(dispatcher());
      for (const op of ["snapshot", "prompt"]) expect((await next(opened, op)).error?.code).toBe("needsReset");
    });
  });
});
