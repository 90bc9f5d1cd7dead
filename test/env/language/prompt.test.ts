/** Prompts: golden bytes, every number readable with its unit, decisions that survive printing, answers that parse. */

import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { measureAgreement } from "../../../benchmarks/studies/prompt-agreement.js";
import { readPrompt } from "../../../benchmarks/studies/prompt-reader.js";
import {
  makeEnv,
  type ObservationData,
  type PromptOptions,
  parseCompletion,
  perturbationIds,
  renderAction,
  renderPrompt,
  type TemplateId,
  templateIds,
} from "../../../env/index.js";
import { findProblem } from "../../../schemas/validate.js";
import { makeState, withOneRate } from "../states.js";

const sizes = [3, 6, 11, 32];
/** The parts of a state that a template has words for. */
const expressible = (template: TemplateId, state: ObservationData) =>
  template === "zh-release-v1" ? withOneRate(state) : state;
const variants = templateIds.flatMap((template) =>
  perturbationIds.map((perturbation) => ({ template, perturbation, seed: 7 })),
);

describe("golden bytes", () => {
  it.each(variants)("$template $perturbation, 3 servers, in full", async (options) => {
    const { template, perturbation } = options;
    const texts = [false, true].map(
      (isFull) => renderPrompt(expressible(template, makeState(3, isFull)), options).text,
    );
    const file = `../../golden/prompts/${template}-${perturbation}.txt`;
    await expect(`${texts.join("\n\n----------\n\n")}\n`).toMatchFileSnapshot(file);
  });

  it("of every number of servers, empty and full, in every form", () => {
    const hashes: Record<string, string> = {};
    for (const variant of variants) {
      for (const numServers of sizes) {
        for (const isFull of [false, true]) {
          for (const form of [{}, { system: true }, { instruction: "reasoning" }] as PromptOptions[]) {
            const { template, perturbation } = variant;
            const prompt = renderPrompt(expressible(template, makeState(numServers, isFull)), { ...variant, ...form });
            const name = [template, perturbation, numServers, isFull ? "full" : "empty", ...Object.keys(form)];
            hashes[name.join(" ")] = createHash("sha256").update(JSON.stringify(prompt)).digest("hex").slice(0, 16);
          }
        }
      }
    }
    expect(hashes).toMatchSnapshot();
  });
});

describe("a prompt", () => {
  it.each(variants)("$template $perturbation fits its schema, in chat and in plain form", (options) => {
    const state = expressible(options.template, makeState(6, true));
    for (const system of [false, true]) {
      for (const instruction of ["direct", "reasoning"] as const) {
        const prompt = renderPrompt(state, { ...options, system, instruction });
        expect(findProblem("prompt", structuredClone(prompt))).toBeUndefined();
        expect(prompt.text).toBe(prompt.messages.map(({ content }) => content).join("\n\n"));
        expect(prompt.messages.map(({ role }) => role)).toEqual(system ? ["system", "user"] : ["user"]);
        expect(prompt.user).toBe(prompt.messages.at(-1)?.content);
      }
    }
  });

  it("depends only on its arguments: the same text twice, another order for another seed", () => {
    const state = makeState(6, true);
    for (const perturbation of ["shuffled", "noisy", "units"] as const) {
      const text = (seed: number) => renderPrompt(state, { perturbation, seed }).text;
      expect(text(1)).toBe(text(1));
      expect(new Set([1, 2, 3, 4, 5].map(text)).size).toBeGreaterThan(1);
      const later = { ...state, decisionIndex: 262 };
      expect(new Set([1, 2, 3].map((seed) => renderPrompt(later, { perturbation, seed }).text))).not.toEqual(
        new Set([1, 2, 3].map(text)),
      );
    }
    const standard = new Set([1, 2, 3].map((seed) => renderPrompt(state, { seed }).text));
    expect(standard.size).toBe(1);
  });

  it("shuffled says the same: equal characters in another order", () => {
    const state = makeState(6, true);
    const sorted = (text: string) => text.split(/[\n,:]\s*/).sort();
    const standard = renderPrompt(state).user;
    const shuffled = renderPrompt(state, { perturbation: "shuffled", seed: 3 }).user;
    expect(shuffled).not.toBe(standard);
    expect(sorted(shuffled)).toEqual(sorted(standard));
  });

  it("noisy keeps every line and adds three", () => {
    for (const template of templateIds) {
      const state = expressible(template, makeState(6, true));
      const standard = renderPrompt(state, { template }).user.split("\n");
      const noisy = renderPrompt(state, { template, perturbation: "noisy", seed: 3 }).user.split("\n");
      expect(noisy.length).toBe(standard.length + 3);
      let at = 0;
      for (const line of noisy) if (line === standard[at]) at++;
      expect(at).toBe(standard.length);
    }
  });

  it("lists an answer for every action, and each parses to its action", () => {
    for (const { template, perturbation } of variants) {
      const { answers } = renderPrompt(expressible(template, makeState(32, true)), { template, perturbation });
      expect(answers.length).toBe(33);
      answers.forEach((answer, action) => {
        expect(answer).toBe(renderAction(action, template));
        expect(parseCompletion(answer)).toEqual({ action });
      });
    }
  });

  it("lists the available servers, by their own numbers", () => {
    const state = { ...makeState(3, true), isAvailable: [true, false, true] };
    for (const template of templateIds) {
      const prompt = renderPrompt(expressible(template, state), { template });
      expect(prompt.answers).toEqual([0, 1, 3].map((action) => renderAction(action, template)));
      expect(readPrompt(template, prompt.user, 0.1).servers.map((one) => one.activeTasks)).toEqual([1, 11]);
      const empty = renderPrompt({ ...expressible(template, state), isAvailable: [false, false, false] }, { template });
      expect(empty.answers).toEqual([renderAction(0, template)]);
      expect(readPrompt(template, empty.user, 0.1).servers).toEqual([]);
    }
  });

  it("shows a rate close to 0 as different from 0, and long numbers in full", () => {
    const state = { ...makeState(3, false), rateMbps: [1.16e-7, 0.0123456, 123456.789] };
    const { user } = renderPrompt(state);
    expect(user).toContain("uplink 0.000000116 Mbit/s");
    expect(user).toContain("uplink 0.0123 Mbit/s");
    expect(user).toContain("uplink 123456.789 Mbit/s");
  });

  it("writes each quantity by hand-computed conversion", () => {
    const state = { ...makeState(3, true), sizeMbit: 3.2, workloadMbit: [1.5, 0.0004, 100], rateMbps: [8, 16, 1] };
    const texts = Array.from(
      { length: 40 },
      (_, seed) => renderPrompt(state, { perturbation: "units", seed }).user,
    ).join("\n");
    for (const text of ["size: 3200 kbit\n", "size: 400.0 kB\n", "size: 0.4000 MB\n", "uplink 1.0000 MB/s"]) {
      expect(texts).toContain(text);
    }
    for (const text of [
      "uplink 8000 kbit/s",
      "uplink 1000.0 kB/s",
      "queue 187.5 kB",
      "deadline: 1000 ms",
      "wait: 1076.6 ms",
    ])
      expect(texts).toContain(text);
    expect(texts).toContain("deadline: 1 s\n");
    expect(texts).toContain("computation: 297 cycles/bit\n");
    expect(texts).toContain("CPU: 2000 MHz\n");
    expect(texts).not.toMatch(/ Mbit\b|GHz|Gcycles|: [\d.]+ slots/);
  });

  it("is rejected for invalid options and for states that a template has no words for", () => {
    const state = makeState(3, true);
    const refused = (options: unknown, error: object) =>
      expect(() => renderPrompt(state, options as PromptOptions)).toThrowError(expect.objectContaining(error));
    refused({ template: "fr-v1" }, { code: "invalidOption", path: "prompt/template", got: "fr-v1" });
    refused({ perturbation: "upside-down" }, { code: "invalidOption", path: "prompt/perturbation" });
    refused({ instruction: "please" }, { code: "invalidOption", path: "prompt/instruction" });
    refused({ system: 1 }, { code: "invalidOption", path: "prompt/system" });
    refused({ seed: -1 }, { code: "invalidSeed", path: "seed" });
    refused({ tempate: "en-v1" }, { code: "invalidOption", path: "prompt/tempate" });
    refused({ networkWaitSlots: 1 }, { code: "invalidOption", path: "prompt/networkWaitSlots" });
    refused({ template: "zh-release-v1" }, { code: "unsupportedState", path: "rateMbps/1" });
    expect(() => renderAction(-1)).toThrowError(expect.objectContaining({ code: "invalidAction" }));
  });
});

describe("zh-release-v1", () => {
  it("has the names and number formats of the published scripts", () => {
    const state = {
      ...withOneRate(makeState(3, false)),
      sizeMbit: 4.1934,
      localWaitSlots: 3,
      localCpuGHz: 2.5,
      cpuGHz: [41.8, 30, 22],
      activeTasks: [0, 0, 1],
      workloadMbit: [0, 0, 7.2721],
      workloadHistoryMbit: [
        [2, 0],
        [0, 1],
        [3, 3.25],
      ],
    };
    const prompt = renderPrompt(state, { template: "zh-release-v1", networkWaitSlots: 0.5 });
    const fields = prompt.user.split("**输入数据**：\n")[1].split("\n");
    expect(fields).toEqual([
      "任务大小: 4.1934 Mbits",
      "最大延迟: 10 时间槽",
      "本地CPU队列等待时间: 3.0000 时间槽",
      "网络队列等待时间: 0.5000 时间槽",
      "网络上传速率: 1.4000 Mbits/时间槽",
      "时间槽时长: 0.1秒",
      "丢弃惩罚: 10 时间槽",
      "本地设备: 类型 移动设备, CPU频率 2.5 GHz, 每比特周期数 297.0, 传输速率 14.0 Mbps",
      "边缘服务器1: 类型 高性能型, CPU频率 41.8 GHz, 每比特周期数 297.0, 活跃任务数0，服务器总队列长度0.0000 Mbits, 过去2个时间槽负载: [2.0, 0.0]",
      "边缘服务器2: 类型 标准型, CPU频率 30.0 GHz, 每比特周期数 297.0, 活跃任务数0，服务器总队列长度0.0000 Mbits, 过去2个时间槽负载: [0.0, 1.0]",
      "边缘服务器3: 类型 节能型, CPU频率 22.0 GHz, 每比特周期数 297.0, 活跃任务数1，服务器总队列长度7.2721 Mbits, 过去2个时间槽负载: [3.0, 3.3]",
    ]);
    expect(prompt.answers).toEqual(["本地执行", "卸载到边缘服务器1", "卸载到边缘服务器2", "卸载到边缘服务器3"]);
  });

  it("renders a scenario whose uplink is one rate for all", () => {
    const env = makeEnv({ uplink: { meanRateMbps: 0.001, minRateMbps: 14 } }, { seed: 1 });
    const { user } = renderPrompt(env.reset().observation, { template: "zh-release-v1" });
    expect(user).toContain("网络上传速率: 1.4000 Mbits/时间槽");
  });
});

describe("the numbers of a prompt", { timeout: 300_000 }, () => {
  it.each(variants)("lead to the oracle's decision: $template $perturbation", async ({ template, perturbation }) => {
    // for the standard prompt, as many as the documentation says
    const numStates = perturbation === "standard" ? 10_000 : 4_000;
    const agreement = await measureAgreement(template, perturbation, numStates, 100);
    expect(agreement).toMatchObject({ template, perturbation, numStates });
    expect(agreement.agreementPercent).toBeGreaterThanOrEqual(99.9);
    expect(agreement.meanLossSlots).toBeLessThanOrEqual(0.001);
    expect(agreement.maxLossSlots).toBeGreaterThanOrEqual(agreement.meanLossSlots);
  });

  it("can be read back to half of the last decimal", () => {
    const positive = fc.double({ min: 0.001, max: 900, noNaN: true });
    fc.assert(
      fc.property(positive, positive, positive, positive, fc.integer({ min: 0, max: 1000 }), (a, b, c, d, tasks) => {
        const state = { ...makeState(1, false), sizeMbit: a, rateMbps: [b], cpuGHz: [c], workloadMbit: [d] };
        const { user } = renderPrompt({ ...state, activeTasks: [tasks], workloadHistoryMbit: [[0]] });
        const read = readPrompt("en-v1", user, 0.1);
        const [server] = read.servers;
        expect(server.activeTasks).toBe(tasks);
        for (const [printed, value] of [
          [read.sizeMbit, a],
          [server.rateMbps, b],
          [server.cpuGHz, c],
          [server.workloadMbit, d],
        ]) {
          expect(Math.abs(printed - value)).toBeLessThanOrEqual(0.000_500_001);
        }
      }),
    );
  });
});
