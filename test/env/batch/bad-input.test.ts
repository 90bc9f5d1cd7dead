/** Bad input is rejected with its place, and changes nothing. */

import { describe, expect, it } from "vitest";
import { BatchEnv, FLAG_RESET, lookAheadOfState, type MecgymError, makeEnv, scenarioHash } from "../../../env/index.js";
import { cycle, episode, errorOf, mixed } from "../episodes.js";

describe("bad input changes nothing", () => {
  const seeds = [41, 42];
  const makeBatch = () => {
    const batch = new BatchEnv({ scenarios: [mixed], numLanes: 2, history: true });
    batch.reset(seeds);
    return batch;
  };
  type Call = (batch: BatchEnv) => void;
  const bad: [string, Call, Partial<MecgymError>][] = [
    ["an action that does not exist", (b) => b.step([0, 99]), { code: "invalidAction", path: "actions/1", got: 99 }],
    [
      "no future tasks",
      (b) => b.lookAhead(0, { numSamples: 0 }),
      { code: "invalidOption", path: "lookAhead/numSamples", got: 0 },
    ],
    [
      "a negative weight",
      (b) => b.lookAhead(0, { weight: -1 }),
      { code: "invalidOption", path: "lookAhead/weight", got: -1 },
    ],
    [
      "an unknown mode",
      (b) => b.lookAhead(0, { mode: "both" as never }),
      { code: "invalidOption", path: "lookAhead/mode", got: "both" },
    ],
    ["a lane that is not there", (b) => b.lookAhead(2), { code: "invalidOption", path: "lane", got: 2 }],
    ["a negative action", (b) => b.step([-1, 0]), { code: "invalidAction", path: "actions/0", got: -1 }],
    ["half an action", (b) => b.step([1.5, 0]), { code: "invalidAction", path: "actions/0", got: 1.5 }],
    ["no number", (b) => b.step([0, Number.NaN]), { code: "invalidAction", path: "actions/1", got: Number.NaN }],
    ["a string", (b) => b.step(["1", 0] as never), { code: "invalidAction", path: "actions/0", got: "1" }],
    ["nothing", (b) => b.step([undefined, 0] as never), { code: "invalidAction", path: "actions/0", got: undefined }],
    ["infinity", (b) => b.step([0, Infinity]), { code: "invalidAction", path: "actions/1", got: Infinity }],
    [
      "an integer beyond 32 bits",
      (b) => b.step([2 ** 32, 0]),
      { code: "invalidAction", path: "actions/0", got: 2 ** 32 },
    ],
    ["too few actions", (b) => b.step([0]), { code: "invalidOption", path: "actions", got: "1 values" }],
    ["too many actions", (b) => b.step([0, 0, 0]), { code: "invalidOption", path: "actions", got: "3 values" }],
    ["too few seeds", (b) => b.reset([1]), { code: "invalidOption", path: "seeds", got: "1 values" }],
    ["a mask too long", (b) => b.reset([1, 2], [1, 1, 1]), { code: "invalidOption", path: "mask", got: "3 values" }],
    ["a negative seed", (b) => b.reset([1, -1]), { code: "invalidSeed", path: "seeds/1", got: -1 }],
    ["half a seed", (b) => b.reset([0.5, 1]), { code: "invalidSeed", path: "seeds/0", got: 0.5 }],
    ["a seed too large", (b) => b.reset([1, 2 ** 53]), { code: "invalidSeed", path: "seeds/1", got: 2 ** 53 }],
    ["a string as seed", (b) => b.reset(["7", 1] as never), { code: "invalidSeed", path: "seeds/0", got: "7" }],
  ];

  it.each(bad)("%s", (_, call, expected) => {
    const disturbed = makeBatch();
    const undisturbed = makeBatch();
    for (let d = 0; undisturbed.numFinal === 0; d++) {
      if (d % 5 === 0) {
        const error = errorOf(() => call(disturbed));
        expect(error).toMatchObject(expected);
        expect(error.expected).not.toBe("");
        expect(error.message).toContain(`${error.code} at ${error.path}: expected ${error.expected}, got`);
      }
      const actions = seeds.map((_seed, lane) => cycle(3)(d, disturbed.outputs.numServers[lane]));
      disturbed.step(actions);
      undisturbed.step(actions);
      expect(disturbed.observation).toEqual(undisturbed.observation);
      expect(disturbed.costSlots).toEqual(undisturbed.costSlots);
      expect(disturbed.flags).toEqual(undisturbed.flags);
    }
    expect(disturbed.finalStats).toEqual(undisturbed.finalStats);
  });

  it("a step, a look-ahead before the first reset", () => {
    const batch = new BatchEnv({ scenarios: [mixed], numLanes: 1 });
    const before = { code: "needsReset", path: "lanes/0", got: "a lane before its first reset" };
    expect(errorOf(() => batch.step([0]))).toMatchObject(before);
    expect(errorOf(() => batch.lookAhead(0))).toMatchObject(before);
    expect(errorOf(() => makeEnv(mixed).step(0))).toMatchObject({ ...before, path: "episode" });
    expect(errorOf(() => makeEnv(mixed).episodeStats())).toMatchObject({ code: "needsReset", path: "episodeStats" });
    batch.reset([41]);
    const fresh = makeEnv(mixed).reset(41).observation;
    expect(batch.observation[0]).toBe(Math.fround(fresh.sizeMbit));
  });

  it("a step after the end", () => {
    const env = makeEnv({ ...mixed, episodeSlots: 2 });
    let step = env.reset(3);
    while (!step.truncated) step = env.step(0);
    const stats = env.episodeStats();
    expect(errorOf(() => env.step(0))).toMatchObject({
      code: "needsReset",
      path: "episode",
      got: "a lane after its end",
      expected: "a reset first",
    });
    expect(env.episodeStats()).toEqual(stats);
    expect(env.reset(3).observation).toEqual(makeEnv({ ...mixed, episodeSlots: 2 }).reset(3).observation);
  });

  it("a bad seed does not change a running episode of `Env`", () => {
    const env = makeEnv(mixed, { seed: 3 });
    env.reset();
    for (const seed of [-1, 1.5, Number.NaN, 2 ** 53, "1" as never]) {
      expect(errorOf(() => env.reset(seed))).toMatchObject({ code: "invalidSeed", path: "seed", got: seed });
      expect(errorOf(() => makeEnv(mixed, { seed }))).toMatchObject({ code: "invalidSeed", path: "seed", got: seed });
    }
    expect(env.step(1)).toEqual(episode(mixed, 3, () => 1)[1]);
  });

  it("an action of a lane that only resets is ignored", () => {
    const batch = new BatchEnv({ scenarios: [{ ...mixed, episodeSlots: 1 }], numLanes: 1, autoreset: "next-step" });
    batch.reset([1]);
    while (batch.numFinal === 0) batch.step([0]);
    batch.step([99]);
    expect([batch.flags[0], batch.reward[0]]).toEqual([FLAG_RESET, 0]);
  });

  it("after an invalid action of one lane, the other lanes still play correctly", () => {
    const batch = new BatchEnv({ scenarios: [mixed], numLanes: 2, invalidActions: "costliest" });
    batch.reset(seeds);
    expect(errorOf(() => batch.step([7, 1.5]))).toMatchObject({ code: "invalidAction", path: "actions/1" });
    expect(batch.outputs.decisionIndex[0]).toBe(0);
  });

  it.each([
    ["no scenario", { scenarios: [], numLanes: 1 }, "invalidOption", "scenarios"],
    ["no lane", { scenarios: [mixed], numLanes: 0 }, "invalidOption", "numLanes"],
    ["half a lane", { scenarios: [mixed], numLanes: 1.5 }, "invalidOption", "numLanes"],
    ["too little room", { scenarios: [mixed], numLanes: 1, maxServers: 4 }, "invalidOption", "maxServers"],
    ["an unknown split", { scenarios: [mixed], numLanes: 1, split: "toString" }, "invalidOption", "split"],
    ["a bad seed", { scenarios: [mixed], numLanes: 1, seed: -1 }, "invalidSeed", "seed"],
    ["a scenario too far", { scenarios: [mixed], numLanes: 1, laneScenario: [1] }, "invalidOption", "laneScenario/0"],
    ["too few lane scenarios", { scenarios: [mixed], numLanes: 2, laneScenario: [0] }, "invalidOption", "laneScenario"],
    ["an unknown id", { scenarios: ["paper-v0"], numLanes: 1 }, "unknownScenario", "scenario"],
  ])("options of a batch: %s", (_, options, code, path) => {
    expect(errorOf(() => new BatchEnv(options as never))).toMatchObject({ code, path });
  });
});

describe("options of the wrong kind", () => {
  const batch = new BatchEnv({ scenarios: ["paper-v1"], numLanes: 2 });
  batch.reset([1, 2]);
  const before = batch.snapshot(0);
  const wrong = (value: unknown) => value as never;
  const cases: [string, () => unknown, { code: string; path: string }][] = [
    ["a date as scenario", () => makeEnv(wrong(new Date())), { code: "invalidScenario", path: "scenario" }],
    ["a map as scenario", () => makeEnv(wrong(new Map())), { code: "invalidScenario", path: "scenario" }],
    ["an unknown id to hash", () => scenarioHash("paper-v0"), { code: "unknownScenario", path: "scenario" }],
    [
      "a typo in makeEnv",
      () => makeEnv("paper-v1", wrong({ sede: 3 })),
      { code: "invalidOption", path: "options/sede" },
    ],
    ["null for options", () => makeEnv("paper-v1", wrong(null)), { code: "invalidOption", path: "options" }],
    ["no options", () => new BatchEnv(wrong(undefined)), { code: "invalidOption", path: "options" }],
    [
      "a typo in BatchEnv",
      () => new BatchEnv(wrong({ scenarios: ["paper-v1"], numLanes: 1, autorest: "disabled" })),
      { code: "invalidOption", path: "options/autorest" },
    ],
    [
      "one id for a list",
      () => new BatchEnv(wrong({ scenarios: "paper-v1", numLanes: 1 })),
      { code: "invalidOption", path: "scenarios" },
    ],
    [
      "half a first lane",
      () => new BatchEnv({ scenarios: ["paper-v1"], numLanes: 1, firstLane: -1.5 }),
      { code: "invalidOption", path: "firstLane" },
    ],
    [
      "too many scenario indices",
      () => new BatchEnv({ scenarios: ["paper-v1"], numLanes: 1, laneScenario: [0, 0] }),
      { code: "invalidOption", path: "laneScenario" },
    ],
    [
      "a word for a switch",
      () => new BatchEnv(wrong({ scenarios: ["paper-v1"], numLanes: 1, history: "no" })),
      { code: "invalidOption", path: "history" },
    ],
    ["no actions", () => batch.step(wrong(undefined)), { code: "invalidOption", path: "actions" }],
    ["null seeds", () => batch.reset(wrong(null)), { code: "invalidOption", path: "seeds" }],
    ["a bigint action", () => batch.step(wrong([1n, 1n])), { code: "invalidAction", path: "actions/0" }],
    [
      "text in a look-ahead",
      () => batch.lookAhead(0, wrong({ sizeFactor: { min: "1", max: "2" } })),
      { code: "invalidOption", path: "lookAhead/sizeFactor" },
    ],
    [
      "a text weight",
      () => batch.lookAhead(0, wrong({ weight: "1" })),
      { code: "invalidOption", path: "lookAhead/weight" },
    ],
    [
      "65 samples",
      () => batch.lookAhead(0, { numSamples: 65 }),
      { code: "invalidOption", path: "lookAhead/numSamples" },
    ],
    [
      "a factor from more to less",
      () => batch.lookAhead(0, { sizeFactor: { min: 2, max: 1 } }),
      { code: "invalidOption", path: "lookAhead/sizeFactor" },
    ],
    [
      "a server that is none in a look-ahead",
      () => batch.lookAhead(0, { actions: [0, 7] }),
      { code: "invalidAction", path: "lookAhead/actions/1" },
    ],
    [
      "half an action in a look-ahead",
      () => batch.lookAhead(0, { actions: [0.5] }),
      { code: "invalidAction", path: "lookAhead/actions/0" },
    ],
    [
      "one action for a list of them",
      () => batch.lookAhead(0, wrong({ actions: 3 })),
      { code: "invalidOption", path: "lookAhead/actions" },
    ],
    [
      "actions for a score",
      () => lookAheadOfState(batch.scenarios[0], 1, {} as never, wrong({ actions: [1] })),
      { code: "invalidOption", path: "lookAhead/actions" },
    ],
    [
      "null as factor",
      () => batch.lookAhead(0, wrong({ sizeFactor: null })),
      { code: "invalidOption", path: "lookAhead/sizeFactor" },
    ],
    [
      "a typo in a look-ahead",
      () => batch.lookAhead(0, wrong({ numsamples: 3 })),
      { code: "invalidOption", path: "lookAhead/numsamples" },
    ],
    ["a number for options", () => batch.lookAhead(0, wrong(3)), { code: "invalidOption", path: "lookAhead" }],
  ];

  it.each(cases)("%s", (_name, run, expected) => {
    expect(errorOf(run)).toMatchObject(expected);
    expect(batch.snapshot(0)).toEqual(before);
  });

  it("undefined does not change a setting of the look-ahead", () => {
    expect(batch.lookAhead(0, { weight: undefined } as never)).toEqual(batch.lookAhead(0));
  });

  it("a scenario has the same hash by id, by fields and complete", () => {
    expect(scenarioHash({})).toBe(scenarioHash("paper-v1"));
  });
});
