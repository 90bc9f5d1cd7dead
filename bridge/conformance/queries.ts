/** Rules of docs/protocol.md about queries and policies: look-aheads, prompts, native policies and scores. */

import { type ArraySpec, makeLayout } from "../wire/array-layout.js";
import { arraysOf, bodyHex, pack, resetBody, startSession, stepArrays, stepBody } from "./bodies.js";
import { type Check, expect, expectEqual, expectError, resultOf } from "./server-under-test.js";

export const queryChecks: readonly Check[] = [
  {
    name: "lookahead",
    rule: "lookahead returns the figures of every action and changes nothing; a second one returns the same bytes",
    needs: "lookahead",
    run: async (server) => {
      const session = await startSession(server);
      const [one, other] = [await session.call("lookahead"), await session.call("lookahead")];
      expectEqual(bodyHex(other), bodyHex(one), "the second look-ahead");
      const result = resultOf(one);
      expectEqual(result.nextLane, 2, "nextLane");
      const { costSlots, reward } = arraysOf(result.layout as ArraySpec[], one);
      expectEqual([costSlots.length, reward.length], [8, 8], "figures");
      const step = stepArrays(session, await session.call("step", stepBody(session, 1, 2)));
      expectEqual(step.costSlots, [costSlots[1], costSlots[4 + 2]], "the costs it announced");
    },
  },
  {
    name: "prompt",
    rule: "prompt returns the text of each lane's decision as offsets and UTF-8",
    needs: "prompt",
    run: async (server) => {
      const session = await startSession(server);
      const reply = await session.call("prompt");
      const { lane, promptOffsets, promptBytes } = arraysOf(resultOf(reply).layout as ArraySpec[], reply);
      expectEqual(lane, [0, 1], "lane");
      expectEqual(
        [promptOffsets.length, promptOffsets[0], promptOffsets[2]],
        [3, 0, promptBytes.length],
        "promptOffsets",
      );
      const text = new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(promptBytes));
      expect(text.includes("Server 3"), "a prompt of three servers does not name the third");
    },
  },
  {
    name: "policy",
    rule: "policy plays the given number of steps, and returns their costs; an unknown policy gets unknownPolicy",
    needs: "policy",
    run: async (server) => {
      const [session, other] = [await server.open(), await server.open()];
      for (const one of [session, other]) await one.call("reset", resetBody(one, 7, 8));
      const played = await session.call("policy", undefined, { policy: "local", steps: 3 });
      const result = resultOf(played);
      expectEqual(result.steps, 3, "steps");
      const { costSumSlots } = arraysOf(result.policyLayout as ArraySpec[], played);
      const sums = [0, 0];
      for (let i = 0; i < 3; i++) {
        const { costSlots } = stepArrays(other, await other.call("step", stepBody(other, 0, 0)));
        for (const lane of [0, 1]) sums[lane] += costSlots[lane];
      }
      expectEqual(costSumSlots, sums, "costSumSlots of playing on the own device");
      expectError(await session.call("policy", undefined, { policy: "nobody", steps: 1 }), "unknownPolicy");
    },
  },
  {
    name: "score",
    rule: "score returns figures for each action, and the same bytes for the same request",
    needs: "score",
    run: async ({ socket }) => {
      const layout = makeLayout([
        { name: "episodeSeed", dtype: "uint64", shape: [1] },
        { name: "decisionIndex", dtype: "int32", shape: [1] },
        { name: "numServers", dtype: "int32", shape: [1] },
        { name: "sizeMbit", dtype: "float64", shape: [1] },
        { name: "localBacklogMbit", dtype: "float64", shape: [1] },
        { name: "rateMbps", dtype: "float64", shape: [1, 2] },
        { name: "cpuGHz", dtype: "float64", shape: [1, 2] },
        { name: "workloadMbit", dtype: "float64", shape: [1, 2] },
        { name: "activeTasks", dtype: "int32", shape: [1, 2] },
        { name: "stateOfAction", dtype: "int32", shape: [3] },
        { name: "actions", dtype: "int32", shape: [3] },
      ]);
      const servers = { rateMbps: [10, 20], cpuGHz: [10, 20] };
      const body = pack(layout, { numServers: [2], sizeMbit: [3], ...servers, actions: [0, 1, 2] });
      const score = () => socket.ask("score", { scenario: "paper-v1", layout }, body);
      const [one, other] = [await score(), await score()];
      expectEqual(bodyHex(other), bodyHex(one), "the second reply");
      const found = arraysOf(resultOf(one).layout as ArraySpec[], one);
      expectEqual(found.chargedAction, [0, 1, 2], "chargedAction");
      for (const name of ["latencySlots", "costSlots", "impactSlots", "reward"]) {
        expect(found[name]?.length === 3 && found[name].every(Number.isFinite), `${name} does not have three numbers`);
      }
    },
  },
];
