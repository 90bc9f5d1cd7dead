/** The operations of a host beside steps and resets, with its lanes in the socket's thread or in others. */

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { workerEntry } from "../../../benchmarks/jobs/worker-pool.js";
import { costSums } from "../../../benchmarks/metrics/metrics.js";
import { EpisodePlayer } from "../../../benchmarks/play/runner.js";
import { findPolicy } from "../../../benchmarks/policies/index.js";
import { joinPieces } from "../../../bridge/wire/array-layout.js";
import { type ArraySpec, bodyBytes, makeLayout, type Values, writeArray } from "../../../bridge/wire/protocol.js";
import {
  BatchEnv,
  copyObservation,
  LaneView,
  makeEnv,
  maxServersOf,
  parseCompletion,
  renderPrompt,
  resolveScenario,
  score,
} from "../../../env/index.js";
import {
  type Answer,
  actionsBody,
  array,
  arrayOf,
  ask,
  granted,
  makeHost,
  newId,
  next,
  type Opened,
  open,
  openedOf,
  places,
  seedsBody,
  sharedHost,
} from "../host-client.js";

type Columns = Record<string, { values: Values; shape?: number[]; dtype?: ArraySpec["dtype"] }>;

/** A body that describes itself. */
function described(columns: Columns): { layout: ArraySpec[]; body: Uint8Array } {
  const dtypes = new Map<unknown, ArraySpec["dtype"]>([
    [Float64Array, "float64"],
    [Int32Array, "int32"],
    [Uint32Array, "uint32"],
    [Uint8Array, "uint8"],
  ]);
  const layout = makeLayout(
    Object.entries(columns).map(([name, { values, shape, dtype }]) => ({
      name,
      dtype: dtype ?? (dtypes.get(values.constructor) as ArraySpec["dtype"]),
      shape: shape ?? [values.length],
    })),
  );
  const body = new Uint8Array(bodyBytes(layout));
  for (const [i, { values }] of Object.values(columns).entries()) writeArray(body, layout[i], values);
  return { layout, body };
}

function texts(name: string, list: readonly string[]): Columns {
  const pieces = list.map((text) => Buffer.from(text));
  const offsets = Uint32Array.from([
    0,
    ...pieces.map((_, i) => pieces.slice(0, i + 1).reduce((n, one) => n + one.length, 0)),
  ]);
  return {
    [`${name}Offsets`]: { values: offsets },
    [`${name}Bytes`]: { values: Uint8Array.from(Buffer.concat(pieces)) },
  };
}

function textsOf(layout: ArraySpec[], answer: Answer, name: string): string[] {
  const offsets = arrayOf(layout, answer, `${name}Offsets`);
  const bytes = Buffer.from(arrayOf(layout, answer, `${name}Bytes`) as Uint8Array);
  return Array.from({ length: offsets.length - 1 }, (_, i) => bytes.subarray(offsets[i], offsets[i + 1]).toString());
}

/** States that an episode comes by, and where. */
function someStates(id: string, count: number, seed = 11) {
  const env = makeEnv(id);
  let step = env.reset(seed);
  return Array.from({ length: count }, (_, i) => {
    const state = step.observation;
    step = env.step(i % 4);
    return { episodeSeed: seed, state };
  });
}

/** The same states as packed arrays, with room for two servers more than there are. */
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

async function started(opened: Opened, seeds: number[]): Promise<Opened> {
  expect((await next(opened, "reset", {}, seedsBody(opened, seeds))).error).toBeUndefined();
  return opened;
}

const actionsAt = (i: number, n: number) => Array.from({ length: n }, (_, lane) => (i * 5 + lane * 3) % 7);

/** Plays steps; gives the bytes of their replies. */
async function play(opened: Opened, from: number, count: number): Promise<string[]> {
  const n = opened.layouts.stepRequest[0].shape[0];
  const replies: string[] = [];
  for (let i = from; i < from + count; i++) {
    const answer = await next(opened, "step", {}, actionsBody(opened, actionsAt(i, n)));
    expect(answer.error).toBeUndefined();
    replies.push(Buffer.from(answer.body as Uint8Array).toString("base64"));
  }
  return replies;
}

describe.each(places)("lanes in %s", (place) => {
  const host = () => sharedHost(place);

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
      const answer = await granted(host(), request(layout, { numSamples: 5 }), body);
      expect(answer.result.profile).toBe("paper");
      for (const [name, values] of Object.entries(native)) {
        expect([name, ...arrayOf(answer.result.layout, answer, name)]).toEqual([name, ...values]);
      }
      expect([...arrayOf(answer.result.layout, answer, "action")]).toEqual([...actions]);
    });

    it("of completions reads them first; what cannot be read is charged as the costliest", async () => {
      const completions = ["Server 3", "Run it locally.", "", "Server 2 or Server 3", "<think>Server 1", "no idea"];
      const { layout, body } = described({
        ...packed(states),
        stateOfAction: { values: stateOfAction },
        ...texts("completion", completions),
      });
      const answer = await granted(host(), request(layout), body);
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
      ["no text: bytes alone, and characters cut in two", [[0xff], "Server 1", [0x53, 0xe6], [0x9c, 0xac, 0x53]]],
      ["with a byte-order mark each", [[0xef, 0xbb, 0xbf, 0x6c, 0x6f, 0x63, 0x61, 0x6c], "Server 1", "", "Server 2"]],
    ] as const)("of completions reads each as it would alone: %s", async (_name, given) => {
      const pieces = given.map((one) =>
        typeof one === "string" ? new TextEncoder().encode(one) : Uint8Array.from(one),
      );
      const want = pieces.map((bytes) => parseCompletion(new TextDecoder().decode(bytes)));
      const { offsets, bytes } = joinPieces(pieces);
      const { layout, body } = described({
        ...packed(states),
        completionOffsets: { values: offsets },
        completionBytes: { values: bytes },
      });
      const answer = await granted(host(), request(layout), body);
      const of = (name: string) => [...arrayOf(answer.result.layout, answer, name)];
      expect(of("action")).toEqual(want.map((one) => ("action" in one ? one.action : -0x80000000)));
      expect(of("parseFailure").map((code) => code === 0)).toEqual(want.map((one) => "action" in one));
    });

    it("in profile comllm-release has its own figures, and needs texts", async () => {
      const release = someStates("release-3-servers-v1", 2);
      const columns = packed(release);
      const { layout, body } = described({ ...columns, ...texts("completion", ["卸载到边缘服务器1", "???"]) });
      const more = { scenario: "release-3-servers-v1", profile: "comllm-release", seed: 4 };
      const answer = await granted(host(), request(layout, more), body);
      expect(answer.result.layout.map((spec: ArraySpec) => spec.name)).not.toContain("latencySlots");
      expect([...arrayOf(answer.result.layout, answer, "parseFailure")]).toEqual([0, 2]);
      expect(arrayOf(answer.result.layout, answer, "costSlots")[1]).toBeNaN();
      const asActions = described({ ...columns, actions: { values: Int32Array.of(1, 1) } });
      expect((await ask(host(), request(asActions.layout, more), asActions.body)).error?.code).toBe("invalidRequest");
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
        "more than there is room for",
        (c) => ({ ...c, numServers: { values: Int32Array.of(6, 6, 9, 6) } }),
        "unsupportedState",
        "numServers/2",
      ),
      bad(
        "a state too few",
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
      bad("no state's index", ({ stateOfAction: _, ...c }) => c, "invalidRequest", "/layout"),
      bad(
        "an index of no state",
        (c) => ({ ...c, stateOfAction: { values: Int32Array.of(0, 0, 0, 0, 0, 4) } }),
        "invalidOption",
        "stateOfAction/5",
      ),
    ])("refuses %s", async (_name, change, code, path) => {
      const { layout, body } = described(change(good));
      expect((await ask(host(), request(layout), body)).error).toMatchObject({ code, path });
    });

    it("refuses offsets that fall or end elsewhere, and a body of another length", async () => {
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
        expect((await ask(host(), request(layout), body)).error?.code).toBe("invalidBody");
      }
      const { layout, body } = described(good);
      expect((await ask(host(), request(layout), body.subarray(8))).error?.code).toBe("invalidBody");
    });
  });

  describe("prompt", () => {
    it("of lanes and of their states is the text of the simulator", async () => {
      const opened = await started(await open(host(), { numEnvs: 3 }), [3, 4, 5]);
      const env = new BatchEnv({ scenarios: ["paper-v1"], numLanes: 3 });
      env.reset([3, 4, 5]);
      const mask = Uint8Array.of(1, 0, 1, 0, 0, 0, 0, 0);
      const answer = await next(opened, "prompt", { perturbation: "shuffled", system: true }, mask);
      const { layout, system } = answer.result;
      expect([...arrayOf(layout, answer, "lane")]).toEqual([0, 2]);
      const states = [0, 2].map((lane) => ({
        episodeSeed: 3 + lane,
        state: copyObservation(new LaneView(env.lanes, lane)),
      }));
      const native = states.map(({ episodeSeed, state }) =>
        renderPrompt(state, { perturbation: "shuffled", system: true, seed: episodeSeed }),
      );
      expect(textsOf(layout, answer, "prompt")).toEqual(native.map(({ user }) => user));
      expect(system).toBe(native[0].system);
      const given = described(
        texts(
          "state",
          states.map((one) => JSON.stringify(one)),
        ),
      );
      const fields = { op: "prompt", requestId: newId(), scenario: "paper-v1", perturbation: "shuffled", system: true };
      const again = await granted(host(), { ...fields, layout: given.layout }, given.body);
      expect(textsOf(again.result.layout, again, "prompt")).toEqual(native.map(({ user }) => user));
    });

    it("comes with every observation of a text session", async () => {
      const opened = await open(host(), { observation: "text", template: "en-compact-v1" });
      const env = new BatchEnv({
        scenarios: ["paper-v1"],
        numLanes: 2,
        autoreset: "next-step",
        invalidActions: "costliest",
      });
      env.reset([8, 9]);
      const prompts = () =>
        [8, 9].map(
          (seed, lane) => renderPrompt(new LaneView(env.lanes, lane), { template: "en-compact-v1", seed }).user,
        );
      const reset = await next(opened, "reset", {}, seedsBody(opened, [8, 9]));
      expect(textsOf(reset.result.textLayout, reset, "prompt")).toEqual(prompts());
      env.step([1, 2]);
      const step = await next(opened, "step", {}, actionsBody(opened, [1, 2]));
      expect(textsOf(step.result.textLayout, step, "prompt")).toEqual(prompts());
      expect(array(opened, step, "costSlots")).toEqual(env.costSlots);
    });

    it("refuses ids of both kinds, given states in a session, and same-step text", async () => {
      const opened = await started(await open(host()), [1, 2]);
      expect((await next(opened, "prompt", { scenario: "paper-v1" })).error).toMatchObject({ path: "/scenario" });
      const { layout, body } = described(texts("state", ["{}"]));
      const fields = { op: "prompt", requestId: newId(), scenario: "paper-v1", layout };
      expect((await ask(host(), fields, body)).error?.code).toBe("invalidRecord");
      const both = { ...fields, session: opened.session, epoch: 1, group: 0, seq: 9, ack: 2 };
      opened.seq = 8;
      expect((await ask(host(), { ...both, seq: 3 }, body)).error?.code).toBe("invalidRequest");
      const text = { op: "open", requestId: newId(), scenarios: ["paper-v1"], numEnvs: 1, observation: "text" };
      expect((await ask(host(), { ...text, autoreset: "same-step" })).error).toMatchObject({ path: "/observation" });
    });
  });

  describe("snapshot, restore and fork", () => {
    const churn = "churn-v1";

    it("of all lanes: what was played before is played again, bit for bit", async () => {
      const opened = await started(
        await open(host(), { scenarios: [churn], numEnvs: 3, autoreset: "same-step" }),
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
      const opened = await started(await open(host()), [1, 2]);
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

    it("copies lanes all at once, so that two change places, and leaves what they were copied from", async () => {
      const opened = await started(await open(host(), { numEnvs: 4 }), [1, 2, 3, 4]);
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

    it("copies a session: both play on alike, and neither touches the other", async () => {
      const opened = await started(await open(host(), { numEnvs: 3 }), [5, 6, 7]);
      await play(opened, 0, 20);
      const forked = await next(opened, "fork");
      const copy = openedOf(host(), forked.result);
      expect(copy.session).not.toBe(opened.session);
      const original = await play(opened, 20, 150);
      expect(await play(copy, 20, 150)).toEqual(original);
      await next(opened, "close");
      expect((await next(copy, "step", {}, actionsBody(copy, [1, 1, 1]))).error).toBeUndefined();
    });

    it("needs a reset first", async () => {
      const opened = await open(host());
      for (const op of ["snapshot", "prompt"]) expect((await next(opened, op)).error?.code).toBe("needsReset");
    });
  });

  describe("policy", () => {
    it.each(["oracle", "lacs", "round-robin", "random", "rollout"])(
      "%s plays as the benchmark plays it",
      async (name) => {
        const fields = { episodeSlots: 12 };
        const opened = await open(host(), { scenarios: [fields], numEnvs: 2, autoreset: "disabled" });
        await started(opened, [21, 22]);
        const scenario = resolveScenario(fields);
        const player = new EpisodePlayer(scenario);
        const entry = findPolicy(name);
        const units = [21, 22].map((seed) => player.play(entry.make(seed, scenario), seed));
        const shortest = Math.min(...units.map(({ decisions }) => decisions.length));
        const answer = await next(opened, "policy", { policy: name, steps: 1000 });
        // a batch that resets nothing plays until the first lane ends
        expect(answer.result.steps).toBe(shortest);
        const of = (array: string) => [...arrayOf(answer.result.policyLayout, answer, array)];
        const ended = units.findIndex(({ decisions }) => decisions.length === shortest);
        expect(of("decisions")).toEqual([shortest, shortest]);
        expect(of("costSumSlots")[ended]).toBe(costSums(units).costSlots[ended]);
        expect(of("finalLane")).toContain(ended);
        expect(of("finalStep").every((step) => step === shortest - 1)).toBe(true);
      },
    );

    it("is the same however it is asked for again, and unknown names are refused", async () => {
      const two: Opened[] = [];
      for (let i = 0; i < 2; i++) two.push(await started(await open(host(), { numEnvs: 5 }), [1, 2, 3, 4, 5]));
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
    it("of one action for each lane is that entry of all actions", async () => {
      const opened = await started(await open(host()), [3, 4]);
      const all = await next(opened, "lookahead");
      const some = await next(opened, "lookahead", {}, actionsBody(opened, [2, 9]));
      const width = maxServersOf(resolveScenario("paper-v1")) + 1;
      for (const { name } of all.result.layout as ArraySpec[]) {
        const [one, none] = arrayOf(some.result.layout, some, name);
        expect(one).toBe(arrayOf(all.result.layout, all, name)[2]);
        expect(none).toBeNaN();
        expect(arrayOf(all.result.layout, all, name)).toHaveLength(2 * width);
      }
    });
  });
});

describe("a session that asks for more than the socket's thread has time for", () => {
  it("goes on in another one, and nobody can tell", async () => {
    const small = { maxInlineLanes: 256, threads: { count: 1, entry: workerEntry() } };
    const replies: string[][] = [];
    const moved: number[][] = [];
    for (const host of [makeHost("inline"), makeHost("inline", small)]) {
      const opened = await started(await open(host, { numEnvs: 4 }), [1, 2, 3, 4]);
      const own = await play(opened, 0, 30);
      const took = await next(opened, "policy", { policy: "oracle", steps: 20_000 });
      expect(took.error).toBeUndefined();
      own.push(Buffer.from(took.body as Uint8Array).toString("base64"));
      // lanes that are not reset show what they showed before
      const some = await next(opened, "reset", {}, seedsBody(opened, [7, 7, 7, 7], [0, 1, 0, 1]));
      own.push(Buffer.from(some.body as Uint8Array).toString("base64"));
      replies.push([...own, ...(await play(opened, 30, 30))]);
      moved.push(host.stats().workers.map(({ sessions }) => sessions));
    }
    expect(replies[1]).toEqual(replies[0]);
    expect(moved).toEqual([[], [1]]);
  });
});

function columnsOf(answer: Answer, names: string[]): Columns {
  return Object.fromEntries(names.map((name) => [name, { values: arrayOf(answer.result.layout, answer, name) }]));
}
