/** Native policies, look-aheads of single actions, and sessions that move to another thread because of their work. */

import { describe, expect, it } from "vitest";
import { workerEntry } from "../../../benchmarks/jobs/worker-pool.js";
import { costSums } from "../../../benchmarks/metrics/metrics.js";
import { EpisodePlayer } from "../../../benchmarks/play/episode-player.js";
import { findPolicy } from "../../../benchmarks/policies/index.js";
import type { ArraySpec } from "../../../bridge/wire/array-layout.js";
import { maxServersOf, resolveScenario } from "../../../env/index.js";
import {
  actionsBody,
  arrayOf,
  makeDispatcher,
  next,
  type Opened,
  open,
  places,
  seedsBody,
  sharedDispatcher,
} from "../dispatcher-client.js";
import { play, started } from "./played-lanes.js";

describe.each(places)("lanes in %s", (place) => {
  const dispatcher = () => sharedDispatcher(place);

  describe("policy", () => {
    it.each(["oracle", "lacs", "round-robin", "random", "rollout"])(
      "%s plays as it does in the benchmark",
      async (name) => {
        const fields = { episodeSlots: 12 };
        const opened = await open(dispatcher(), { scenarios: [fields], numEnvs: 2, autoreset: "disabled" });
        await started(opened, [21, 22]);
        const scenario = resolveScenario(fields);
        const player = new EpisodePlayer(scenario);
        const entry = findPolicy(name);
        const units = [21, 22].map((seed) => player.play(entry.make(seed, scenario), seed));
        const shortest = Math.min(...units.map(({ decisions }) => decisions.length));
        const answer = await next(opened, "policy", { policy: name, steps: 1000 });
        // without autoreset, a batch plays until its first lane ends
        expect(answer.result.steps).toBe(shortest);
        const of = (array: string) => [...arrayOf(answer.result.policyLayout, answer, array)];
        const ended = units.findIndex(({ decisions }) => decisions.length === shortest);
        expect(of("decisions")).toEqual([shortest, shortest]);
        expect(of("costSumSlots")[ended]).toBe(costSums(units).costSlots[ended]);
        expect(of("finalLane")).toContain(ended);
        expect(of("finalStep").every((step) => step === shortest - 1)).toBe(true);
      },
    );

    it("gives the same run for the same requests, and refuses unknown names", async () => {
      const two: Opened[] = [];
      for (let i = 0; i < 2; i++) two.push(await started(await open(dispatcher(), { numEnvs: 5 }), [1, 2, 3, 4, 5]));
      const replies: (Uint8Array | undefined)[] = [];
      for (const opened of two) {
        await next(opened, "policy", { policy: "two-choices", steps: 7 });
        replies.push((await next(opened, "policy", { policy: "two-choices", steps: 90 })).body);
      }
      expect(replies[0]).toEqual(replies[1]);
      expect((await next(two[0], "policy", { policy: "best", steps: 1 })).error?.code).toBe("unknownPolicy");
    });
  });

  describe("lookahead", () => {
    it("of one action for each lane equals its entry among all actions", async () => {
      const opened = await started(await open(dispatcher()), [3, 4]);
      const all = await next(opened, "lookahead");
      const some = await next(opened, "lookahead", {}, actionsBody(opened, [2, 9]));
      const width = maxServersOf(resolveScenario("paper-v1")) + 1;
      for (const { name } of all.result.layout as ArraySpec[]) {
        const [one, none] = arrayOf(some.result.layout, some, name);
        expect(one).toBe(arrayOf(all.result.layout, all, name)[2]);
        expect(none).toBe(name === "reward" ? -Infinity : Infinity);
        expect(arrayOf(all.result.layout, all, name)).toHaveLength(2 * width);
      }
    });
  });
});

describe("a session with too much work for the socket's thread", () => {
  it("moves to another thread, with the same results", async () => {
    const small = { maxInlineLanes: 256, threads: { count: 1, entry: workerEntry() } };
    const replies: string[][] = [];
    const moved: number[][] = [];
    for (const dispatcher of [makeDispatcher("inline"), makeDispatcher("inline", small)]) {
      const opened = await started(await open(dispatcher, { numEnvs: 4 }), [1, 2, 3, 4]);
      const own = await play(opened, 0, 30);
      const took = await next(opened, "policy", { policy: "oracle", steps: 20_000 });
      expect(took.error).toBeUndefined();
      own.push(Buffer.from(took.body as Uint8Array).toString("base64"));
      // lanes that are not reset keep their outputs
      const some = await next(opened, "reset", {}, seedsBody(opened, [7, 7, 7, 7], [0, 1, 0, 1]));
      own.push(Buffer.from(some.body as Uint8Array).toString("base64"));
      replies.push([...own, ...(await play(opened, 30, 30))]);
      moved.push(dispatcher.stats().workers.map(({ sessions }) => sessions));
    }
    expect(replies[1]).toEqual(replies[0]);
    expect(moved).toEqual([[], [1]]);
  });
});
