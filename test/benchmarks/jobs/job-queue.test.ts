/** The job queue: its order, and that it frees what was taken. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { JobQueue } from "../../../benchmarks/jobs/job-queue.js";
import type { Job } from "../../../benchmarks/jobs/jobs.js";

const visit: Job = { kind: "visit", scenario: "paper-v1", firstSeed: 0, count: 1 };
const figures: Job = {
  ...{ kind: "figures", protocol: "static", units: [], reference: null, episodeSlots: 1, plan: "" },
  oracle: { costSlots: new Float64Array(), decisions: new Float64Array() },
};

describe("JobQueue", () => {
  it("gives figure jobs first, and each kind in order", () => {
    const queue = new JobQueue<string>();
    expect(queue.take()).toBeUndefined();
    for (const name of ["a", "b", "c", "d", "e"]) queue.push(visit, name);
    expect([queue.take(), queue.take()]).toEqual(["a", "b"]);
    queue.push(figures, "F");
    queue.push(visit, "f");
    queue.push(figures, "G");
    expect(Array.from({ length: 7 }, () => queue.take())).toEqual(["F", "G", "c", "d", "e", "f", undefined]);
    queue.push(visit, "g");
    expect([queue.take(), queue.take()]).toEqual(["g", undefined]);
  });

  it("keeps nothing that was taken, even if it is never empty", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const queue = new JobQueue<object>();
    const all: WeakRef<object>[] = [];
    const push = () => {
      const waiting = { name: "waiting" };
      all.push(new WeakRef(waiting));
      queue.push(visit, waiting);
    };
    for (let i = 0; i < 3; i++) push();
    for (let i = 0; i < 100; i++) {
      push();
      expect(queue.take()).toBeDefined();
    }
    await new Promise((resolve) => setImmediate(resolve)); // a WeakRef holds its object to the end of the turn
    collect();
    expect(all.filter((one) => one.deref() !== undefined).length).toBe(3);
  });
});
