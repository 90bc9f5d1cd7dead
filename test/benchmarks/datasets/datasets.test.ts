/** Data sets: plans keep splits apart, records follow from their states, and damage is found. */

import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cardOf, manifestOf, readManifest } from "../../../benchmarks/datasets/card.js";
import { figuresOf, RecordMaker, recordLine } from "../../../benchmarks/datasets/make-records.js";
import {
  type DatasetPlan,
  datasetForms,
  datasetKinds,
  planDataset,
  seedRange,
} from "../../../benchmarks/datasets/plan.js";
import { type ReadLine, readRecords } from "../../../benchmarks/datasets/read-records.js";
import { JobWorker } from "../../../benchmarks/jobs/job-worker.js";
import { EpisodePlayer } from "../../../benchmarks/play/episode-player.js";
import { visitStates } from "../../../benchmarks/play/recorded-states.js";
import { makePolicy, oracle } from "../../../benchmarks/policies/index.js";
import {
  listScenarios,
  observedCostSlots,
  parseCompletion,
  perturbationIds,
  renderPrompt,
  resolveScenario,
  type Split,
  score,
  splits,
} from "../../../env/index.js";
import type { DatasetRecord } from "../../../schemas/generated/types.js";
import { findProblem } from "../../../schemas/validate.js";
import { makeState, withOneRate } from "../../env/states.js";

const plan = (input: Partial<DatasetPlan> & Pick<DatasetPlan, "kind">) => planDataset(input);
const records = (input: Partial<DatasetPlan> & Pick<DatasetPlan, "kind">, count = 3) => {
  const maker = new RecordMaker(plan(input));
  return Array.from({ length: count }, (_, i) => maker.make(i));
};

async function read(lines: readonly string[]): Promise<ReadLine[]> {
  async function* each(): AsyncGenerator<string> {
    yield* lines;
  }
  const result: ReadLine[] = [];
  for await (const one of readRecords("data/sft.jsonl", each())) result.push(one);
  return result;
}

describe("a plan", () => {
  it("has the paper's sizes, and its own seeds", () => {
    expect(plan({ kind: "sft" })).toMatchObject({ split: "train", firstSeed: 0, count: 1000, labels: "oracle" });
    expect(plan({ kind: "grpo" })).toMatchObject({ split: "train", firstSeed: 500_000, count: 2000 });
    expect(plan({ kind: "test" })).toMatchObject({ split: "test", firstSeed: 2_000_000, count: 1000 });
  });

  it("gives kinds and splits ranges that never overlap, within their splits", () => {
    const ranges = (Object.keys(splits) as Split[]).flatMap((split) =>
      datasetKinds.flatMap((kind) => {
        const range = seedRange(kind, split);
        if (range === undefined) return [];
        expect(range.start).toBeGreaterThanOrEqual(splits[split].start);
        expect(range.start + range.size).toBeLessThanOrEqual(splits[split].start + splits[split].size);
        return [range];
      }),
    );
    expect(ranges.length).toBe(5);
    ranges.sort((a, b) => a.start - b.start);
    for (let i = 1; i < ranges.length; i++) {
      expect(ranges[i].start).toBeGreaterThanOrEqual(ranges[i - 1].start + ranges[i - 1].size);
    }
  });

  it("never takes a seed of another kind or split, whatever the options are", () => {
    const kind = fc.constantFrom(...datasetKinds);
    const split = fc.constantFrom<Split>("train", "validation", "test");
    const seed = fc.oneof(fc.integer({ min: 0, max: 2_100_000 }), fc.constantFrom(499_999, 999_999, 1_004_999));
    fc.assert(
      fc.property(kind, split, seed, fc.integer({ min: 1, max: 20_000 }), (k, s, firstSeed, count) => {
        const range = seedRange(k, s);
        const isOwn = range && firstSeed >= range.start && firstSeed + count <= range.start + range.size;
        const make = () => planDataset({ kind: k, split: s, firstSeed, count });
        if (isOwn) expect(make()).toMatchObject({ firstSeed, count });
        else expect(make).toThrowError(/invalidSeed|invalidOption/);
      }),
      { numRuns: 500 },
    );
  });

  it.each<[Partial<DatasetPlan>, object]>([
    [{ kind: "sft", firstSeed: 2_000_000 }, { code: "invalidSeed" }],
    [
      { kind: "sft", split: "test" },
      { code: "invalidOption", path: "dataset/split" },
    ],
    [
      { kind: "test", split: "train" },
      { code: "invalidOption", path: "dataset/split" },
    ],
    [{ kind: "sft", count: 500_001 }, { code: "invalidSeed" }],
    [
      { kind: "sft", count: 0 },
      { code: "invalidOption", path: "dataset/count" },
    ],
    [{ kind: "sft", scenario: "paper-v0" }, { code: "unknownScenario" }],
    [{ kind: "sft", labels: "orakel" }, { code: "unknownPolicy" }],
    ...["random", "two-choices", "clairvoyant"].map((labels): [Partial<DatasetPlan>, object] => [
      { kind: "sft", labels },
      { code: "invalidOption", path: "dataset/labels", expected: expect.stringMatching(/rollout; as for .*, it /) },
    ]),
    [
      { kind: "grpo", form: "messages" },
      { code: "invalidOption", path: "dataset/form" },
    ],
    [
      { kind: "sft", form: "release" },
      { code: "invalidOption", path: "dataset/form" },
    ],
  ])("%j is refused", (input, error) => {
    expect(() => planDataset(input as DatasetPlan)).toThrowError(expect.objectContaining(error));
  });
});

describe("a record", () => {
  it.each(datasetKinds)("of kind %s is a state of the static protocol, with the costs of every action", (kind) => {
    const scenario = resolveScenario("paper-v1");
    const made = records({ kind });
    const { firstSeed } = plan({ kind });
    const states = [...visitStates(scenario, firstSeed, made.length)];
    made.forEach((record, i) => {
      expect(findProblem("dataset-record", structuredClone(record))).toBeUndefined();
      const { episodeSeed, state } = states[i];
      expect(record).toMatchObject({ kind, index: i, episodeSeed, state, decisionIndex: state.decisionIndex });
      expect(record.prompt).toBe(renderPrompt(state, { seed: episodeSeed }).text);
      const actions = [0, 1, 2, 3, 4, 5, 6];
      expect(record.costSlots).toEqual(actions.map((action) => observedCostSlots(state, action)));
      const cheapest = Math.min(...(record.costSlots as number[]));
      expect(record.costSlots[record.cheapestAction]).toBe(cheapest);
      expect(record.regretSlots).toEqual(record.costSlots.map((cost) => (cost as number) - cheapest));
      expect(record.meetsDeadline).toEqual(record.costSlots.map((cost) => (cost as number) <= 10));
      expect(record.labelAction).toBe(record.cheapestAction);
      if (kind === "grpo") expect(record).not.toHaveProperty("completion");
      else expect(parseCompletion(record.completion as string)).toEqual({ action: record.labelAction });
      // the state is enough to score any action later on
      const scores = score(scenario, [{ episodeSeed, state: record.state }], [0]);
      expect(scores.reward[0]).toBe(record.lookAheadReward[0]);
    });
  });

  it("can be scored again from nothing but its line, bit for bit", () => {
    for (const record of records({ kind: "sft", scenario: "paper-3-to-11-servers-v1" }, 5)) {
      const line: DatasetRecord = JSON.parse(recordLine(record));
      expect(line).toEqual(record);
      const scenario = resolveScenario(line.scenarioId);
      const actions = line.costSlots.map((_, action) => action);
      const states = [{ episodeSeed: line.episodeSeed, state: line.state }];
      const scores = score(
        scenario,
        states,
        actions,
        actions.map(() => 0),
      );
      expect([...scores.costSlots]).toEqual(line.costSlots);
      expect([...scores.impactSlots]).toEqual(line.impactSlots);
      expect([...scores.reward]).toEqual(line.lookAheadReward);
      expect(figuresOf(scenario, line.episodeSeed, line.state).cheapestAction).toBe(line.cheapestAction);
    }
  });

  it("mixes numbers of servers if the scenario does", () => {
    const counts = records({ kind: "sft", scenario: "paper-3-to-11-servers-v1" }, 40).map(
      ({ state }) => state.numServers,
    );
    expect(new Set(counts).size).toBeGreaterThan(4);
  });

  it("is labelled by the requested policy", () => {
    expect(records({ kind: "sft", labels: "local" }).map(({ completion }) => completion)).toEqual([
      "Local",
      "Local",
      "Local",
    ]);
    for (const { lookAheadReward, labelAction } of records({ kind: "sft", labels: "lacs" }, 20)) {
      expect(lookAheadReward[labelAction]).toBe(Math.max(...(lookAheadReward as number[])));
    }
  });

  it.each(["paper-v1", "paper-poisson-v1", "bursty-v1", "churn-v1", "load-24-users-v1"])(
    "labelled by rollout has what the policy decides there, having watched the oracle's episode of %s",
    { timeout: 300_000 },
    (id) => {
      const scenario = resolveScenario(id);
      const player = new EpisodePlayer(scenario);
      for (const { episodeSeed, decisionIndex, labelAction } of records(
        { kind: "sft", scenario: id, labels: "rollout" },
        2,
      )) {
        const rollout = makePolicy("rollout", episodeSeed, scenario);
        const answers: number[] = [];
        player.play((observation, lookAhead, handle) => {
          if (observation.decisionIndex <= decisionIndex) answers.push(rollout(observation, lookAhead, handle));
          return oracle(observation);
        }, episodeSeed);
        expect(labelAction).toBe(answers[decisionIndex]);
      }
    },
  );

  it("labelled by rollout differs from its base policy if the futures speak against it", () => {
    const labels = (name: string) =>
      records({ kind: "sft", scenario: "load-24-users-v1", labels: name }, 40).map(({ labelAction }) => labelAction);
    const [rollout, priced] = [labels("rollout"), labels("priced")];
    expect(rollout.filter((action, i) => action !== priced[i]).length).toBeGreaterThan(0);
  });

  it("labelled by a policy that remembers depends on the whole episode before it", () => {
    for (const { decisionIndex, labelAction } of records({ kind: "sft", labels: "round-robin" }, 10)) {
      expect(labelAction).toBe((decisionIndex % 6) + 1); // one server after another, from server 1
    }
  });

  it("has null for absent servers, and never labels one", () => {
    const scenario = listScenarios().find(({ churn }) => churn !== undefined);
    const made = records({ kind: "sft", scenario: scenario?.id as string }, 60);
    const absent = made.filter(({ state }) => state.isAvailable?.includes(false));
    expect(absent.length).toBeGreaterThan(0);
    for (const record of absent) {
      const { isAvailable = [] } = record.state;
      expect(findProblem("dataset-record", structuredClone(record))).toBeUndefined();
      isAvailable.forEach((isThere, e) => {
        expect(record.costSlots[e + 1] === null).toBe(!isThere);
        expect(record.lookAheadReward[e + 1] === null).toBe(!isThere);
        if (!isThere) expect(record.meetsDeadline[e + 1]).toBe(false);
      });
      expect(record.costSlots[record.labelAction]).not.toBeNull();
    }
  });

  it("has the requested form", () => {
    const [chat] = records({ kind: "sft", form: "chat", system: true });
    expect(chat.prompt).toMatchObject([{ role: "system" }, { role: "user" }]);
    expect(chat.completion).toEqual([{ role: "assistant", content: `Server ${chat.labelAction}` }]);
    const [messages] = records({ kind: "sft", form: "messages" });
    expect(messages.messages?.map(({ role }) => role)).toEqual(["user", "assistant"]);
    expect(messages).not.toHaveProperty("prompt");
    // an additional column of another trainer's format would change how these are read
    for (const form of datasetForms.filter((one) => one !== "release" && one !== "messages")) {
      const [record] = records({ kind: "grpo", form });
      for (const name of ["completion", "messages", "text", "label", "chosen", "rejected", "tools", "images"]) {
        expect(record).not.toHaveProperty(name);
      }
    }
  });

  it("in the form of the published data reads like the template", async () => {
    const maker = new RecordMaker(plan({ kind: "sft" }));
    const state = withOneRate(makeState(3, true));
    // no frozen scenario has one rate for all servers, so the record is made from parts
    const prompt = renderPrompt(state, { template: "zh-release-v1" });
    const [instruction, fields] = prompt.user.split("\n\n**输入数据**：\n");
    const input = Object.fromEntries(fields.split("\n").map((line) => line.split(/: (.*)/s, 2)));
    expect(Object.keys(input)).toContain("边缘服务器3");
    const figures = figuresOf(resolveScenario("paper-v1"), 5, state);
    const { prompt: _prompt, completion: _completion, ...base } = maker.make(0);
    const record = {
      ...{ ...base, ...figures, state, instruction, input, template: "zh-release-v1", episodeSeed: 5 },
      labelPolicy: "by hand",
      ...{ decisionIndex: state.decisionIndex, labelAction: 2, output: { action_name: "卸载到边缘服务器2" } },
    };
    expect(await read([JSON.stringify(record)])).toEqual([{ record }]);
    const wrong = { ...record, input: { ...input, 任务大小: "1.0000 Mbits" } };
    expect(await read([JSON.stringify(wrong)])).toMatchObject([{ problem: { path: "/input" } }]);
  });

  it("refuses states that the template has no words for", () => {
    expect(() => records({ kind: "sft", template: "zh-release-v1", form: "release" })).toThrowError(/unsupportedState/);
  });

  it("writes real numbers with a decimal point, and counts without", () => {
    const line = recordLine(records({ kind: "sft" })[0]);
    expect(line).toMatch(/"deadlineSlots":10\.0,/);
    expect(line).toMatch(/"activeTasks":\[\d+,/);
    expect(line).toMatch(/"localWaitSlots":\d+\.\d/);
    expect(line.endsWith("}\n")).toBe(true);
    expect(line.indexOf("\n")).toBe(line.length - 1);
  });
});

describe("the same plan", () => {
  const bytesOf = (input: DatasetPlan, parts: readonly number[]) => {
    const worker = new JobWorker();
    const hash = createHash("sha256");
    let firstIndex = 0;
    for (const count of parts) {
      hash.update(worker.do({ kind: "records", plan: input, firstIndex, count }).bytes);
      firstIndex += count;
    }
    return hash.digest("hex");
  };

  it("gives the same bytes, whatever parts they are made in", () => {
    for (const perturbation of perturbationIds) {
      const one = plan({ kind: "sft", perturbation, labels: "rollout", count: 12 });
      expect(bytesOf(one, [12])).toBe(bytesOf(one, [5, 1, 6]));
    }
  });

  it("gives the default files, whose bytes are pinned", { timeout: 300_000 }, () => {
    const hashes = datasetKinds.map((kind) => [kind, bytesOf(plan({ kind }), [plan({ kind }).count])]);
    expect(Object.fromEntries(hashes)).toMatchInlineSnapshot(`
      {
        "grpo": "81237865413e550a588f078c414b78b69ae8f1df129f9bab4792f9768746506f",
        "sft": "2ae27e58338dfb996e7ed53eaa10be88fc9c1c8f7a51dddde0ab2271f0dca7ca",
        "test": "b50e8d26518c61bd3f72f474ed9f66e1d8e2f3ef2c04c1612d382a4e3f739a34",
      }
    `);
  });
});

describe("readRecords", () => {
  const lines = records({ kind: "sft", scenario: "paper-3-servers-v1" }, 2).map((record) => recordLine(record).trim());
  const changed = (change: (record: Record<string, never>) => void) => {
    const record = JSON.parse(lines[1]);
    change(record);
    return JSON.stringify(record);
  };

  it("returns every sound record", async () => {
    expect(await read(lines)).toEqual(lines.map((line) => ({ record: JSON.parse(line) })));
    for (const form of datasetForms.filter((one) => one !== "release")) {
      const made = records({ kind: "test", form, system: true, perturbation: "noisy" }).map(recordLine);
      expect((await read(made)).every((one) => "record" in one)).toBe(true);
    }
  });

  // biome-ignore lint/suspicious/noExplicitAny: damage takes any shape
  const damages: [string, (record: any) => void, string][] = [
    ["a missing state", (r) => delete r.state, ""],
    ["a negative rate", (r) => (r.state.rateMbps[2] = -1), "/state/rateMbps/2"],
    ["a list that is too short", (r) => r.state.cpuGHz.pop(), "/state/cpuGHz"],
    ["costs of too few actions", (r) => r.costSlots.pop(), "/costSlots"],
    ["another cost", (r) => (r.costSlots[2] += 0.001), "/costSlots/2"],
    ["another reward", (r) => (r.lookAheadReward[0] -= 1), "/lookAheadReward/0"],
    ["another decision", (r) => (r.completion = "Server 9"), "/completion"],
    ["another label", (r) => (r.labelAction = 9), "/completion"],
    [
      "a label that is not its policy's, with the words for it",
      (r) => {
        r.labelAction = (r.labelAction + 1) % 4;
        r.completion = r.labelAction === 0 ? "Local" : `Server ${r.labelAction}`;
      },
      "/labelAction",
    ],
    ["another prompt", (r) => (r.prompt = r.prompt.replace("Mbit", "Gbit")), "/prompt"],
    ["another state", (r) => (r.state.sizeMbit += 0.1), "/prompt"],
    ["a digit below what the prompt shows", (r) => (r.state.sizeMbit += 1e-9), "/costSlots/0"],
    ["a test seed in training data", (r) => (r.episodeSeed = 2_000_000), "/episodeSeed"],
    ["a seed of grpo", (r) => (r.episodeSeed = 500_000), "/episodeSeed"],
    ["another content under a frozen name", (r) => (r.scenarioHash = "0".repeat(64)), "/scenarioHash"],
    ["another split", (r) => (r.split = "test"), "/split"],
    ["another decision index", (r) => (r.decisionIndex += 1), "/decisionIndex"],
    ["a completion for grpo", (r) => Object.assign(r, { kind: "grpo", episodeSeed: 500_000 }), ""],
    [
      "two forms at once",
      (r) =>
        (r.messages = [
          { role: "user", content: r.prompt },
          { role: "assistant", content: "Local" },
        ]),
      "",
    ],
  ];
  it.each(damages)("finds %s", async (_, damage, path) => {
    const result = await read([lines[0], changed(damage), lines[0]]);
    expect(result[0]).toHaveProperty("record");
    expect(result[1]).toMatchObject({ problem: { file: "data/sft.jsonl", line: 2, path } });
    expect(result[2]).toHaveProperty("record");
  });

  it("finds lines that are not JSON, or only half of it", async () => {
    const result = await read(["", "[1]", lines[0].slice(0, 900), lines[0]]);
    expect(result.map((one) => ("problem" in one ? one.problem.line : "sound"))).toEqual([1, 2, 3, "sound"]);
  });

  it("checks a record of an unknown scenario only by the schema", async () => {
    const unknown = changed((record) => Object.assign(record, { scenarioId: "mine", scenarioHash: "0".repeat(64) }));
    expect(await read([unknown])).toMatchObject([{ record: { scenarioId: "mine" }, isForeign: true }]);
    const damaged = unknown.replace('"kind":"sft"', '"kind":"stf"');
    expect(await read([damaged])).toMatchObject([{ problem: { path: "/kind" } }]);
  });
});

describe("manifest and card", () => {
  it("describe the files", () => {
    const file = {
      name: "sft.jsonl",
      plan: plan({ kind: "sft" }),
      records: 1000,
      bytes: 5,
      sha256: "a".repeat(64),
      labelCounts: [1, 2],
    };
    expect(manifestOf([file], "0.1.0")).toMatchObject({
      packageVersion: "0.1.0",
      files: [
        { name: "sft.jsonl", records: 1000, seeds: { first: 0, count: 1000 }, labels: "oracle", labelCounts: [1, 2] },
      ],
    });
    expect(readManifest(JSON.stringify(manifestOf([file], "0.1.0")))).toEqual([file]);
    const card = cardOf([file], "0.1.0");
    expect(card).toMatch(/^---\nlicense: mit\nlanguage: en\n/);
    expect(card).toContain("config_name: sft\n    data_files:\n      - split: train\n        path: sft.jsonl");
    expect(card).toContain("0 – 999");
  });

  it("are ignored if they name another scenario under a frozen name, or are something else", () => {
    const text = (file: object) => JSON.stringify({ files: [file] });
    const scenario = { id: "paper-v1", hash: "0".repeat(64) };
    for (const damaged of ["", "{}", "[1]", text({ name: "sft.jsonl" }), text({ name: "sft.jsonl", scenario })]) {
      expect(readManifest(damaged)).toBeUndefined();
    }
  });
});
