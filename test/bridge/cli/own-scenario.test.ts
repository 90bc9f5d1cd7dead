/** One's own scenario on the command line: every command that takes a scenario takes a file of it. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { scenarioHash } from "../../../env/index.js";
import { killAll, run } from "../processes.js";

const folder = mkdtempSync(join(tmpdir(), "mecgym-own-"));
afterAll(() => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});
const fields = { id: "campus", numServers: 3, users: { count: 4 }, episodeSlots: 30 };
const file = join(folder, "campus.json");
writeFileSync(file, `\uFEFF${JSON.stringify(fields)}`);
const into = (name: string) => ["--out", join(folder, name)];

describe("one's own scenario", { timeout: 600_000 }, () => {
  it("is run, verified and reported", async () => {
    const args = ["--policies", "oracle,adaptive,rollout:numFutures=4", "--episodes", "2"];
    const played = await run("run", "--scenario", file, ...args, ...into("run"));
    expect(played.code).toBe(0);
    for (const policy of ["oracle", "adaptive", "rollout:numFutures=4"]) {
      expect(played.stdout).toMatch(new RegExp(`campus +\\| ${policy} `));
    }
    const result = join(folder, "run", "result.json");
    const { settings } = JSON.parse(readFileSync(result, "utf8"));
    expect(settings[0].scenario).toMatchObject({ id: "campus", hash: scenarioHash(fields), fields });
    // the scenario's file is no longer needed
    expect((await run("verify", result)).stdout).toMatch(/verified, own, 3 action logs replayed/);
    const page = join(folder, "report.html");
    expect((await run("report", result, "--out", page)).code).toBe(0);
    expect(readFileSync(page, "utf8")).toContain("campus");
    const short = await run("run", file, ...args, ...into("short"));
    expect(short.code).toBe(0);
    expect(readFileSync(join(folder, "short", "result.json"), "utf8")).toBe(readFileSync(result, "utf8"));
    const joined = await run("run", file, ...args, ...into("joined"), "--parts", result);
    expect(joined.code).toBe(0);
    expect(readFileSync(join(folder, "joined", "result.json"), "utf8")).toBe(readFileSync(result, "utf8"));
  });

  it("is run, verified and made data of as the README says", async () => {
    const readme = readFileSync(join(import.meta.dirname, "../../../README.md"), "utf8");
    const section = readme.slice(readme.indexOf("## Your own scenario"), readme.indexOf("## Where to find things"));
    const commands = [...section.matchAll(/^npm run -s mecgym -- (.*)$/gm)].map(([, args]) => args.split(" "));
    expect(commands.map(([name]) => name)).toEqual(["run", "verify", "dataset"]);
    const result = join(folder, "readme", "result.json");
    const [play, verify, dataset] = commands;
    // fewer episodes than there, and another folder; the rest as it is written
    const shorter = play.map((word, i) => (play[i - 1] === "--episodes" ? "2" : word));
    expect((await run(...shorter, ...into("readme"))).stdout).toMatch(/campus +\| rollout/);
    const verified = await run(...verify.map((word) => (word === "results/own/result.json" ? result : word)));
    expect(verified.stdout).toContain("verified, own");
    const data = dataset.map((word) => (word === "data" ? join(folder, "readme-data") : word));
    expect((await run(...data)).code).toBe(0);
  });

  it("is tuned for, shown and put into words", async () => {
    const tuned = await run("tune", "priced", "--scenario", file, "--episodes", "2");
    expect(tuned.stdout).toMatch(/campus: κ = [\d.]+ slots, policy priced:tollSlots=[\d.]+\n$/);
    const chosen = await run(
      "tune",
      "reference",
      "--scenario",
      `${file},paper-v1`,
      "--episodes",
      "2",
      "--policies",
      "oracle,lacs",
    );
    expect(chosen.code).toBe(0);
    expect(chosen.stdout).toMatch(/\| campus /);
    expect(chosen.stdout).toMatch(/\| paper-v1 /);
    expect(JSON.parse((await run("scenarios", file)).stdout)).toMatchObject({ hash: scenarioHash(fields), ...fields });
    expect((await run("prompt", file)).stdout).toMatch(/server 3/i);
    const long = join(folder, "long.json");
    writeFileSync(long, JSON.stringify({ ...fields, episodeSlots: 1000 }));
    const map = ["capacity", "--scenario", long, "--policies", "oracle", "--episodes", "2", "--most", "1"];
    const capacity = await run(...map, ...into("capacity"));
    expect(capacity.stderr).toMatch(/wrote .*capacity.json/);
    expect(JSON.parse(readFileSync(join(folder, "capacity", "capacity.json"), "utf8")).conditions).toMatchObject({
      scenario: "campus",
      numServers: 3,
    });
  });

  it("is refused with the place and what was probably meant", async () => {
    const wrong = join(folder, "wrong.json");
    writeFileSync(wrong, JSON.stringify({ users: 24 }));
    const text = join(folder, "text.json");
    writeFileSync(text, "{numServers: 4}");
    const manifest = join(import.meta.dirname, "../../../benchmarks/policies/manifest.json");
    for (const [args, reason] of [
      [["run", "--scenario", wrong], /invalidScenario at .*wrong\.json\/users: .*did you mean {"count":24}\?/],
      [["run", "--scenario", text], /invalidScenario at .*text\.json: expected a JSON file/],
      [["run", "--scenario", join(folder, "none.json")], /invalidOption at --scenario: expected a file to read/],
      [["run", "--scenario", "Paper-v1"], /unknownScenario .*did you mean paper-v1\?/],
      [["run", "paper-table-2", "--scenario", file], /invalidOption at suite: expected no suite with --scenario/],
      [["run"], /invalidOption at suite: expected a suite \(paper-table-2, .*\) or --scenario/],
      [["run", "paper-table-6"], /unknownSuite at suite: .*did you mean paper-table-2\?/],
      [["run", "--scenario", file, "--settings", "camp"], /invalidOption at --settings: expected one of campus/],
      [["tune", "priced", "--scenario", file, "--manifest", manifest], /no manifest with a scenario of your own/],
    ] as const) {
      const { code, stderr } = await run(...args, ...(args[0] === "run" ? into("refused") : []));
      expect([code, stderr]).toEqual([2, expect.stringMatching(reason)]);
    }
  });
});

describe("a data set of one's own scenarios", { timeout: 600_000 }, () => {
  it("alternates them, is checked by its manifest, and is scored", async () => {
    const data = join(folder, "data");
    const made = await run("dataset", "grpo", "--scenario", `${file},paper-v1`, "--count", "4", "--out", data);
    expect(made.code).toBe(0);
    const lines = readFileSync(join(data, "grpo.jsonl"), "utf8").trim().split("\n");
    const records = lines.map((line) => JSON.parse(line));
    expect(records.map(({ scenarioId }) => scenarioId)).toEqual(["campus", "paper-v1", "campus", "paper-v1"]);
    expect(records[0].scenarioHash).toBe(scenarioHash(fields));
    const manifest = JSON.parse(readFileSync(join(data, "manifest.json"), "utf8"));
    expect(manifest.files[0].scenario).toMatchObject([{ id: "campus", fields }, { id: "paper-v1" }]);
    const states = join(data, "grpo.jsonl");
    const checked = await run("dataset", "check", states);
    expect(checked.stdout).toMatch(/grpo\.jsonl: 4 records, 0 damaged\n$/);
    const answers = join(folder, "answers.jsonl");
    writeFileSync(answers, lines.map(() => '{"completion":"Local"}\n').join(""));
    const score = ["score", answers, "--profile", "paper", "--states", states, "--json"];
    expect((await run(...score)).code).toBe(0);

    // without its manifest, the scenario has to be given
    rmSync(join(data, "manifest.json"));
    expect((await run("dataset", "check", states)).stdout).toMatch(/2 of unknown scenarios/);
    expect((await run("dataset", "check", states, "--scenario", file)).stdout).toMatch(/0 damaged\n$/);
    expect((await run(...score)).stderr).toMatch(/unknownScenario/);
    expect((await run(...score, "--scenario", file)).code).toBe(0);

    // a table with columns writes null for what is absent
    const withNulls = records.map((record) => `${JSON.stringify({ ...record, completion: null, messages: null })}\n`);
    writeFileSync(join(folder, "nulls.jsonl"), withNulls.join(""));
    const nulls = await run("dataset", "check", join(folder, "nulls.jsonl"), "--scenario", file);
    expect(nulls.stdout).toMatch(/4 records, 0 damaged\n$/);
  });

  it("does not fall back to another form than the published one", async () => {
    const zh = ["dataset", "sft", "--scenario", "release-3-servers-v1", "--template", "zh-release-v1", "--count", "2"];
    for (const more of [["--perturbation", "shuffled"], ["--perturbation", "noisy"], ["--reasoning"], ["--system"]]) {
      const { code, stderr } = await run(...zh, ...more, ...into("zh"));
      expect([code, stderr]).toEqual([
        2,
        expect.stringMatching(/invalidOption at dataset\/form: .*one order of fields/),
      ]);
    }
    expect((await run(...zh, "--system", "--form", "plain", ...into("zh"))).code).toBe(0);
  });
});
