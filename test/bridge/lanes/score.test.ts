/** `score` of actions and completions, with packed and JSON states: the numbers are those of the simulator. */

import { describe, expect, it } from "vitest";
import type { ArraySpec } from "../../../bridge/wire/array-layout.js";
import { joinBytes } from "../../../bridge/wire/byte-lists.js";
import { makeEnv, parseCompletion, score } from "../../../env/index.js";
import { type Columns, described, texts } from "../described-bodies.js";
import { arrayOf, ask, granted, newId, places, sharedDispatcher } from "../dispatcher-client.js";

/** States of an episode, with its seed. */
function someStates(id: string, count: number, seed = 11) {
  const env = makeEnv(id);
  let step = env.reset(seed);
  return Array.from({ length: count }, (_, i) => {
    const state = step.observation;
    step = env.step(i % 4);
    return { episodeSeed: seed, state };
  });
}

/** The same states as packed arrays, with room for two more servers. */
function packed(states: ReturnType<typeof someStates>): Columns {
  const S = states.length;
  const E = Math.max(...states.map(({ state }) => state.numServers)) + 2;
  const rows = (
    name: "rateMbps" | "cpuGHz" | "workloadMbit" | "activeTasks",
    A: typeof Float64Array | typeof Int32Array,
  ) => {
    const values = new A(S * E).fill(-1);
    for (const [i, { state }] of states.entries()) values.set(state[name], i * E);
    return { values, shape: [S, E] };
  };
  const seeds = new Int32Array(2 * S);
  for (const [i, { episodeSeed }] of states.entries()) seeds[2 * i] = episodeSeed;
  const column = (of: (state: (typeof states)[number]["state"]) => number) => states.map(({ state }) => of(state));
  return {
    episodeSeed: { values: seeds, shape: [S], dtype: "uint64" },
    decisionIndex: { values: Int32Array.from(column((state) => state.decisionIndex)) },
    numServers: { values: Int32Array.from(column((state) => state.numServers)) },
    sizeMbit: { values: Float64Array.from(column((state) => state.sizeMbit)) },
    localBacklogMbit: { values: Float64Array.from(column((state) => state.localBacklogMbit)) },
    rateMbps: rows("rateMbps", Float64Array),
    cpuGHz: rows("cpuGHz", Float64Array),
    workloadMbit: rows("workloadMbit", Float64Array),
    activeTasks: rows("activeTasks", Int32Array),
  };
}

describe.each(places)("lanes in %s", (place) => {
  const dispatcher = () => sharedDispatcher(place);

  describe("score", () => {
    const states = someStates("paper-v1", 4);
    const stateOfAction = Int32Array.from([0, 0, 1, 2, 3, 3]);
    const actions = Int32Array.from([0, 5, 6, 99, -3, 2]);
    const native = score("paper-v1", states, actions, stateOfAction, { numSamples: 5 });

    const request = (layout: ArraySpec[], more = {}) => ({
      op: "score",
      requestId: newId(),
      scenario: "paper-v1",
      layout,
      ...more,
    });

    it("refuses sizes that wrap at 32 bits", async () => {
      const layout = [{ name: "completionOffsets", dtype: "uint32", shape: [2 ** 30], offset: 0 }] as ArraySpec[];
      const { error } = await ask(dispatcher(), request(layout), new Uint8Array(0));
      expect(error).toMatchObject({ code: "invalidBody", path: "body", got: '"0 bytes"' });
    });

    it("takes any room for servers in a body without states", async () => {
      const none = packed(states.slice(0, 1));
      const empty = Object.fromEntries(
        Object.entries(none).map(([name, { values, shape = [1], dtype }]) => [
          name,
          { values: values.subarray(0, 0), shape: shape.length === 2 ? [0, 2 ** 30] : [0], ...(dtype && { dtype }) },
        ]),
      ) as Columns;
      const { layout, body } = described({ ...empty, actions: { values: new Int32Array(0) } });
      const { result } = await granted(dispatcher(), request(layout), body);
      expect(result.layout[0].shape).toEqual([0]);
    });

    it("refuses states that are nested deeply", async () => {
      const deep = "[".repeat(100_000) + "]".repeat(100_000);
      const { layout, body } = described({
        ...texts("state", [`{"episodeSeed":1,"state":${deep}}`]),
        actions: { values: Int32Array.of(0) },
      });
      const { error } = await ask(dispatcher(), request(layout), body);
      expect(error).toMatchObject({ code: "invalidRecord", path: "states/0" });
      expect(error?.expected).toMatch(/more than 64 levels/);
    });

    it.each([
      ["packed arrays", packed(states)],
      [
        "JSON of records",
        texts(
          "state",
          states.map((one) => JSON.stringify({ ...one, other: 1 })),
        ),
      ],
    ])("of actions gives what the simulator gives, states as %s", async (_name, columns) => {
      const { layout, body } = described({
        ...columns,
        stateOfAction: { values: stateOfAction },
        actions: { values: actions },
      });
      const answer = await granted(dispatcher(), request(layout, { numSamples: 5 }), body);
      expect(answer.result.profile).toBe("paper");
      for (const [name, values] of Object.entries(native)) {
        expect([name, ...arrayOf(answer.result.layout, answer, name)]).toEqual([name, ...values]);
      }
      expect([...arrayOf(answer.result.layout, answer, "action")]).toEqual([...actions]);
    });

    it.each(["densityGcyclesPerMbit", "slotSeconds", "deadlineSlots", "penaltySlots", "localCpuGHz"] as const)(
      "refuses a state in JSON whose %s is not the scenario's",
      async (name) => {
        const [{ episodeSeed, state }] = states;
        const other = { episodeSeed, state: { ...state, [name]: 2 * state[name] } };
        const { layout, body } = described({
          ...texts("state", [JSON.stringify(other)]),
          actions: { values: Int32Array.of(0) },
        });
        const { error } = await ask(dispatcher(), request(layout), body);
        expect(error).toMatchObject({ code: "invalidRecord", path: `states/0/state/${name}` });
        expect(error?.expected).toBe(`${state[name]}, as scenario paper-v1 has it`);
      },
    );

    it("takes a field of a state that is null for one that is absent", async () => {
      const nulls = states.map((one) => JSON.stringify({ ...one, state: { ...one.state, isAvailable: null } }));
      const { layout, body } = described({ ...texts("state", nulls), actions: { values: actions.slice(0, 4) } });
      const answer = await granted(dispatcher(), request(layout), body);
      const expected = score("paper-v1", states, actions.slice(0, 4), undefined);
      expect([...arrayOf(answer.result.layout, answer, "costSlots")]).toEqual([...expected.costSlots]);
    });

    it("of completions parses them first, and charges the costliest action for one that cannot be read", async () => {
      const completions = ["Server 3", "Run it locally.", "", "Server 2 or Server 3", "<think>Server 1", "no idea"];
      const { layout, body } = described({
        ...packed(states),
        stateOfAction: { values: stateOfAction },
        ...texts("completion", completions),
      });
      const answer = await granted(dispatcher(), request(layout), body);
      const of = (name: string) => [...arrayOf(answer.result.layout, answer, name)];
      expect(of("parseFailure")).toEqual([0, 0, 1, 3, 4, 2]);
      expect(of("action").slice(0, 3)).toEqual([3, 0, -0x80000000]);
      const costliest = score("paper-v1", states, [-1, -1, -1, -1], undefined);
      expect(of("costSlots")[2]).toBe(costliest.costSlots[1]);
      expect(of("isInvalid")).toEqual([0, 0, 0, 0, 0, 0]);
    });

    it.each([
      ["plain", ["Server 1", "", "x\nServer 2", "local"]],
      ["Chinese among plain ones", ["Server 1", "卸载到边缘服务器2", "Server 3", "本地执行"]],
      ["not text: single bytes, and characters cut in two", [[0xff], "Server 1", [0x53, 0xe6], [0x9c, 0xac, 0x53]]],
      ["with a byte-order mark each", [[0xef, 0xbb, 0xbf, 0x6c, 0x6f, 0x63, 0x61, 0x6c], "Server 1", "", "Server 2"]],
    ] as const)("of completions reads each one as if it were alone: %s", async (_name, given) => {
      const pieces = given.map((one) =>
        typeof one === "string" ? new TextEncoder().encode(one) : Uint8Array.from(one),
      );
      const want = pieces.map((bytes) => parseCompletion(new TextDecoder().decode(bytes)));
      const { offsets, bytes } = joinBytes(pieces);
      const { layout, body } = described({
        ...packed(states),
        completionOffsets: { values: offsets },
        completionBytes: { values: bytes },
      });
      const answer = await granted(dispatcher(), request(layout), body);
      const of = (name: string) => [...arrayOf(answer.result.layout, answer, name)];
      expect(of("action")).toEqual(want.map((one) => ("action" in one ? one.action : -0x80000000)));
      expect(of("parseFailure").map((code) => code === 0)).toEqual(want.map((one) => "action" in one));
    });

    it("in profile comllm-release has its own figures, and needs completions", async () => {
      const release = someStates("release-3-servers-v1", 2);
      const columns = packed(release);
      const { layout, body } = described({ ...columns, ...texts("completion", ["卸载到边缘服务器1", "???"]) });
      const more = { scenario: "release-3-servers-v1", profile: "comllm-release", seed: 4 };
      const answer = await granted(dispatcher(), request(layout, more), body);
      expect(answer.result.layout.map((spec: ArraySpec) => spec.name)).not.toContain("latencySlots");
      expect([...arrayOf(answer.result.layout, answer, "parseFailure")]).toEqual([0, 2]);
      expect(arrayOf(answer.result.layout, answer, "costSlots")[1]).toBeNaN();
      const asActions = described({ ...columns, actions: { values: Int32Array.of(1, 1) } });
      expect((await ask(dispatcher(), request(asActions.layout, more), asActions.body)).error?.code).toBe(
        "invalidRequest",
      );
    });

    const good = { ...packed(states), stateOfAction: { values: stateOfAction }, actions: { values: actions } };
    const bad = (name: string, change: (columns: Columns) => Columns, code: string, path: string) =>
      [name, change, code, path] as const;
    it.each([
      bad(
        "a capacity of 0",
        (c) => ({ ...c, cpuGHz: { ...c.cpuGHz, values: new Float64Array(32) } }),
        "unsupportedState",
        "cpuGHz/0/0",
      ),
      bad(
        "NaN",
        (c) => ({ ...c, sizeMbit: { values: Float64Array.of(1, Number.NaN, 1, 1) } }),
        "unsupportedState",
        "sizeMbit/1",
      ),
      bad(
        "no servers",
        (c) => ({ ...c, numServers: { values: Int32Array.of(6, 6, 0, 6) } }),
        "unsupportedState",
        "numServers/2",
      ),
      bad(
        "more servers than the arrays have room for",
        (c) => ({ ...c, numServers: { values: Int32Array.of(6, 6, 9, 6) } }),
        "unsupportedState",
        "numServers/2",
      ),
      bad(
        "one state too few",
        (c) => ({ ...c, numServers: { values: Int32Array.of(6, 6, 6) } }),
        "invalidRequest",
        "/layout/2/shape",
      ),
      bad(
        "another dtype",
        (c) => ({ ...c, actions: { values: new Float64Array(6) } }),
        "invalidRequest",
        "/layout/10/dtype",
      ),
      bad(
        "an unknown array",
        (c) => ({ ...c, path: { values: new Uint8Array(6) } }),
        "invalidRequest",
        "/layout/11/name",
      ),
      bad("no actions", ({ actions: _, ...c }) => c, "invalidRequest", "/layout"),
      bad("no stateOfAction", ({ stateOfAction: _, ...c }) => c, "invalidRequest", "/layout"),
      bad(
        "the index of no state",
        (c) => ({ ...c, stateOfAction: { values: Int32Array.of(0, 0, 0, 0, 0, 4) } }),
        "invalidOption",
        "stateOfAction/5",
      ),
    ])("refuses %s", async (_name, change, code, path) => {
      const { layout, body } = described(change(good));
      expect((await ask(dispatcher(), request(layout), body)).error).toMatchObject({ code, path });
    });

    it("refuses offsets that fall or end in the wrong place, and a body of another length", async () => {
      for (const offsets of [
        [0, 9, 3, 6, 6, 6, 6],
        [0, 1, 2, 3, 4, 5, 5],
        [1, 1, 1, 1, 1, 1, 6],
      ]) {
        const { actions: _, ...states } = good;
        const columns = {
          ...states,
          completionOffsets: { values: Uint32Array.from(offsets) },
          completionBytes: { values: new Uint8Array(6) },
        };
        const { layout, body } = described(columns);
        expect((await ask(dispatcher(), request(layout), body)).error?.code).toBe("invalidBody");
      }
      const { layout, body } = described(good);
      expect((await ask(dispatcher(), request(layout), body.subarray(8))).error?.code).toBe("invalidBody");
    });
  });
});
