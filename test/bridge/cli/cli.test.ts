/** The command line, as real processes: output, exit codes, signals, and the pipe of a server's owner. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { oracle } from "../../../benchmarks/policies/index.js";
import { Client } from "../../../bridge/client/client.js";
import { makeEnv, renderPrompt } from "../../../env/index.js";
import type { Result } from "../../../schemas/generated/types.js";
import { findProblem } from "../../../schemas/validate.js";
import { end, killAll, root, run, start } from "../processes.js";

const folder = mkdtempSync(join(tmpdir(), "mecgym-cli-"));
afterAll(() => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});

describe("mecgym", { timeout: 600_000 }, () => {
  it("shows help with an example for every subcommand", async () => {
    const { stdout } = await run("--help");
    for (const name of ["scenarios", "run", "prompt", "dataset", "calibrate", "serve", "demo"]) {
      expect(stdout).toContain(name);
      const help = await run(name, "--help");
      expect(help.code).toBe(0);
      expect(help.stdout).toMatch(new RegExp(`Example:\\n {2}\\$ mecgym ${name}`));
    }
  });

  it("speed prints figures with goals and conditions, and draws them", async () => {
    const plot = join(folder, "speed.svg");
    const tiny = ["--repetitions", "1", "--seconds", "0.001"];
    const { code, stdout } = await run("speed", "--sections", "look-ahead,workers", ...tiny, "--json", "--plot", plot);
    expect(code).toBe(0);
    const { figures, notMeasured, conditions } = JSON.parse(stdout);
    expect(figures.map((figure: { id: string }) => figure.id)).toContain("workers/2-over-1");
    for (const figure of figures) {
      expect(Object.keys(figure).sort()).toEqual(["better", "goal", "high", "id", "low", "unit", "value"]);
      expect(figure.low).toBeLessThanOrEqual(figure.value);
    }
    expect(notMeasured).toEqual([]);
    expect(conditions).toMatchObject({ sections: ["look-ahead", "workers"], repetitions: 1, node: process.version });
    expect(readFileSync(plot, "utf8")).toContain("<svg");
    const table = await run("speed", "--sections", "look-ahead", ...tiny);
    expect(table.stdout).toMatch(/look-ahead\/independent\/steps.*≤ 6 +\| (met|missed)/);
  });

  it("scenarios lists them, and shows one with its hash", async () => {
    const all = await run("scenarios");
    expect(all.stdout).toContain("paper-v1");
    const one = JSON.parse((await run("scenarios", "paper-v1")).stdout);
    expect(one).toMatchObject({ id: "paper-v1", numServers: 6, arrivals: { process: "bernoulli", probability: 0.3 } });
    expect(one.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.parse((await run("scenarios", "--json")).stdout)).toContainEqual(one);
  });

  it("run writes a result that fits its schema, and the same bytes again", async () => {
    const out = join(folder, "a");
    const args = ["run", "paper-table-2", "--episodes", "5", "--policies", "random,oracle"];
    const first = await run(...args, "--out", out, "--json");
    expect(first.code).toBe(0);
    const text = readFileSync(join(out, "result.json"), "utf8");
    const result: Result = JSON.parse(text);
    expect(JSON.parse(first.stdout)).toEqual(result);
    expect(findProblem("result", structuredClone(result))).toBeUndefined();
    expect(result.settings.map((setting) => setting.policies.map((one) => one.policy.name))).toEqual([
      ["random", "oracle"],
      ["random", "oracle"],
    ]);
    const table = await run(...args, "--out", join(folder, "b"));
    expect(readFileSync(join(folder, "b", "result.json"), "utf8")).toBe(text);
    expect(table.stdout).toMatch(/\| static +\| COMLLM \*reported\* +\| +3\.0745 \|/);
    expect(readFileSync(join(folder, "b", "table.md"), "utf8")).toContain("Table II is headed 6 servers");
  });

  it("calibrate prints figures with intervals", async () => {
    const { stdout } = await run("calibrate", "--episodes", "4", "--json");
    const { figures } = JSON.parse(stdout) as { figures: { id: string; value: number; low: number; high: number }[] };
    const ids = figures.map((figure) => figure.id);
    for (const id of ["oracle/servers=6/ratio", "random-one-step/servers=11/latency", "oracle/size=10/latency"]) {
      expect(ids).toContain(id);
    }
    for (const { value, low, high } of figures) expect(low <= value && value <= high).toBe(true);
    expect((await run("calibrate", "--episodes", "3")).stdout).toContain("paper's oracle (reported PR × AL)");
  });

  it("prompt prints a decision in the library's words, and measures lengths", async () => {
    const { stdout } = await run("prompt", "paper-v1", "--seed", "7", "--decision", "40");
    const env = makeEnv("paper-v1");
    let step = env.reset(7);
    for (let i = 0; i < 40; i++) step = env.step(oracle(step.observation));
    expect(stdout).toBe(`${renderPrompt(step.observation).text}\n`);
    const args = ["prompt", "--seed", "3", "--template", "en-compact-v1", "--perturbation", "noisy"];
    const prompt = JSON.parse((await run(...args, "--system", "--reasoning", "--json")).stdout);
    expect(findProblem("prompt", prompt)).toBeUndefined();
    expect(prompt).toMatchObject({ template: "en-compact-v1", perturbation: "noisy", seed: 3 });
    expect(prompt.messages.map((message: { role: string }) => message.role)).toEqual(["system", "user"]);

    const stats = JSON.parse((await run("prompt", "--stats", "--json")).stdout);
    const most = (id: string) => stats.figures.find((one: { id: string }) => one.id === `prompt/${id}/maxTokens`);
    expect(most("en-v1/servers=6")).toMatchObject({ unit: "tokens", goal: 600, better: "lower" });
    expect(most("en-v1/servers=6").value).toBeLessThan(600);
    expect(most("en-compact-v1/servers=6").value).toBeLessThan(150);
    expect(most("en-v1/servers=128").value).toBeGreaterThan(5000);
    expect(most("zh-release-v1/servers=3").goal).toBeNull();
    const table = await run("prompt", "--stats", "--template", "en-compact-v1");
    expect(table.stdout).toMatch(/\| en-compact-v1 \| +6 \| +\d+ \| +\d+ \| +1[34]\d \| under 150 \|/);

    const measured = await run("prompt", "--agreement", "--template", "en-compact-v1", "--json");
    const { figures, conditions } = JSON.parse(measured.stdout);
    const [agreement, loss] = figures;
    expect(conditions.states).toBe(10_000);
    expect(agreement).toMatchObject({ id: "prompt/en-compact-v1/agreement", unit: "%", goal: 99.9, better: "higher" });
    expect(agreement.value).toBeGreaterThanOrEqual(99.9);
    expect(loss).toMatchObject({ id: "prompt/en-compact-v1/meanLoss", unit: "slots", goal: 0.001, better: "lower" });
    expect(loss.value).toBeLessThanOrEqual(0.001);
  });

  const bad: [string[], RegExp][] = [
    [["run", "paper-table-9"], /unknownSuite.*paper-table-2.*got "paper-table-9"/],
    [["run", "paper-table-2", "--policies", "orakel"], /unknownPolicy.*got "orakel"/],
    [["run", "paper-table-2", "--episodes", "few"], /expected an integer from 2/],
    [["run", "paper-table-2", "--episodes", "1.5"], /expected an integer/],
    [["run", "paper-table-2", "--seed", "9007199254740991"], /invalidSeed/],
    [["run"], /invalidOption at suite: expected a suite \(.*\) or --scenario/],
    [["scenarios", "paper-v0"], /unknownScenario.*got "paper-v0"/],
    [["serve", "--address", "tcp://0.0.0.0:5555"], /--keys, --allow/],
    [["dance"], /unknown command 'dance'/],
    [["calibrate", "--colour"], /unknown option '--colour'/],
    [["calibrate", "--seed", "9007199254740991"], /invalidSeed at --seed/],
    [["serve", "--log-level", "loud"], /Allowed choices are trace, debug/],
    [["serve", "--address", `ipc://${join(root, "package.json")}`], /a folder of yours that nobody else can enter/],
    [["speed", "--sections", "grid,bride"], /expected names from heap, peers, grid/],
    [["speed", "--plot", "speed.png"], /invalidOption at --plot.*\.svg/],
    [["speed", "--plot", "/proc/nothing/speed.svg"], /invalidOption at --plot/],
    [["demo", "--python", "/no/such/python"], /invalidOption at --python.*ENOENT/],
    [["demo", "--python", process.execPath], /invalidOption at --python/],
    [["prompt", "paper-v0"], /unknownScenario/],
    [["prompt", "paper-v1", "--decision", "4000"], /invalidOption at --decision.*from 0 to \d+, got 4000/],
    [["prompt", "--template", "fr-v1"], /Allowed choices are en-v1, en-compact-v1, zh-release-v1/],
    [["prompt", "--template", "zh-release-v1"], /unsupportedState at rateMbps/],
    [["run", "paper-table-2", "--out", "/proc/x"], /invalidOption at --out/],
  ];
  for (const [args, message] of bad) {
    it(`refuses ${args.join(" ")}: one line, exit code 2`, async () => {
      const { code, stdout, stderr } = await run(...args);
      expect(code).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toMatch(message);
      expect(stderr.trim().split("\n")).toHaveLength(1);
    });
  }

  it("refuses a place that it cannot write to before it plays", async () => {
    const taken = join(folder, "taken");
    mkdirSync(join(taken, "result.json"), { recursive: true });
    for (const out of [join(root, "package.json", "x"), taken]) {
      const { code, stdout, stderr } = await run("run", "paper-table-2", "--out", out);
      expect(code).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toMatch(/invalidOption at --out/);
    }
  });

  it("makes no folder for a policy or suite that does not exist", async () => {
    const out = join(folder, "never");
    await run("run", "paper-table-2", "--policies", "orakel", "--out", out);
    expect(existsSync(out)).toBe(false);
  });

  it("finishes its work when the reader of its output is gone", async () => {
    const out = join(folder, "unread");
    const child = start(["run", "paper-table-2", "--episodes", "5", "--policies", "oracle", "--out", out]);
    child.stdout.destroy();
    const code = await new Promise((resolve) => child.once("close", resolve));
    expect(code).toBe(0);
    expect(existsSync(join(out, "result.json"))).toBe(true);
  });

  // only Linux has a file that is always full
  it.runIf(existsSync("/dev/full"))("says in one line that its output cannot be written", async () => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [join(root, "scripts", "mecgym.mjs"), "scenarios", "--json"], {
      stdio: ["ignore", full, "pipe"],
    });
    let stderr = "";
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    const code = await new Promise((resolve) => child.once("close", resolve));
    closeSync(full);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^mecgym: cannot write to standard output: .*ENOSPC.*\n$/);
  });
});

describe("mecgym serve", { timeout: 600_000 }, () => {
  async function ready(args: string[]): Promise<{
    child: ChildProcessWithoutNullStreams;
    line: { address: string; pid: number } & Record<string, unknown>;
  }> {
    const child = start(["serve", ...args]);
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString()));
      child.once("close", (code) => reject(new Error(`ended with ${code} before it was ready`)));
    });
    return { child, line: JSON.parse(line) };
  }

  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    it(`is ready in one line, serves, and ends cleanly on ${signal}`, async () => {
      const { child, line } = await ready([]);
      expect(line).toMatchObject({ protocolVersion: "1.2", pid: child.pid });
      const client = new Client(line.address, { requestDeadlineMs: 5000 });
      expect(await client.hello()).toMatchObject({ instance: line.instance });
      client.close();
      const ended = end(child);
      child.kill(signal);
      expect((await ended).code).toBe(0);
      expect(existsSync(dirname(line.address.slice("ipc://".length)))).toBe(false);
    });
  }

  it("ends with its owner's pipe if asked to", async () => {
    const { child } = await ready(["--until-stdin-closes"]);
    const ended = end(child);
    child.stdin.end();
    expect((await ended).code).toBe(0);
  });

  it("says which address another server holds", async () => {
    const address = `ipc://${join(folder, "s")}`;
    const first = await ready(["--address", address]);
    const second = await run("serve", "--address", address);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain("no running server holds");
    const ended = end(first.child);
    first.child.kill("SIGTERM");
    await ended;
  });
});
