/** `mecgym score` as a real process: a data set in the published form, answers to it, tables, JSON and refusals. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { end, start } from "../processes.js";

const folder = mkdtempSync(join(tmpdir(), "mecgym-score-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string) => join(folder, name);
const run = (...args: string[]) => end(start(args));
const write = (name: string, rows: readonly object[]) =>
  writeFileSync(path(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

interface ReleaseRecord {
  readonly instruction: string;
  readonly input: Record<string, string>;
  readonly output: { readonly action_name: string };
}
let records: ReleaseRecord[];

beforeAll(async () => {
  const scenario = ["--scenario", "release-3-servers-v1", "--template", "zh-release-v1"];
  expect((await run("dataset", "test", ...scenario, "--count", "40", "--out", folder)).code).toBe(0);
  records = readFileSync(path("test.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  write(
    "labels.jsonl",
    records.map(({ output }) => ({ completion: output.action_name })),
  );
  write(
    "local.jsonl",
    records.map(() => ({ completion: "本地执行" })),
  );
}, 600_000);

describe("mecgym score", { timeout: 600_000 }, () => {
  it("a data set in the published form has its three fields and is sound", async () => {
    expect(records).toHaveLength(40);
    for (const { instruction, input, output } of records) {
      expect(instruction).not.toBe("");
      expect(input).toMatchObject({ 网络上传速率: "1.4000 Mbits/时间槽", 丢弃惩罚: "100 时间槽" });
      expect(input.本地设备).toBe("类型 移动设备, CPU频率 2.5 GHz, 每比特周期数 297.0, 传输速率 14.0 Mbps");
      expect(input.边缘服务器1).toMatch(/^类型 高性能型, CPU频率 41\.8 GHz, /);
      expect(input.边缘服务器2).toMatch(/^类型 标准型, CPU频率 30\.0 GHz, /);
      expect(input.边缘服务器3).toMatch(/^类型 节能型, CPU频率 22\.0 GHz, /);
      expect(output.action_name).toMatch(/^(本地执行|卸载到边缘服务器[123])$/);
    }
    expect((await run("dataset", "check", path("test.jsonl"))).stdout).toMatch(/40 records, 0 damaged/);
  });

  it("prints a table with a row for each file, and names the profile", async () => {
    const files = ["labels", "local"].map((name) => path(`${name}.jsonl`));
    const args = ["--states", path("test.jsonl"), "--profile", "comllm-release"];
    const { code, stdout, stderr } = await run("score", ...files, ...args);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Profile comllm-release, 40 answers in each file/);
    expect(stdout).toMatch(/\| labels +\|[^|]*\| 100\.00 \[100\.00, 100\.00\] \|/);
    const rows = stdout.trim().split("\n");
    expect(rows.at(-1)).toMatch(/^\| local /);
    expect((await run("score", ...files, ...args)).stdout).toBe(stdout);
  });

  it("--json prints figures and conditions, --out the figures of every answer", async () => {
    write(
      "mine.jsonl",
      records.map((record) => ({ ...record, completion: "卸载到边缘服务器9" })),
    );
    const args = ["--profile", "comllm-release", "--weight", "0", "--seed", "3", "--out", path("rows.jsonl"), "--json"];
    const { code, stdout } = await run("score", path("mine.jsonl"), ...args);
    expect(code).toBe(0);
    const { figures, conditions } = JSON.parse(stdout);
    expect(conditions).toMatchObject({ profile: "comllm-release", answers: 40, weight: 0, numSamples: 3, seed: 3 });
    const byId = new Map(figures.map((one: { id: string; value: number }) => [one.id, one.value]));
    // 5 for each, a task reward of 1 − 5, a form of 1.5
    expect(byId.get("comllm-release/mine/averageLatencySlots")).toBe(5);
    expect(byId.get("comllm-release/mine/meanReward")).toBeCloseTo(0.8 * -4 + 0.2 * 1.5, 12);
    expect(byId.get("comllm-release/mine/invalidActionPercent")).toBe(100);
    const rows = readFileSync(path("rows.jsonl"), "utf8").trim().split("\n");
    expect(rows).toHaveLength(40);
    for (const [index, row] of rows.entries()) {
      expect(JSON.parse(row)).toMatchObject({
        profile: "comllm-release",
        answers: "mine",
        index,
        action: 9,
        costSlots: 5,
      });
    }
  });

  it("scores the same states in profile paper, with different figures", async () => {
    const args = ["--states", path("test.jsonl"), "--profile", "paper", "--json"];
    const { code, stdout } = await run("score", path("labels.jsonl"), ...args);
    expect(code).toBe(0);
    const { figures, conditions } = JSON.parse(stdout);
    expect(conditions).toMatchObject({ profile: "paper" });
    expect(conditions).not.toHaveProperty("weight");
    const ratio = figures.find((one: { id: string }) => one.id === "paper/labels/performanceRatioPercent");
    expect(ratio).toMatchObject({ value: 100, unit: "%", goal: null, better: "higher" });
  });

  const release = ["--profile", "comllm-release"];
  const bad: [string, () => string[], RegExp][] = [
    ["no profile", () => [path("labels.jsonl")], /required option '--profile <name>'/],
    [
      "an unknown profile",
      () => [path("labels.jsonl"), "--profile", "v2"],
      /Allowed choices are paper, comllm-release/,
    ],
    ["no states", () => [path("labels.jsonl"), "--profile", "paper"], /invalidOption at --states/],
    ["no questions", () => [path("labels.jsonl"), ...release], /labels\.jsonl:1: expected a field input or prompt/],
    ["no file", () => [path("none.jsonl"), ...release], /invalidOption at file.*ENOENT/],
    [
      "no answers",
      () => [path("test.jsonl"), ...release],
      /test\.jsonl:1: expected a field completion or model_output/,
    ],
    ["the same name twice", () => [path("local.jsonl"), path("local.jsonl"), ...release], /files of different names/],
    [
      "a weight of paper",
      () => [path("local.jsonl"), "--profile", "paper", "--weight", "1"],
      /invalidOption at --weight/,
    ],
    ["a weight in words", () => [path("local.jsonl"), ...release, "--weight", "much"], /a number from 0 to 1000/],
    [
      "a place that cannot be written to",
      () => [path("local.jsonl"), ...release, "--out", "/proc/x/y"],
      /invalidOption at --out/,
    ],
    [
      "a field in another unit",
      () => {
        const [first, ...others] = records.map((record) => ({ ...record, completion: "Local" }));
        write("kbits.jsonl", [others[0], { ...first, input: { ...first.input, 任务大小: "3000.0 kbits" } }]);
        return [path("kbits.jsonl"), ...release];
      },
      /kbits\.jsonl:2\/input\/任务大小: expected a number of Mbits, got "3000\.0 kbits"/,
    ],
    [
      "a damaged data set",
      () => {
        write(
          "damaged.jsonl",
          records.map((record) => ({ ...record, profile: "comllm-release" })),
        );
        return [path("local.jsonl"), "--profile", "paper", "--states", path("damaged.jsonl")];
      },
      /damaged\.jsonl:1\/profile/,
    ],
  ];
  it.each(bad)("refuses %s: one line, exit code 2", async (_, args, message) => {
    const { code, stdout, stderr } = await run("score", ...args());
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(2);
    expect(stdout).toBe("");
  });
});
