/** `mecgym verify` as a real process: verdicts, exit codes, JSON, refusals, Ctrl-C. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { end, killAll, run, start } from "../processes.js";

const folder = mkdtempSync(join(tmpdir(), "mecgym-verify-"));
const sound = join(folder, "result.json");
const wrong = join(folder, "wrong.json");

beforeAll(async () => {
  const args = ["paper-table-2", "--policies", "oracle,random", "--episodes", "3", "--out", folder];
  expect((await run("run", ...args)).code).toBe(0);
  const result = JSON.parse(readFileSync(sound, "utf8"));
  result.settings[1].policies[0].metrics.averageLatencySlots.value -= 0.25;
  result.settings[1].policies[1].actionCounts[2] += 1;
  writeFileSync(wrong, JSON.stringify(result));
}, 600_000);
afterAll(() => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});

describe("mecgym verify", { timeout: 600_000 }, () => {
  it("says verified, or names the first disagreement and ends with 1", async () => {
    const good = await run("verify", sound, "--workers", "2");
    expect(good).toMatchObject({ code: 0, stdout: `${sound}: verified, paper-table-2, 4 action logs replayed\n` });
    const both = await run("verify", wrong, sound);
    expect(both.code).toBe(1);
    const lines = both.stdout.trim().split("\n");
    expect(lines[0]).toMatch(
      new RegExp(
        String.raw`wrong\.json: not verified: at /settings/1/policies/0/metrics/averageLatencySlots/value ` +
          String.raw`the file has \d\S+, the replay \d\S+; 1 more`,
      ),
    );
    expect(lines[1]).toMatch(/result\.json: verified/);
  });

  it("prints one JSON document, the same for any number of threads", async () => {
    const one = await run("verify", sound, wrong, "--json", "--workers", "1");
    expect(one.code).toBe(1);
    const { files } = JSON.parse(one.stdout);
    expect(files.map(({ file, problems }: { file: string; problems: unknown[] }) => [file, problems.length])).toEqual([
      [sound, 0],
      [wrong, 2],
    ]);
    expect((await run("verify", sound, wrong, "--json", "--workers", "3")).stdout).toBe(one.stdout);
  });

  it("refuses bad files in one line before anything is played", async () => {
    const text = join(folder, "table.md");
    for (const [args, line] of [
      [[sound, join(folder, "nothing.json")], /nothing\.json: expected a file to read .*ENOENT/],
      [[sound, text], /table\.md: expected a result, as JSON/],
      [[], /missing required argument/],
      [[sound, "--workers", "0"], /--workers/],
    ] as const) {
      const { code, stdout, stderr } = await run("verify", ...args);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toMatch(line);
      expect(stderr.trim().split("\n")).toHaveLength(1);
    }
  });

  it("ends at Ctrl-C with no verdict", async () => {
    const long = join(folder, "long.json");
    const result = JSON.parse(readFileSync(sound, "utf8"));
    const { seeds, policies } = result.settings[1];
    // long to play and fast to write: the replay compares with the oracle on all these seeds
    seeds.count = 60_000;
    for (const policy of policies) policy.actions = new Array(seeds.count).fill([0]);
    writeFileSync(long, JSON.stringify(result));
    const child = start(["verify", long]);
    const ended = end(child);
    child.stderr.once("data", () => child.kill("SIGINT"));
    const { code, stdout, stderr } = await ended;
    expect([code, stdout]).toEqual([130, ""]);
    expect(stderr).toMatch(/interrupted; .*long\.json is neither verified nor refuted/);
  });
});
