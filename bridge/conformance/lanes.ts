/** Rules of docs/protocol.md about lanes: opening them, resetting them and stepping them. */

import { newId, type RawReply } from "../client/raw-socket.js";
import type { ArraySpec } from "../wire/array-layout.js";
import { arraysOf, bodyHex, resetBody, stepArrays, stepBody } from "./bodies.js";
import { type Check, expect, expectEqual, expectError, resultOf, type SessionUnderTest } from "./server-under-test.js";

/** The steps of the example in docs/protocol.md: actions, task sizes, costs, and the flag of an invalid action. */
const numbers: readonly [number[], number[], number[], number[]][] = [
  [
    [1, 0],
    [3.5812644958496094, 3.457428455352783],
    [3.7861754748823953, 6.287146868251729],
    [0, 0],
  ],
  [
    [2, 3],
    [2.143529176712036, 3.6929736137390137],
    [2.372482842203643, 2.57437530572476],
    [0, 0],
  ],
  [
    [5, 9],
    [2.224891185760498, 4.221266269683838],
    [1.4543603986545117, 20.771212782502406],
    [0, 4],
  ],
];

export const laneChecks: readonly Check[] = [
  {
    name: "open",
    rule: "open returns sizes, fields, scenarios and layouts, with arrays at multiples of 8 bytes",
    run: async (server) => {
      const { opened, layouts } = await server.open();
      expect(/^[0-9a-f]{32}$/.test(String(opened.session)), `session ${JSON.stringify(opened.session)}`);
      expectEqual([opened.numEnvs, opened.groups, opened.epoch, opened.maxServers], [2, 1, 1, 3], "sizes");
      for (const name of ["resetRequest", "stepRequest", "stepReply"]) {
        for (const spec of layouts[name] ?? []) expect(spec.offset % 8 === 0, `${spec.name} lies at ${spec.offset}`);
      }
      const shapes = Object.fromEntries(layouts.stepReply.map(({ name, dtype, shape }) => [name, [dtype, ...shape]]));
      expectEqual(shapes.observation, ["float32", 2, opened.observationSize], "observation");
      expectEqual(shapes.costSlots, ["float64", 2], "costSlots");
      expectEqual(shapes.actionMask, ["uint8", 2, 4], "actionMask");
    },
  },
  {
    name: "open-again",
    rule: "the same open with the same requestId returns the same session",
    run: async (server) => {
      const fields = { requestId: newId(), scenarios: ["paper-v1"], numEnvs: 1 };
      const { opened } = server.adopt(resultOf(await server.socket.ask("open", fields)));
      expectEqual(resultOf(await server.socket.ask("open", fields)).session, opened.session, "session");
    },
  },
  {
    name: "open-refusals",
    rule: "an open that is impossible is refused with the path of its fault",
    run: async ({ socket, limits }) => {
      const open = (fields: Record<string, unknown>) =>
        socket.ask("open", { scenarios: ["paper-v1"], numEnvs: 2, ...fields });
      expectError(await open({ scenarios: ["nowhere"] }), "unknownScenario");
      expectError(await open({ scenarios: [] }), "invalidRequest", "/scenarios");
      expectError(await open({ groups: 3, numEnvs: 4 }), "invalidRequest", "/groups");
      expectError(await open({ laneScenario: [0] }), "invalidRequest", "/laneScenario");
      expectError(await open({ numEnvs: limits.maxLanes + 1 }), "tooManyLanes");
      expectError(
        await open({ scenarios: ["paper-v1", { numServers: -1 }] }),
        "invalidScenario",
        "/scenarios/1/numServers",
      );
    },
  },
  {
    name: "numbers",
    rule: "paper-v1 with seeds 7 and 8 gives the numbers of the page, to the last digit",
    run: async (server) => {
      const session = await server.open({ scenarios: ["paper-v1"] });
      const size = Number(session.opened.observationSize);
      const firsts = ({ observation }: Record<string, number[]>) => [observation[0], observation[size]];
      const start = stepArrays(session, await session.call("reset", resetBody(session, 7, 8)));
      expectEqual(firsts(start), [3.413769006729126, 4.233768939971924], "the reset");
      for (const [actions, sizes, costs, flags] of numbers) {
        const step = stepArrays(session, await session.call("step", stepBody(session, ...actions)));
        expectEqual([firsts(step), step.costSlots], [sizes, costs], `the step ${actions}`);
        expectEqual(
          step.flags.map((flag) => flag & 4),
          flags,
          `flag 4 of the step ${actions}`,
        );
        expectEqual(
          step.reward,
          step.costSlots.map((cost) => -cost),
          "reward",
        );
      }
    },
  },
  {
    name: "same-seed",
    rule: "the same seed plays the same episode in every lane, group and session",
    run: async (server) => {
      const session = await server.open({ numEnvs: 4, groups: 2 });
      const other = await server.open({ numEnvs: 2 });
      const pairs: [SessionUnderTest, number][] = [
        [session, 0],
        [session, 1],
        [other, 0],
      ];
      const seen: string[][] = [[], [], []];
      for (const [i, [one, group]] of pairs.entries()) {
        seen[i].push(bodyHex(await one.call("reset", resetBody(one, 3, 3), { group })));
        for (let n = 0; n < 8; n++)
          seen[i].push(bodyHex(await one.call("step", stepBody(one, n % 4, n % 4), { group })));
      }
      expectEqual(seen[1], seen[0], "the other group");
      expectEqual(seen[2], seen[0], "the other session");
    },
  },
  {
    name: "needs-reset",
    rule: "a step before the first reset gets needsReset",
    run: async (server) => {
      const session = await server.open();
      expectError(await session.call("step", stepBody(session, 0, 0)), "needsReset");
    },
  },
  ...(["next-step", "same-step", "disabled"] as const).map(
    (autoreset): Check => ({
      name: `autoreset-${autoreset}`,
      rule: "the end of an episode is flagged and has statistics, and the lane is reset as autoreset says",
      run: async (server) => {
        const session = await server.open({ numEnvs: 1, autoreset });
        await session.call("reset", resetBody(session, 4));
        let reply: RawReply;
        let step: Record<string, number[]>;
        let count = 0;
        do {
          reply = await session.call("step", stepBody(session, 1));
          step = stepArrays(session, reply);
          expect(count++ < 10_000, "an episode of six slots does not end");
        } while ((step.flags[0] & 1) === 0);
        const result = resultOf(reply);
        expectEqual(result.numFinal, 1, "numFinal");
        const final = arraysOf(result.finalLayout as ArraySpec[], reply);
        expectEqual(final.finalLane, [0], "finalLane");
        expectEqual(final.finalStats.length, (session.opened.episodeStatsFields as string[]).length, "finalStats");
        expectEqual("finalObservation" in final, autoreset === "same-step", "whether there is a finalObservation");
        const next = await session.call("step", stepBody(session, 1));
        if (autoreset === "disabled") return expectError(next, "needsReset");
        const after = stepArrays(session, next);
        const isOnlyReset = autoreset === "next-step";
        expectEqual((after.flags[0] & 8) !== 0, isOnlyReset, "flag 8 of the step after the end");
        if (isOnlyReset)
          expect(after.reward[0] === 0 && after.costSlots[0] === 0, "a step that only resets has a cost");
        expect(after.episodeSeed[0] !== 4, "the next episode has the same seed as the last one");
      },
    }),
  ),
];
