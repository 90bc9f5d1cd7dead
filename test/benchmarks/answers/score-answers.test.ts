/** Scores of answers: `comllm-release` computed by hand, `paper` compared with a suite, and the two never mixed. */

import { describe, expect, it } from "vitest";
import { type PlacedRecord, parseRecords } from "../../../benchmarks/answers/answer-files.js";
import {
  type AnswerScores,
  renderScores,
  scoreFigures,
  scoreLines,
  scorePaperFiles,
  scoreReleaseFiles,
} from "../../../benchmarks/answers/score-answers.js";
import { RecordMaker } from "../../../benchmarks/datasets/make-records.js";
import { planDataset } from "../../../benchmarks/datasets/plan.js";
import { oneProfile, type Profile } from "../../../benchmarks/metrics/profiles.js";
import { renderTable } from "../../../benchmarks/report/markdown.js";
import { resultFrame } from "../../../benchmarks/result-file.js";
import { runSuite } from "../../../benchmarks/runs/run-suite.js";
import { findSuite, type Suite } from "../../../benchmarks/suites/suites.js";
import { lookAheadOfState, renderAction, resolveScenario } from "../../../env/index.js";
import type { Result } from "../../../schemas/generated/types.js";

/** 1 Mbit a slot on the device, 2 up; server 3 has 4 Mbit a slot for one task. */
const input = (localWait: number) => ({
  任务大小: "4.0000 Mbits",
  最大延迟: "10 时间槽",
  本地CPU队列等待时间: `${localWait} 时间槽`,
  网络队列等待时间: "0.0000 时间槽",
  网络上传速率: "2.0000 Mbits/时间槽",
  时间槽时长: "0.1秒",
  丢弃惩罚: 100,
  本地设备: "类型 移动设备, CPU频率 2.5 GHz, 每比特周期数 250.0",
  边缘服务器3: "CPU频率 10.0 GHz, 活跃任务数0，服务器总队列长度0.0000 Mbits",
});
const place = (fields: object, i: number): PlacedRecord => ({ place: `a.jsonl:${i + 1}`, fields: { ...fields } });
const record = (localWait: number, label: string, completion: unknown) => ({
  ...{ instruction: "?", input: input(localWait), output: { action_name: label }, completion },
});
const scoreAll = (records: object[], column?: string, states?: object[]) =>
  scoreReleaseFiles([{ name: "a", path: "a.jsonl", records: records.map(place) }], states?.map(place), column, {
    weight: 0,
  })[0];
const figureOf = (scores: AnswerScores, name: string) => scores.figures[name]?.value ?? null;

describe("the metrics of comllm-release", () => {
  const edge = "卸载到边缘服务器3"; // costs 2 + 1 = 3
  const local = "本地执行";

  it("computed by hand: answers without an action drop out of the means and are counted", () => {
    const scores = scoreAll([
      record(0, edge, edge), // 3; label 3
      record(0, local, local), // 4; label 4
      record(8.5, edge, "Local"), // 12.5: not dropped; label 3
      record(9, edge, local), // 13: dropped; label 3
      record(0, edge, "卸载到边缘服务器1"), // does not exist: 5; label 3
      record(0, edge, "?"), // no action; label 3
      record(0, "?", edge), // 3; a label that cannot be read
    ]);
    expect(figureOf(scores, "averageLatencySlots")).toBeCloseTo((3 + 4 + 12.5 + 13 + 5 + 3) / 6, 12);
    expect(figureOf(scores, "performanceRatioPercent")).toBeCloseTo(
      (100 * ((3 + 4 + 3 + 3 + 3 + 3) / 6)) / (40.5 / 6),
      10,
    );
    expect(figureOf(scores, "dropRatePercent")).toBeCloseTo(100 / 6, 12);
    // servers 1, 2, 3 got 1, 0, 2: 9 / (3 · 5)
    expect(figureOf(scores, "loadBalancingIndexPercent")).toBeCloseTo(60, 12);
    expect(figureOf(scores, "labelAgreementPercent")).toBeCloseTo(200 / 6, 12);
    expect(figureOf(scores, "parseFailurePercent")).toBeCloseTo(100 / 7, 12);
    expect(figureOf(scores, "invalidActionPercent")).toBeCloseTo(100 / 7, 12);
    expect(figureOf(scores, "unreadablePromptPercent")).toBe(0);
    // tasks: 1 − cost, and −10 more above 10; forms: 1.5, and −2.1 for "?"
    const tasks = 1 - 3 + (1 - 4) + (1 - 12.5 - 10) + (1 - 13 - 10) + (1 - 5) - 10 + (1 - 3);
    expect(figureOf(scores, "meanReward")).toBeCloseTo((0.8 * tasks + 0.2 * (6 * 1.5 - 2.1)) / 7, 12);
    expect(scores.figures.dropRatePercent).toMatchObject({ low: 0 });
  });

  it("computes load balancing up to the highest chosen server, and counts servers up to 20", () => {
    const chosen = (...ids: number[]) =>
      figureOf(scoreAll(ids.map((id) => record(0, edge, `Server ${id}`))), "loadBalancingIndexPercent");
    expect(chosen(1, 1)).toBe(100);
    expect(chosen(2, 2)).toBe(50);
    expect(chosen(1, 20)).toBeCloseTo(100 * (4 / (20 * 2)), 12);
    expect(chosen(1, 21)).toBe(100);
    expect(chosen(21)).toBeNull();
    expect(figureOf(scoreAll([record(0, edge, local)]), "loadBalancingIndexPercent")).toBeNull();
  });

  it("a prompt that cannot be read has a reward and nothing else", () => {
    const scores = scoreAll([{ prompt: "Where?", completion: local }, record(0, edge, edge)]);
    expect(figureOf(scores, "averageLatencySlots")).toBe(3);
    expect(figureOf(scores, "unreadablePromptPercent")).toBe(50);
    expect(figureOf(scores, "parseFailurePercent")).toBe(0);
    expect(figureOf(scores, "meanReward")).toBeCloseTo((-10 + 0.8 * -2 + 0.2 * 1.5) / 2, 12);
    const none = scoreAll([{ prompt: "Where?", completion: local }]);
    expect(none.figures).toMatchObject({ averageLatencySlots: null, performanceRatioPercent: null });
  });

  it("reads answers and labels where published files have them", () => {
    const result = { input: input(0), model_output: "Randomly chose: 卸载到边缘服务器3", ground_truth: local };
    expect(scoreAll([result]).rows).toMatchObject([{ action: 3, labelAction: 0, labelCostSlots: 4 }]);
    expect(scoreAll([{ ...result, mine: local }], "mine").rows).toMatchObject([{ action: 0 }]);
    const chat = { input: input(0), completion: [{ role: "assistant", content: edge }] };
    expect(scoreAll([chat]).rows).toMatchObject([{ action: 3, labelAction: null, labelCostSlots: null }]);
    // the column `completion` is the label in the states, and the answer in the answers
    const states = [{ input: input(0), completion: local }];
    expect(scoreAll([{ completion: edge }], undefined, states).rows).toMatchObject([{ action: 3, labelAction: 0 }]);
  });

  it("refuses records without an answer, other counts and other states", () => {
    const refused = (score: () => unknown, path: string, message: RegExp) => {
      expect(score).toThrowError(expect.objectContaining({ code: "invalidRecord", path }));
      expect(score).toThrowError(message);
    };
    refused(() => scoreAll([{ input: input(0) }]), "a.jsonl:1", /a field completion or model_output/);
    refused(() => scoreAll([record(0, edge, edge)], "mine"), "a.jsonl:1", /a field mine/);
    refused(() => scoreAll([record(0, edge, 3)]), "a.jsonl:1/completion", /a text, or a list of messages/);
    refused(() => scoreAll([{ completion: edge }]), "a.jsonl:1", /a field input or prompt/);
    refused(() => scoreAll([{ completion: edge }], undefined, [{}, {}]), "a.jsonl:1", /input or prompt/);
    const states = [record(0, edge, ""), record(1, edge, "")];
    refused(() => scoreAll([{ completion: edge }], undefined, states), "a.jsonl", /2, one for each state/);
    const files = [0, 1].map((wait) => ({
      ...{ name: `${wait}`, path: `${wait}`, records: [{ place: `f${wait}:1`, fields: record(wait, edge, edge) }] },
    }));
    refused(() => scoreReleaseFiles(files, undefined, undefined, {}), "f1:1", /the state of f0:1/);
  });
});

describe("profile paper", () => {
  const plan = planDataset({ kind: "test", scenario: "paper-3-servers-v1", count: 60 });
  const maker = new RecordMaker(plan);
  const records = Array.from({ length: plan.count }, (_, i) => ({ place: `t.jsonl:${i + 1}`, record: maker.make(i) }));
  const answersOf = (texts: string[]) => ({
    ...{ name: "a", path: "a.jsonl", records: texts.map((completion, i) => place({ completion }, i)) },
  });

  it("has the figures of a suite's static setting for the same decisions", async () => {
    const setting = findSuite("paper-table-4").settings.find((one) => one.id === "3-servers-static");
    const suite = { id: "three", description: "", notes: [], settings: [setting] } as Suite;
    const result = await runSuite(suite, {
      ...{ policies: ["oracle", "lacs"], episodes: plan.count, firstSeed: plan.firstSeed, packageVersion: "0" },
      runtime: { node: "", platform: "", arch: "" },
    });
    for (const { policy, metrics, actions } of result.settings[0].policies) {
      const texts = actions.map(([action]) => renderAction(action));
      const [scores] = scorePaperFiles([answersOf(texts)], records, undefined);
      for (const name of ["averageLatencySlots", "dropRatePercent", "performanceRatioPercent", "localSharePercent"]) {
        expect(figureOf(scores, name), `${policy.name} ${name}`).toBe(metrics[name as "dropRatePercent"]?.value);
      }
      expect(figureOf(scores, "loadBalancingIndexPercent")).toBe(metrics.loadBalancingIndexPercent?.value);
    }
  });

  it("charges the costliest action for an unreadable answer and for an unknown server, and counts both", () => {
    const [scores] = scorePaperFiles(
      [answersOf(["Server 9", "hm", ...records.slice(2).map(() => "Local")])],
      records,
      undefined,
    );
    expect(figureOf(scores, "invalidActionPercent")).toBeCloseTo(100 / 60, 12);
    expect(figureOf(scores, "parseFailurePercent")).toBeCloseTo(100 / 60, 12);
    expect(scores.rows.slice(0, 3)).toMatchObject([
      { action: 9, parseFailure: null },
      { action: null, parseFailure: "noDecision" },
      { action: 0, parseFailure: null },
    ]);
    for (const i of [0, 1]) {
      const costs = records[i].record.costSlots as number[];
      const costliest = costs.indexOf(Math.max(...costs));
      expect(scores.rows[i]).toMatchObject({ chargedAction: costliest, costSlots: costs[costliest] });
    }
    const { record: third } = records[2];
    const lookAhead = lookAheadOfState(resolveScenario("paper-3-servers-v1"), third.episodeSeed, third.state);
    expect(scores.rows[2]).toMatchObject({ action: 0, reward: lookAhead.reward[0], costSlots: third.costSlots[0] });
  });

  it("refuses records whose scenario is not the one of this version", () => {
    const other = [{ place: "t.jsonl:1", record: { ...records[0].record, scenarioHash: "0".repeat(64) } }];
    expect(() => scorePaperFiles([answersOf(["Local"])], other, undefined)).toThrowError(
      expect.objectContaining({ code: "invalidRecord", path: "t.jsonl:1/scenarioHash" }),
    );
  });
});

describe("two profiles", () => {
  const row = (profile: Profile): AnswerScores => ({ profile, name: profile, figures: {}, rows: [{ costSlots: 1 }] });
  const mixed = [row("paper"), row("comllm-release")];
  const refusal = expect.objectContaining({ code: "mixedProfiles", path: "rows/1/profile", got: "comllm-release" });

  it("never share a table or a list of figures", () => {
    expect(() => renderScores(mixed)).toThrowError(refusal);
    expect(() => scoreFigures(mixed)).toThrowError(refusal);
    expect(() => oneProfile([...mixed].reverse())).toThrowError(/expected figures of profile comllm-release/);
    expect(oneProfile([row("paper"), row("paper")])).toBe("paper");
  });

  it("have no suite tables, except the profile paper", () => {
    const suite = findSuite("paper-table-2");
    const frame = resultFrame(suite.id, { packageVersion: "0", runtime: { node: "", platform: "", arch: "" } });
    const result = { ...frame, profile: "comllm-release", settings: [] } as unknown as Result;
    expect(() => renderTable(suite, result)).toThrowError(refusal);
  });

  it("are named in every line, every id and every table", () => {
    const [text] = scoreLines([row("comllm-release")]);
    expect(JSON.parse(text)).toEqual({ profile: "comllm-release", answers: "comllm-release", index: 0, costSlots: 1 });
    const scores = scoreAll([record(0, "Local", "Local")]);
    for (const { id } of scoreFigures([scores]) as { id: string }[]) expect(id).toMatch(/^comllm-release\/a\//);
    expect(renderScores([scores]).split("\n")).toHaveLength(3);
  });
});

describe("a file of records", () => {
  it("is JSON Lines, an array or one object, with or without Python's infinities", () => {
    const places = (text: string) => parseRecords("f", text).map((one) => [one.place, one.fields]);
    expect(places('{"a":1}\n\n{"a":2}\r\n')).toEqual([
      ["f:1", { a: 1 }],
      ["f:3", { a: 2 }],
    ]);
    expect(places('[{"a":1},\n {"a":2}]')).toEqual([
      ["f/0", { a: 1 }],
      ["f/1", { a: 2 }],
    ]);
    expect(places('{\n "a": 1\n}\n')).toEqual([["f", { a: 1 }]]);
    expect(places('{"a":1}')).toEqual([["f:1", { a: 1 }]]);
    expect(places('{"a":Infinity}\n{"a":2}')).toEqual([
      ["f:1", { a: null }],
      ["f:2", { a: 2 }],
    ]);
    expect(places('[{"cost": Infinity, "b": [NaN, -Infinity], "c": 1}]')).toEqual([
      ["f/0", { cost: null, b: [null, null], c: 1 }],
    ]);
  });

  it("is refused with its place if it is not one", () => {
    const refused = (text: string, path: string, message: RegExp) => {
      expect(() => parseRecords("f", text)).toThrowError(expect.objectContaining({ code: "invalidRecord", path }));
      expect(() => parseRecords("f", text)).toThrowError(message);
    };
    refused("", "f", /at least one record/);
    refused("[]", "f", /at least one record/);
    refused('{"a":1}\n{"a":', "f:2", /JSON/);
    refused('[{"a":1}, 2]', "f/1", /an object/);
    refused('{"a":\n{"a":1}', "f:1", /JSON/);
    refused("local", "f:1", /JSON/);
    refused('[{"a":}]', "f", /JSON/);
  });
});
