/** `mecgym dataset` as a real process: files, manifest, checks, refusals, and an early end. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
const folder = mkdtempSync(join(tmpdir(), "mecgym-dataset-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(...args: string[]) {
  const child = spawn(process.execPath, [join(root, "scripts", "mecgym.mjs"), "dataset", ...args]);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}
const run = (...args: string[]) => start(...args).ended;

describe("mecgym dataset", { timeout: 600_000 }, () => {
  it("writes the same files on one thread and on two, a manifest that names their bytes, and a card", async () => {
    const folders = [join(folder, "one"), join(folder, "two")];
    const common = ["sft", "--count", "250", "--scenario", "paper-3-to-11-servers-v1", "--perturbation", "shuffled"];
    const first = await run(...common, "--workers", "1", "--out", folders[0]);
    expect(first.code).toBe(0);
    expect((await run(...common, "--workers", "2", "--out", folders[1])).code).toBe(0);
    for (const name of ["sft.jsonl", "manifest.json", "README.md"]) {
      expect(readFileSync(join(folders[0], name), "utf8")).toBe(readFileSync(join(folders[1], name), "utf8"));
    }
    expect(readdirSync(folders[0]).sort()).toEqual(["README.md", "manifest.json", "sft.jsonl"]);
    const bytes = readFileSync(join(folders[0], "sft.jsonl"));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const [file] = JSON.parse(readFileSync(join(folders[0], "manifest.json"), "utf8")).files;
    expect(file).toMatchObject({ name: "sft.jsonl", records: 250, bytes: bytes.length, sha256, kind: "sft" });
    expect(first.stdout).toBe(`${sha256}  ${join(folders[0], "sft.jsonl")}  250 records\n`);
    expect(bytes.toString().trim().split("\n")).toHaveLength(250);
    const checked = await run("check", join(folders[0], "sft.jsonl"));
    expect(checked).toMatchObject({ code: 0, stdout: `${join(folders[0], "sft.jsonl")}: 250 records, 0 damaged\n` });
  });

  it("all writes the files that the documentation names, sound, with no episode in common", async () => {
    const out = join(folder, "all");
    const { code, stdout } = await run("all", "--out", out);
    expect(code).toBe(0);
    const names = ["sft.jsonl", "grpo.jsonl", "test.jsonl"];
    const listed = readFileSync(join(root, "docs", "datasets.md"), "utf8").matchAll(
      /^\| `(\w+\.jsonl)` \| `(\w{64})` \|$/gm,
    );
    const hashes = Object.fromEntries([...listed].map(([, name, hash]) => [name, hash]));
    expect(stdout.trim().split("\n")).toEqual(
      names.map((name, i) => `${hashes[name]}  ${join(out, name)}  ${[1000, 2000, 1000][i]} records`),
    );
    const paths = names.map((name) => join(out, name));
    const checked = await run("check", ...paths);
    expect(checked).toMatchObject({ code: 0, stderr: "" });
    expect(checked.stdout.match(/, 0 damaged\n/g)).toHaveLength(3);
    const seeds = paths.flatMap((path) =>
      readFileSync(path, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).episodeSeed),
    );
    expect(new Set(seeds).size).toBe(4000);
  });

  it("check refuses an empty file, and says what it could not check", async () => {
    const out = join(folder, "few");
    await run("test", "--count", "2", "--out", out);
    const [line] = readFileSync(join(out, "test.jsonl"), "utf8").split("\n");
    const [empty, foreign] = ["empty.jsonl", "foreign.jsonl"].map((name) => join(folder, name));
    writeFileSync(empty, "");
    writeFileSync(foreign, `${line.replace('"paper-v1"', '"mine"')}\n`);
    expect(await run("check", empty)).toMatchObject({
      code: 1,
      stdout: `${empty}: expected records, got an empty file\n${empty}: 0 records, 0 damaged\n`,
    });
    expect(await run("check", foreign)).toMatchObject({
      code: 0,
      stdout: `${foreign}: 1 records, 0 damaged, 1 of unknown scenarios: their labels and figures are not checked\n`,
    });
  });

  it("keeps earlier files of the folder in manifest and card, in any order of commands", async () => {
    const commands = [
      ["test", "--count", "2"],
      ["sft", "--count", "3"],
      ["sft", "--count", "2", "--split", "validation", "--template", "en-compact-v1"],
    ];
    const texts: string[][] = [];
    for (const order of [commands, commands.toReversed()]) {
      const out = join(folder, `order-${texts.length}`);
      for (const args of order) expect((await run(...args, "--out", out)).code).toBe(0);
      const names = ["sft.jsonl", "sft-validation.jsonl", "test.jsonl"];
      const { files } = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
      expect(files.map(({ name }: { name: string }) => name)).toEqual(names);
      expect(await run("check", ...names.map((name) => join(out, name)))).toMatchObject({ code: 0 });
      // the same kind once more: its entry is replaced, the others stay
      await run(...commands[0], "--count", "4", "--out", out);
      texts.push(["manifest.json", "README.md"].map((name) => readFileSync(join(out, name), "utf8")));
      expect(JSON.parse(texts.at(-1)?.[0] as string).files[2]).toMatchObject({ name: "test.jsonl", records: 4 });
    }
    expect(texts[0]).toEqual(texts[1]);
    expect(texts[0][1]).toContain("      - split: train\n        path: sft.jsonl\n      - split: validation\n");
    expect(texts[0][1]).toContain("`sft-validation.jsonl`: Prompts: template `en-compact-v1`");
  });

  it("writes the same labels of rollouts on one thread and on two", async () => {
    const common = ["sft", "--count", "120", "--scenario", "bursty-v1", "--labels", "rollout"];
    const hashes = ["1", "2"].map(async (workers) => {
      const out = join(folder, `rollout-${workers}`);
      expect((await run(...common, "--workers", workers, "--out", out)).code).toBe(0);
      return readFileSync(join(out, "sft.jsonl"), "utf8");
    });
    const [one, two] = await Promise.all(hashes);
    expect(one).toBe(two);
    expect(one).toMatch(/"labelPolicy":"rollout"/);
  });

  it("check names file, line and path of every damaged record, counts them, and ends with 1", async () => {
    const out = join(folder, "damaged");
    await run("test", "--count", "4", "--out", out);
    const path = join(out, "test.jsonl");
    const lines = readFileSync(path, "utf8").trim().split("\n");
    const damaged = [lines[0], lines[1].slice(0, 500), lines[2].replace('"rateMbps":[', '"rateMbps":[-'), lines[3]];
    writeFileSync(path, `${damaged.join("\n")}\n`);
    const { code, stdout } = await run("check", path);
    expect(code).toBe(1);
    const told = stdout.trim().split("\n");
    expect(told[0]).toMatch(/test\.jsonl:2: expected one JSON object/);
    expect(told[1]).toMatch(/test\.jsonl:3 at \/state\/rateMbps\/0: expected to be >= 0, got -\d/);
    expect(told[2]).toMatch(/test\.jsonl: expected SHA-256 [0-9a-f]{64}, as manifest\.json says/);
    expect(told[3]).toBe(`${path}: 4 records, 2 damaged`);
    const json = await run("check", path, "--json");
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout).files).toMatchObject([{ file: path, records: 4, damaged: 2 }]);
  });

  const bad: [string[], RegExp][] = [
    [["sft", "--seed", "2000000", "--out", folder], /invalidSeed at dataset: expected seeds of sft in split train/],
    [["grpo", "--seed", "0", "--out", folder], /invalidSeed at dataset/],
    [["test", "--count", "20000", "--out", folder], /invalidSeed at dataset/],
    [["sft", "--split", "test", "--out", folder], /Allowed choices are train, validation/],
    [["sft", "--labels", "orakel", "--out", folder], /unknownPolicy at policy: expected one of/],
    [
      ["sft", "--labels", "clairvoyant", "--out", folder],
      /invalidOption at dataset\/labels: expected one of local, .*, rollout; as for clairvoyant, it sees the future/,
    ],
    [["sft", "--labels", "random", "--out", folder], /invalidOption at dataset\/labels: .* it chooses by chance/],
    [["sft", "--scenario", "paper-v0", "--out", folder], /unknownScenario/],
    [["sft", "--template", "zh-release-v1", "--count", "5", "--out", folder], /unsupportedState at rateMbps/],
    [["sft"], /required option '--out <folder>'/],
    [["all", "--out", "/proc/x"], /invalidOption at --out/],
    [["check", join(folder, "none.jsonl")], /invalidOption at file.*ENOENT/],
    [["dance"], /unknown command 'dance'/],
  ];
  it.each(bad)("refuses %j: one line, exit code 2, no file", async (args, message) => {
    const before = readdirSync(folder);
    const { code, stdout, stderr } = await run(...args);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(readdirSync(folder)).toEqual(before);
  });

  it.skipIf(process.platform === "win32")("Ctrl-C ends it at once and leaves no file", async () => {
    const out = join(folder, "interrupted");
    const { child, ended } = start("sft", "--count", "200000", "--out", out);
    const isWriting = () => existsSync(out) && readdirSync(out).some((name) => name.includes("sft.jsonl"));
    for (let i = 0; i < 400 && !isWriting(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/interrupted; nothing is written/);
    expect(readdirSync(out)).toEqual([]);
  });
});
