/** The profile `comllm-release`: costs, look-ahead, answers and rewards by hand, and prompts read back. */

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  MecgymError,
  type ObservationData,
  observedLatencySlots,
  perturbationIds,
  type ReleaseState,
  readReleaseAnswer,
  readReleaseInput,
  readReleasePrompt,
  releaseCostSlots,
  releaseFormatReward,
  releaseFutureSizes,
  releaseImpactSlots,
  releaseStateOf,
  renderAction,
  renderPrompt,
  scoreRelease,
} from "../../../env/index.js";
import { makeState, withOneRate } from "../states.js";

const server = { type: "标准型", recentLoad: [] };
/** In Mbit a slot, the device does 1, server 1 does 16, server 2 does 6 for one more task; the uplink carries 2. */
const state: ReleaseState = {
  sizeMbit: 4,
  deadlineSlots: 10,
  penaltySlots: 100,
  localWaitSlots: 3,
  networkWaitSlots: 1,
  rateMbitPerSlot: 2,
  slotSeconds: 0.125,
  localCpuGHz: 2,
  densityGcyclesPerMbit: 0.25,
  servers: [
    { ...server, id: 1, cpuGHz: 32, activeTasks: 0, workloadMbit: 0 },
    { ...server, id: 2, cpuGHz: 24, activeTasks: 1, workloadMbit: 6 },
  ],
};
const deviceAlone = (localWaitSlots: number) => ({ ...state, localWaitSlots, servers: [] });

describe("the cost of an action", () => {
  it("local: wait and computation", () => {
    expect(releaseCostSlots(state, 0)).toBe(3 + 4);
  });

  it("edge: network wait, upload, queue and computation, with the new task sharing", () => {
    expect(releaseCostSlots(state, 1)).toBe(1 + 4 / 2 + 0 + 4 / 16);
    expect(releaseCostSlots(state, 2)).toBe(1 + 4 / 2 + 6 / 6 + 4 / 6);
  });

  it("5 for a server that does not exist, by its id and not by its place", () => {
    expect(releaseCostSlots(state, 3)).toBe(5);
    const second = { ...state, servers: [{ ...state.servers[1], id: 7 }] };
    expect(releaseCostSlots(second, 1)).toBe(5);
    expect(releaseCostSlots(second, 7)).toBe(1 + 4 / 2 + 6 / 6 + 4 / 6);
  });

  it("has no penalty: a very late task costs only its latency", () => {
    expect(releaseCostSlots(deviceAlone(400), 0)).toBe(404);
  });

  it("equals the latency of profile paper for a state that both can describe, up to rounding", () => {
    const observation = withOneRate({ ...makeState(6, true), activeTasks: [1, 2, 3, 4, 5, 6] });
    const read = releaseStateOf(observation);
    for (let action = 0; action <= 6; action++) {
      expect(releaseCostSlots(read, action)).toBeCloseTo(observedLatencySlots(observation, action), 10);
    }
  });

  it("rejects what is not an action", () => {
    for (const action of [-1, 1.5, Number.NaN]) {
      expect(() => releaseCostSlots(state, action)).toThrowError(expect.objectContaining({ code: "invalidAction" }));
    }
  });
});

describe("the impact of an action", () => {
  it("edge: the queue and the tasks of the chosen server grow, and nothing is served", () => {
    // server 1 now works 8 Mbit a slot for each of two and has 4 Mbit: 1 + 1 + 4/8 + 2/8 and 1 + 3 + 4/8 + 6/8
    expect(releaseImpactSlots(state, 1, [2, 6])).toBe((2.75 + 5.25) / 2);
  });

  it("local: the wait grows by the task's computation", () => {
    expect(releaseImpactSlots(deviceAlone(3), 0, [2, 6])).toBe((3 + 4 + 2 + (3 + 4 + 6)) / 2);
    // another choice does not change the device
    expect(releaseImpactSlots(deviceAlone(3), 1, [2, 6])).toBe((3 + 2 + (3 + 6)) / 2);
  });

  it("is the cheapest action's cost for each future task, and at most 100 if there are no servers", () => {
    expect(releaseImpactSlots(state, 0, [2, 6])).toBe((1 + 1 + 2 / 16 + (1 + 3 + 6 / 16)) / 2);
    expect(releaseImpactSlots(deviceAlone(500), 1, [2])).toBe(100);
    expect(releaseImpactSlots(state, 9, [2, 6])).toBe(releaseImpactSlots(state, 0, [2, 6]));
  });

  it("is over sizes from half to one and a half of the task's, which follow from state and seed", () => {
    const sizes = releaseFutureSizes(state, 0, 2000);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(2);
    expect(Math.min(...sizes)).toBeLessThan(2.01);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(6);
    expect(Math.max(...sizes)).toBeGreaterThan(5.99);
    expect(sizes.reduce((sum, one) => sum + one, 0) / 2000).toBeCloseTo(4, 0);
    expect(releaseFutureSizes(state, 0, 3)).toEqual(sizes.slice(0, 3));
    expect(releaseFutureSizes(state, 1, 3)).not.toEqual(sizes.slice(0, 3));
    expect(releaseFutureSizes(deviceAlone(3), 0, 3)).not.toEqual(sizes.slice(0, 3));
  });
});

describe("an answer", () => {
  const read: [string, number | null][] = [
    ["卸载到边缘服务器3", 3],
    ["本地执行", 0],
    ["  Server 12\n", 12],
    ["LOCAL", 0],
    ["服务器  2", 2],
    ["边缘服务器２", 2],
    ["不是本地，选择服务器2", 2],
    ["not server 2 but server 3", 2],
    ["server 0", null],
    ["server 0, so local", 0],
    ["server", null],
    ["2", null],
    ["", null],
  ];
  it.each(read)("%j is %j", (text, action) => {
    expect(readReleaseAnswer(text)).toBe(action);
  });

  it("is read as the decision that it names, for every decision string", () => {
    for (const template of ["en-v1", "zh-release-v1"] as const) {
      for (let action = 0; action <= 40; action++)
        expect(readReleaseAnswer(renderAction(action, template))).toBe(action);
    }
  });

  const marks: [string, number][] = [
    ["", -2],
    [" \n", -2],
    ["本地执行", 0.5 + 1],
    // 4 and 30 characters are within the limits, 3 and 31 are not
    ["abcd", 0.5 - 1],
    ["abc", 0.5 - 14 / 10 - 1],
    [`server${"x".repeat(24)}`, 0.5 + 1],
    [`server${"x".repeat(25)}`, 0.5 - 14 / 10 + 1],
    [`  server${"x".repeat(24)}  `, 0.5 + 1],
    // letters outside the first 65,536 count once
    [`本地${"😀".repeat(28)}`, 0.5 + 1],
    ["JSON local", 0.5 - 0.5 + 1],
    ["{ local", 0.5 - 0.5 + 1],
    ["local }", 0.5 - 0.5 + 1],
    ["```local```", 0.5 - 0.5 + 1],
    ["action_id local", 0.5 - 0.5 + 1],
    ["Action_Name 边缘", 0.5 - 0.5 + 1],
    ['```json{"action_id":2}```', 0.5 - 5 * 0.5 - 1],
  ];
  it.each(marks)("the form of %j is worth %d", (text, mark) => {
    expect(releaseFormatReward(text)).toBeCloseTo(mark, 12);
  });
});

/** An answer and the results of the published functions for it. */
interface PublishedAnswer {
  readonly input: object;
  readonly answer: string;
  readonly futureSizesMbit: readonly number[];
  readonly action: number | null;
  readonly costSlots: number | null;
  readonly impactSlots: number | null;
  readonly formatReward: number;
  readonly reward: number;
}

describe("what the published functions give", () => {
  const golden: PublishedAnswer[] = readFileSync(new URL("../../golden/release.jsonl", import.meta.url), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

  it.each(golden.map((one, i) => [i, one] as const))("is the same to the last bit: answer %d", (_, one) => {
    const given = readReleaseInput(one.input);
    const { action, costSlots, futureSizesMbit } = one;
    expect(readReleaseAnswer(one.answer)).toBe(action);
    expect(releaseFormatReward(one.answer)).toBe(one.formatReward);
    const score = scoreRelease(given, one.answer, { weight: 0 });
    expect(score).toMatchObject({ action, costSlots, formatReward: one.formatReward });
    if (action === null || one.impactSlots === null) return expect(score.reward).toBe(one.reward);
    // the published code draws futures without a seed: these are the sizes that it drew
    const impactSlots = releaseImpactSlots(given, action, futureSizesMbit);
    expect(impactSlots).toBe(one.impactSlots);
    const total = (costSlots as number) + 0.3 * impactSlots;
    expect((1 - total - (total > 10 ? 10 : 0)) * 0.8 + one.formatReward * 0.2).toBe(one.reward);
  });

  it("comes from every branch", () => {
    const some = (is: (one: PublishedAnswer) => boolean) => expect(golden.some(is)).toBe(true);
    some(({ action }) => action === null);
    some(({ action, costSlots }) => action === 0 && (costSlots as number) > 12.5);
    some(
      ({ costSlots, impactSlots }) => costSlots !== null && costSlots < 10 && costSlots + 0.3 * (impactSlots ?? 0) > 10,
    );
    some(({ costSlots }) => costSlots !== null && costSlots >= 10 && costSlots <= 12.5);
    some(({ costSlots, action }) => costSlots === 5 && (action as number) > 3);
    some(
      ({ input, impactSlots }) => impactSlots !== null && !Object.keys(input).some((name) => name.startsWith("边缘")),
    );
  });
});

describe("the reward", () => {
  const answer = "卸载到边缘服务器1"; // form 1.5
  it("is 0.8 of the task's and 0.2 of the form's", () => {
    expect(scoreRelease(state, answer, { weight: 0 })).toEqual({
      profile: "comllm-release",
      action: 1,
      costSlots: 3.25,
      impactSlots: expect.any(Number),
      taskReward: 1 - 3.25,
      formatReward: 1.5,
      reward: (1 - 3.25) * 0.8 + 1.5 * 0.2,
    });
  });

  it("counts the future with λ: 1.5 + 0.625·size for each future task after server 1", () => {
    const sizes = releaseFutureSizes(state, 7, 3);
    const impact = 1.5 + (0.625 * (sizes[0] + sizes[1] + sizes[2])) / 3;
    const score = scoreRelease(state, answer, { seed: 7 });
    expect(score.impactSlots).toBeCloseTo(impact, 12);
    expect(score.taskReward).toBeCloseTo(1 - (3.25 + 0.3 * impact), 12);
  });

  it("ignores the future from a cost of 10 up", () => {
    expect(scoreRelease(deviceAlone(6), "本地执行")).toMatchObject({
      costSlots: 10,
      impactSlots: null,
      taskReward: -9,
    });
    expect(scoreRelease(deviceAlone(5.5), "本地执行").impactSlots).toBeGreaterThan(0);
  });

  it("deducts 10 if the total is above 10, not if it is 10", () => {
    expect(scoreRelease(deviceAlone(6.5), "本地执行").taskReward).toBe(1 - 10.5 - 10);
    // 9 now, and 9 + size after it: only the total is above 10
    const [size] = releaseFutureSizes(deviceAlone(5), 0, 1);
    const total = 9 + 0.3 * (9 + size);
    expect(scoreRelease(deviceAlone(5), "本地执行", { numSamples: 1 }).taskReward).toBeCloseTo(1 - total - 10, 12);
    expect(scoreRelease(deviceAlone(5), "本地执行", { weight: 0 }).taskReward).toBe(1 - 9);
  });

  it("of a server that does not exist is that of a cost of 5", () => {
    const score = scoreRelease(state, "Server 9", { weight: 0 });
    expect(score).toMatchObject({ action: 9, costSlots: 5, taskReward: -4 });
    expect(score.impactSlots).toBeGreaterThan(0);
  });

  it("of an answer that cannot be read is −10 and the form's", () => {
    const form = 0.5 - 16 / 10 - 1;
    const score = scoreRelease(state, "x");
    expect(score).toMatchObject({ action: null, costSlots: null, impactSlots: null, taskReward: -10 });
    expect(score.reward).toBeCloseTo(-10 * 0.8 + form * 0.2, 12);
    expect(scoreRelease(state, "").reward).toBe(-10 * 0.8 - 2 * 0.2);
  });

  it("of a prompt that cannot be read is −10, whatever the answer", () => {
    for (const text of [answer, "x", ""]) {
      expect(scoreRelease(null, text)).toMatchObject({
        action: null,
        costSlots: null,
        formatReward: null,
        reward: -10,
      });
    }
  });

  it("is the same every time, and all answers to a state face the same futures", () => {
    expect(scoreRelease(state, answer)).toEqual(scoreRelease(structuredClone(state), answer));
    const missing = scoreRelease(state, "Server 9").impactSlots as number;
    expect(scoreRelease(state, "Server 8").impactSlots).toBe(missing);
    expect(scoreRelease(state, answer, { seed: 1 })).not.toEqual(scoreRelease(state, answer));
  });

  it("rejects invalid options and states", () => {
    const refused = (given: unknown, options: unknown, error: object) =>
      expect(() => scoreRelease(given as ReleaseState, answer, options as object)).toThrowError(
        expect.objectContaining(error),
      );
    refused(state, { weight: -1 }, { code: "invalidOption", path: "release/weight" });
    refused(state, { numSamples: 0 }, { code: "invalidOption", path: "release/numSamples" });
    refused(state, { seed: 0.5 }, { code: "invalidSeed", path: "release/seed" });
    refused(state, { lambda: 1 }, { code: "invalidOption", path: "release/lambda" });
    refused({ ...state, rateMbitPerSlot: 0 }, {}, { code: "unsupportedState", path: "rateMbitPerSlot" });
    refused({ ...state, localWaitSlots: -1 }, {}, { code: "unsupportedState", path: "localWaitSlots" });
    const [first] = state.servers;
    refused({ ...state, servers: [first, first] }, {}, { code: "unsupportedState", path: "servers/1/id" });
    refused(
      { ...state, servers: [{ ...first, cpuGHz: 0 }] },
      {},
      { code: "unsupportedState", path: "servers/0/cpuGHz" },
    );
    const half = { ...first, activeTasks: 0.5 };
    refused({ ...state, servers: [half] }, {}, { code: "unsupportedState", path: "servers/0/activeTasks" });
    expect(() => releaseStateOf(makeState(3, false))).toThrowError(expect.objectContaining({ path: "rateMbps/1" }));
  });
});

/** A record's fields, in the published form. */
const input = {
  任务大小: "3.5000 Mbits",
  最大延迟: "10 时间槽",
  本地CPU队列等待时间: "1.2500 时间槽",
  网络队列等待时间: "0.5000 时间槽",
  网络上传速率: "1.4000 Mbits/时间槽",
  时间槽时长: "0.1秒",
  丢弃惩罚: 100,
  本地设备: "类型 移动设备, CPU频率 2.5 GHz, 每比特周期数 297.0, 传输速率 14.0 Mbps",
  边缘服务器10:
    "类型 节能型, CPU频率 22.0 GHz, 每比特周期数 297.0, 活跃任务数1，服务器总队列长度2.5000 Mbits, 过去3个时间槽负载: [3.0, 0.0, 1.5]",
  边缘服务器2:
    "类型 高性能型, CPU频率 41.8 GHz, 每比特周期数 297.0, 活跃任务数0，服务器总队列长度0.0000 Mbits, 过去3个时间槽负载: [0.0, 0.0, 1.0]",
};
const promptOf = (fields: object) =>
  `选择。\n\n**输入数据**：\n${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n")}`;

describe("a record", () => {
  it("is read field by field, servers in the order of their numbers", () => {
    expect(readReleaseInput(input)).toEqual({
      sizeMbit: 3.5,
      deadlineSlots: 10,
      penaltySlots: 100,
      localWaitSlots: 1.25,
      networkWaitSlots: 0.5,
      rateMbitPerSlot: 1.4,
      slotSeconds: 0.1,
      localCpuGHz: 2.5,
      densityGcyclesPerMbit: 0.297,
      servers: [
        { id: 2, type: "高性能型", cpuGHz: 41.8, activeTasks: 0, workloadMbit: 0, recentLoad: [0, 0, 1] },
        { id: 10, type: "节能型", cpuGHz: 22, activeTasks: 1, workloadMbit: 2.5, recentLoad: [3, 0, 1.5] },
      ],
    });
  });

  it("has the published defaults, and no servers whose fields are null or None", () => {
    const { 丢弃惩罚: _penalty, 时间槽时长: _slot, ...rest } = input;
    const changed = { ...rest, 本地设备: "CPU频率 2.5 GHz", 边缘服务器3: null, 边缘服务器10: "None" };
    expect(readReleaseInput(changed)).toMatchObject({
      ...{ penaltySlots: 100, slotSeconds: 0.1, densityGcyclesPerMbit: 0.297 },
      servers: [{ id: 2 }],
    });
  });

  const broken: [string, unknown, string, RegExp][] = [
    ["任务大小", undefined, "任务大小", /a text/],
    ["任务大小", "3500.0 kbits", "任务大小", /a number of Mbits, got "3500.0 kbits"/],
    ["任务大小", "0.0000 Mbits", "任务大小", /above 0/],
    ["任务大小", "-3.5 Mbits", "任务大小", /a number of Mbits/],
    ["任务大小", "1e3 Mbits", "任务大小", /a number of Mbits/],
    ["任务大小", "3.5 Mbits/时间槽", "任务大小", /a number of Mbits/],
    ["网络上传速率", "14.0 Mbits/秒", "网络上传速率", /a number of Mbits\/时间槽/],
    ["本地CPU队列等待时间", "125.00 毫秒", "本地CPU队列等待时间", /a number of 时间槽/],
    ["丢弃惩罚", "many", "丢弃惩罚", /a number/],
    ["本地设备", "类型 移动设备, CPU频率 2500.0 MHz", "本地设备", /CPU频率 and a number of GHz/],
    ["边缘服务器2", "CPU频率 41.8 GHz, 服务器总队列长度0.0000 Mbits", "边缘服务器2", /活跃任务数 and a whole number/],
    ["边缘服务器2", input.边缘服务器2.replace("数0，", "数0.5，"), "边缘服务器2", /a whole number/],
    ["边缘服务器2", input.边缘服务器2.replace("[0.0", "[low"), "边缘服务器2", /a load history of numbers/],
    ["边缘服务器2", 3, "边缘服务器2", /CPU频率/],
  ];
  it.each(broken)("with %s %j is rejected, with its place", (name, value, field, message) => {
    const read = () => readReleaseInput({ ...input, [name]: value }, "test.json/3/input");
    expect(read).toThrowError(expect.objectContaining({ code: "invalidRecord", path: `test.json/3/input/${field}` }));
    expect(read).toThrowError(message);
  });

  it("that is not an object is rejected", () => {
    for (const value of [null, [], "任务大小: 3"]) expect(() => readReleaseInput(value)).toThrowError(MecgymError);
  });
});

describe("a prompt", () => {
  it("is read like a record, whatever a chat template adds around it", () => {
    expect(readReleasePrompt(promptOf(input))).toEqual(readReleaseInput(input));
    const chat = `<|im_start|>user\n${promptOf(input)}<|im_end|>\n<|im_start|>assistant\n`;
    expect(readReleasePrompt(chat)).toEqual(readReleaseInput(input));
    const last = { ...input, 任务大小: undefined };
    const fields = Object.entries(last).filter(([, value]) => value !== undefined);
    const sizeLast = promptOf(Object.fromEntries([...fields, ["任务大小", input.任务大小]]));
    expect(readReleasePrompt(`${sizeLast}<|im_end|>`)).toEqual(readReleaseInput(input));
  });

  it("without fields gives null; with the wrong ones it is rejected", () => {
    for (const text of ["", "任务大小: 3.5 Mbits", "**输入数据**：\n", renderPrompt(makeState(3, true)).user]) {
      expect(readReleasePrompt(text)).toBeNull();
    }
    expect(() => readReleasePrompt(promptOf({ a: 1 }))).toThrowError(/invalidRecord at prompt\/本地设备/);
  });

  const decimal = (min: number, max: number) => fc.integer({ min: min * 1e4, max: max * 1e4 }).map((n) => n / 1e4);
  const aServer = fc.record({
    cpuGHz: decimal(1, 100),
    activeTasks: fc.nat(99),
    workloadMbit: decimal(0, 900),
    recentLoad: fc.array(
      fc.nat(999).map((n) => n / 10),
      { minLength: 10, maxLength: 10 },
    ),
  });
  /** States with no more decimals than the template writes. */
  const aDecision = fc.record({
    sizeMbit: decimal(1, 9),
    localWaitSlots: decimal(0, 50),
    networkWaitSlots: decimal(0, 50),
    rateMbps: fc.integer({ min: 100, max: 99999 }).map((n) => n / 7),
    localCpuGHz: decimal(1, 9),
    servers: fc.array(aServer, { minLength: 1, maxLength: 12 }),
  });

  it("describes one state: rendering and reading gives it back, in every order and with noise", () => {
    fc.assert(
      fc.property(
        aDecision,
        fc.constantFrom("standard", "shuffled", "noisy"),
        fc.nat(99),
        (one, perturbation, seed) => {
          const { servers, networkWaitSlots, rateMbps, ...task } = one;
          const observation: ObservationData = {
            ...makeState(servers.length, false),
            ...task,
            rateMbps: servers.map(() => rateMbps),
            cpuGHz: servers.map(({ cpuGHz }) => cpuGHz),
            activeTasks: servers.map(({ activeTasks }) => activeTasks),
            workloadMbit: servers.map(({ workloadMbit }) => workloadMbit),
            workloadHistoryMbit: servers.map(({ recentLoad }) => recentLoad),
          };
          const { user } = renderPrompt(observation, {
            template: "zh-release-v1",
            networkWaitSlots,
            perturbation,
            seed,
          });
          const read = readReleasePrompt(user) as ReleaseState;
          const expected = releaseStateOf(observation, networkWaitSlots);
          expect(read).toEqual({ ...expected, rateMbitPerSlot: Number(expected.rateMbitPerSlot.toFixed(4)) });
          expect(Math.abs(read.rateMbitPerSlot - expected.rateMbitPerSlot)).toBeLessThan(5.1e-5);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("in other units is rejected if a unit would be misread, and never misread", () => {
    const observation = withOneRate(makeState(3, true));
    let refused = 0;
    for (let seed = 0; seed < 40; seed++) {
      for (const perturbation of perturbationIds) {
        const { user } = renderPrompt(observation, { template: "zh-release-v1", perturbation, seed });
        if (perturbation === "units") {
          expect(() => readReleasePrompt(user)).toThrowError(expect.objectContaining({ code: "invalidRecord" }));
          refused++;
        } else {
          const read = readReleasePrompt(user) as ReleaseState;
          for (let action = 0; action <= 3; action++) {
            expect(releaseCostSlots(read, action)).toBeCloseTo(observedLatencySlots(observation, action), 2);
          }
        }
      }
    }
    expect(refused).toBe(40);
  });
});
