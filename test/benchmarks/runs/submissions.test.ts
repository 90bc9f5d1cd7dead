/** Submissions: a sound one passes, and every kind of damage is found in its place, by the check and the command. */

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runSuite } from "../../../benchmarks/runs/run-suite.js";
import { checkSubmission } from "../../../benchmarks/runs/submissions.js";
import { findSuite } from "../../../benchmarks/suites/suites.js";
import { splits } from "../../../env/index.js";
import type { Result, Submission } from "../../../schemas/generated/types.js";
import { root, run } from "../../bridge/processes.js";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const example: Submission = JSON.parse(
  readFileSync(join(root, "schemas", "examples", "submission", "valid", "rule.json"), "utf8"),
);
let result: Result;

beforeAll(async () => {
  result = await runSuite(findSuite("paper-table-5"), {
    policies: ["oracle", "priced"],
    firstSeed: splits.test.start,
    packageVersion: "0.1.0",
    runtime: { node: "v20.0.0", platform: "linux", arch: "x64" },
  });
}, 60_000);

// biome-ignore lint/suspicious/noExplicitAny: damage takes any shape
type Damage = (value: any) => void;

/** Problems of the example with one result file after damage to either; the hashes are those of the damaged files. */
function problems(onSubmission: Damage = () => {}, onResult: Damage = () => {}) {
  const file = structuredClone(result);
  onResult(file);
  const text = JSON.stringify(file);
  const submission = structuredClone(example);
  submission.results = [{ file: "result.json", sha256: sha256(text) }];
  onSubmission(submission);
  const read = (path: string) => {
    if (path !== "result.json" && path !== "again.json") throw new Error("ENOENT");
    return new TextEncoder().encode(text);
  };
  const report = checkSubmission("entry.json", JSON.stringify(submission), read);
  return report.problems.map((problem) => `${problem.file} ${problem.path}`);
}

describe("checkSubmission", () => {
  it("finds nothing in a sound one, and says what it read and what it did not check", () => {
    expect(problems()).toEqual([]);
    const text = JSON.stringify(result);
    const submission = { ...example, results: [{ file: "a/b.json", sha256: sha256(text) }] };
    const report = checkSubmission("entry.json", JSON.stringify(submission), (path) => {
      expect(path).toBe("a/b.json");
      return new TextEncoder().encode(text);
    });
    expect(report.problems).toEqual([]);
    expect(report.checked).toEqual([
      "entry.json: schema submission 1.0, seeds, model",
      "a/b.json: SHA-256, schema result 1.2, suite paper-table-5, 1 settings, seeds, action log of priced",
    ]);
    expect(report.notChecked.join()).toMatch(/not replayed/);
  });

  const inSubmission: [string, Damage, string[]][] = [
    ["a field that is missing", (s) => delete s.testSeeds, [""]],
    ["test seeds in training", (s) => (s.training.seeds[0].split = "test"), ["/training/seeds/0/split"]],
    ["seeds outside their split", (s) => (s.training.seeds[0].first = 2_000_000), ["/training/seeds/0"]],
    ["seeds that run out of their split", (s) => (s.training.seeds[0].count = 10_001), ["/training/seeds/0"]],
    ["training without seeds", (s) => (s.training.seeds = []), ["/training/seeds"]],
    ["a language model that is not named", (s) => (s.policy.kind = "language-model"), ["/policy/model"]],
    ["another hash", (s) => (s.results[0].sha256 = sha256("")), ["/results/0/sha256"]],
    ["a file that does not exist", (s) => (s.results[0].file = "none.json"), ["/results/0/file"]],
    ["two results of one suite", (s) => s.results.push({ ...s.results[0], file: "again.json" }), ["/results/1/file"]],
    ["one file twice", (s) => s.results.push({ ...s.results[0] }), ["/results/1/file", "/results/1/file"]],
  ];
  it.each(inSubmission)("finds %s", (_, damage, paths) => {
    expect(problems(damage)).toEqual(paths.map((path) => `entry.json ${path}`));
  });

  const setting = "/settings/0";
  const inResult: [string, Damage, string[]][] = [
    ["a result that does not fit its schema", (r) => (r.settings[0].seeds.first = -1), [`${setting}/seeds/first`]],
    ["a suite that is not known", (r) => (r.suite = "paper-table-9"), ["/suite"]],
    ["another suite's settings", (r) => (r.suite = "paper-table-2"), ["/settings"]],
    ["another protocol", (r) => (r.settings[0].protocol = "episodic"), [`${setting}/protocol`]],
    ["another scenario", (r) => (r.settings[0].scenario.id = "paper-v1"), [`${setting}/scenario/id`]],
    [
      "another content of the scenario",
      (r) => (r.settings[0].scenario.hash = sha256("")),
      [`${setting}/scenario/hash`],
    ],
    ["a size that the suite does not have", (r) => (r.settings[0].fixedSizeMbit = 6), [`${setting}/fixedSizeMbit`]],
    ["training seeds", (r) => (r.settings[0].seeds.first = 0), [`${setting}/seeds/first`]],
    [
      "fewer states than the suite has",
      (r) => (r.settings[0].seeds.count = 999),
      [`${setting}/seeds/count`, `${setting}/policies/1/actions`],
    ],
    ["a result without the policy", (r) => r.settings[0].policies.pop(), [`${setting}/policies`]],
    [
      "a log that is too short",
      (r) => r.settings[0].policies[1].actions.pop(),
      [`${setting}/policies/1/actions`, `${setting}/policies/1/actionCounts/`],
    ],
    [
      "a server that does not exist",
      (r) => (r.settings[0].policies[1].actions[7] = [12]),
      [
        `${setting}/policies/1/actions/7/0`,
        `${setting}/policies/1/actionCounts/`,
        `${setting}/policies/1/actionCounts/12`,
      ],
    ],
    [
      "two actions for a state",
      (r) => r.settings[0].policies[1].actions[7].push(0),
      [`${setting}/policies/1/actions/7`, `${setting}/policies/1/actionCounts/0`],
    ],
    [
      "counts that are not the log's",
      (r) => (r.settings[0].policies[1].actionCounts[3] += 1),
      [`${setting}/policies/1/actionCounts/3`],
    ],
  ];
  it.each(inResult)("finds %s", (_, damage, paths) => {
    const found = problems(undefined, damage);
    expect(found).toHaveLength(paths.length);
    paths.forEach((path, i) => void expect(found[i].startsWith(`result.json ${path}`)).toBe(true));
  });

  it("finds text that is not JSON, in either file", () => {
    const broken = checkSubmission("entry.json", "{", () => new Uint8Array());
    expect(broken).toMatchObject({ checked: [], problems: [{ file: "entry.json", path: "" }] });
    const submission = { ...example, results: [{ file: "result.json", sha256: sha256("{") }] };
    const report = checkSubmission("entry.json", JSON.stringify(submission), () => new TextEncoder().encode("{"));
    expect(report.problems).toMatchObject([
      { file: "result.json", expected: expect.stringMatching(/one JSON object/) },
    ]);
  });
});

describe("mecgym submit --check", { timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "mecgym-submit-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, results: Submission["results"]) => {
    writeFileSync(join(folder, name), JSON.stringify({ ...example, results }));
    return join(folder, name);
  };

  it("exits with 0 for a sound entry with its results in the same folder, and with 1 for another", async () => {
    mkdirSync(join(folder, "results"));
    const text = JSON.stringify(result);
    writeFileSync(join(folder, "results", "table-5.json"), text);
    const sound = write("sound.json", [{ file: "results/table-5.json", sha256: sha256(text) }]);
    const done = await run("submit", "--check", sound);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toMatch(/not checked: the figures: the action logs were read, not replayed/);
    expect(done.stdout.endsWith(`${sound}: no problems\n`)).toBe(true);
    const other = write("other.json", [{ file: "results/table-5.json", sha256: sha256("") }]);
    const refused = await run("submit", "--check", other);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toMatch(/other\.json at \/results\/0\/sha256: expected [0-9a-f]{64}, the SHA-256 of/);
    const json = await run("submit", "--check", other, "--json");
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({ file: other, problems: [{ path: "/results/0/sha256" }] });
  });

  it.each([
    [["submit"], /required option '--check <file>'/],
    [["submit", "--check", join(folder, "none.json")], /invalidOption at --check: expected a file to read \(ENOENT/],
  ])("refuses %j with one line and exit code 2", async (args, message) => {
    const { code, stdout, stderr } = await run(...args);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect([code, stdout]).toEqual([2, ""]);
  });
});
