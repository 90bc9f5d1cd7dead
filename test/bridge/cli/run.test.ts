/** `mecgym run` with worker threads: the same bytes for any number, and after Ctrl-C, damage or a thread's death. */

import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { InlineRunner } from "../../../benchmarks/jobs/job-queue.js";
import { WorkerDied, WorkerPool } from "../../../benchmarks/jobs/worker-pool.js";
import { type RunOptions, runSuite } from "../../../benchmarks/runs/run-suite.js";
import { findSuite, type Suite } from "../../../benchmarks/suites/suites.js";
import { TimeLeft } from "../../../bridge/cli/support/progress.js";
import { end, interrupt, killAll, run, start } from "../processes.js";

const folder = mkdtempSync(join(tmpdir(), "mecgym-run-"));
afterAll(() => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});

const options: RunOptions = {
  // some remember, some draw, some look ahead
  policies: ["round-robin", "two-choices", "lacs", "random"],
  episodes: 7,
  firstSeed: 11,
  packageVersion: "0",
  runtime: { node: "", platform: "", arch: "" },
};
const suite: Suite = {
  ...findSuite("paper-table-2"),
  settings: [
    ...findSuite("paper-table-2").settings,
    { id: "long", scenario: "load-24-users-long-v1", protocol: "episodic", reported: [] },
  ],
};

describe("worker threads", { timeout: 600_000 }, () => {
  it("give the same result as no threads, however many there are", async () => {
    const inline = JSON.stringify(await runSuite(suite, { ...options, runner: new InlineRunner() }));
    for (const numWorkers of [1, 2, 3]) {
      const pool = new WorkerPool(numWorkers);
      expect(JSON.stringify(await runSuite(suite, { ...options, runner: pool }))).toBe(inline);
      await pool.close();
    }
  });

  it("report bad input as its own error, and go on", async () => {
    const pool = new WorkerPool(1);
    const job = { kind: "play", scenario: "paper-v1", policy: "oracle", firstSeed: 0, count: 1 } as const;
    await expect(pool.run({ ...job, scenario: "paper-v0" })).rejects.toMatchObject({ code: "unknownScenario" });
    await expect(pool.run({ ...job, policy: "orakel" })).rejects.toMatchObject({ code: "unknownPolicy" });
    expect((await pool.run(job)).units.lengths).toHaveLength(1);
    await pool.close();
    await expect(pool.run(job)).rejects.toThrow("closed");
  });

  /** A pool of threads that run this program text. */
  const poolOf = (text: string, limits = {}) => {
    const file = join(folder, "worker.mjs");
    writeFileSync(file, `import { parentPort } from "node:worker_threads";\n${text}`);
    return new WorkerPool(2, pathToFileURL(file), { resourceLimits: limits });
  };
  const deaths: [string, string, RegExp, object?][] = [
    ["that ends itself", "parentPort.on('message', () => process.exit(7))", /exit code 7/],
    ["that throws", "parentPort.on('message', () => { throw new Error('broken') })", /broken/],
    ["that never starts", "import 'no-such-package'", /no-such-package/],
    [
      "that runs out of memory",
      "parentPort.on('message', () => { const all = []; for (;;) all.push(new Array(1000).fill({})) })",
      /memory/,
      { maxOldGenerationSizeMb: 16 },
    ],
  ];
  for (const [name, text, reason, limits] of deaths) {
    it(`ends all work, with the reason, if there is one ${name}`, async () => {
      const pool = poolOf(text, limits);
      const job = { kind: "play", scenario: "paper-v1", policy: "oracle", firstSeed: 0, count: 1 } as const;
      const results = await Promise.allSettled([pool.run(job), pool.run(job), pool.run(job)]);
      for (const result of results) {
        expect(result).toMatchObject({ status: "rejected", reason: { name: "WorkerDied" } });
        expect(String((result as PromiseRejectedResult).reason)).toMatch(reason);
      }
      await expect(pool.run(job)).rejects.toBeInstanceOf(WorkerDied);
      await pool.close();
    });
  }
});

describe("mecgym run", { timeout: 600_000 }, () => {
  const args = ["run", "paper-table-4", "--episodes", "100", "--policies", "random,round-robin"];
  const read = (out: string, name = "result.json") => readFileSync(join(folder, out, name), "utf8");
  const partsOf = (out: string) => {
    try {
      const names = readdirSync(join(folder, out, "parts"), { recursive: true, encoding: "utf8" });
      return names.filter((name) => name.endsWith(".json")).sort();
    } catch {
      return [];
    }
  };

  it("gives the same bytes for 1, 2 and 3 threads, and if it is resumed with damaged parts", async () => {
    const whole = await run(...args, "--workers", "1", "--out", join(folder, "1"));
    expect(whole.code).toBe(0);
    for (const workers of ["2", "3"]) {
      expect((await run(...args, "--workers", workers, "--out", join(folder, workers))).code).toBe(0);
      expect(read(workers)).toBe(read("1"));
      expect(read(workers, "table.md")).toBe(read("1", "table.md"));
    }

    const { code, stderr } = await interrupt(
      () => partsOf("parts").length >= 6,
      () => {
        rmSync(join(folder, "parts"), { recursive: true, force: true });
        return start([...args, "--workers", "2", "--out", join(folder, "parts")]);
      },
    );
    expect(code).toBe(130);
    expect(stderr).toMatch(/interrupted.*--resume/);
    expect(() => read("parts")).toThrow();

    const kept = partsOf("parts").map((name) => join(folder, "parts", "parts", name));
    const text = readFileSync(kept[0], "utf8");
    writeFileSync(kept[0], "damaged");
    writeFileSync(kept[1], "");
    writeFileSync(kept[2], text.slice(0, text.length / 2));
    // another digit of a figure: still JSON, and still a figure
    const figures = readFileSync(kept[3], "utf8");
    const spoilt = figures.replace(
      /("averageLatencySlots":\{"value":)(\d)/,
      (_, name, digit) => name + ((digit % 9) + 1),
    );
    expect(spoilt).not.toBe(figures);
    writeFileSync(kept[3], spoilt);
    // a whole part in another part's place
    writeFileSync(kept[4], readFileSync(kept[5], "utf8"));

    const resumed = await run(...args, "--workers", "2", "--out", join(folder, "parts"), "--resume");
    expect(resumed.code).toBe(0);
    expect(read("parts")).toBe(read("1"));
    expect(partsOf("parts")).toEqual([]);
  });

  it("plays only the settings that are named, as the whole suite does, and refuses unknown ones", async () => {
    const some = [...args, "--settings", "5-servers-static,3-servers-static", "--out", join(folder, "some")];
    expect((await run(...some)).code).toBe(0);
    const whole = JSON.parse(read("1")).settings;
    const ids = ["3-servers-static", "5-servers-static"];
    expect(JSON.parse(read("some")).settings).toEqual(whole.filter((one: { id: string }) => ids.includes(one.id)));
    const wrong = await run("run", "paper-table-4", "--settings", "4-servers", "--out", join(folder, "wrong"));
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(
      /^mecgym: invalidOption at --settings: expected one of 3-servers-static, .*"4-servers"/,
    );
  });

  it("joins runs of some seeds into the file of the whole run", async () => {
    const play = ["run", "paper-table-2", "--policies", "random,round-robin", "--workers", "1"];
    const into = (name: string) => ["--out", join(folder, name)];
    const file = (name: string) => join(folder, name, "result.json");
    for (const [name, seed, episodes] of [
      ["a", "7", "2"],
      ["b", "9", "3"],
      ["whole", "7", "5"],
    ]) {
      expect((await run(...play, "--seed", seed, "--episodes", episodes, ...into(name))).code).toBe(0);
    }
    const joining = [...play, "--seed", "7", "--episodes", "5", ...into("joined"), "--parts"];
    expect((await run(...joining, file("a"), file("b"))).code).toBe(0);
    expect(read("joined")).toBe(read("whole"));
    const spoilt = await run(...joining, file("a"), join(folder, "no-such-file"));
    expect(spoilt.code).toBe(2);
    expect(spoilt.stderr).toMatch(/^mecgym: invalidRecord at .*no-such-file/);
  });

  it("says why a thread died, keeps finished parts, and reuses only those that fit", async () => {
    const small = ["run", "paper-table-2", "--policies", "random", "--episodes", "120"];
    const crash = join(folder, "crash.mjs");
    // a thread that ends itself before its 16th answer: by then the oracle's episodes are done, and little else
    writeFileSync(
      crash,
      `import { isMainThread, MessagePort } from "node:worker_threads";
      const { postMessage } = MessagePort.prototype;
      let answers = 0;
      if (!isMainThread) MessagePort.prototype.postMessage = function (...message) {
        if (++answers === 16) process.exit(9);
        return postMessage.apply(this, message);
      };`,
    );
    const env = { ...process.env, NODE_OPTIONS: `--import=${pathToFileURL(crash).href}` };
    const died = await end(start([...small, "--workers", "1", "--out", join(folder, "died")], env));
    expect(died.code).toBe(1);
    expect(died.stderr).toMatch(/^mecgym: a worker thread ended: exit code 9; finished parts are kept.*--resume/);
    expect(died.stderr.trim().split("\n")).toHaveLength(1);
    expect(partsOf("died")).toEqual([join("episodic", "oracle.json")]);

    // the kept part is reused as it is: a figure changed together with its checksum shows up in the result
    const part = join(folder, "died", "parts", "episodic", "oracle.json");
    const [, body] = readFileSync(part, "utf8").split("\n");
    const changed = body.replace(/"costSlots":\[\d/, (found) => `${found.slice(0, -1)}9`);
    writeFileSync(part, `${createHash("sha256").update(changed).digest("hex")}\n${changed}`);
    const other = [...small.slice(0, -1), "110", "--out", join(folder, "other")];
    expect((await run(...other)).code).toBe(0);
    // other seeds or another number of them: what is kept is useless
    cpSync(join(folder, "died"), join(folder, "fewer"), { recursive: true });
    expect((await run(...small.slice(0, -1), "110", "--out", join(folder, "fewer"), "--resume")).code).toBe(0);
    expect(read("fewer")).toBe(read("other"));

    const resumed = [...small, "--out", join(folder, "died"), "--resume"];
    expect((await run(...resumed)).code).toBe(0);
    expect((await run(...small, "--out", join(folder, "right"))).code).toBe(0);
    expect(read("died")).not.toBe(read("right"));
  });
});

describe("time left", () => {
  it("follows from the work done since the first report", () => {
    const left = new TimeLeft();
    expect(left.update(500, 1000, 0)).toBe("?");
    expect(left.update(510, 1000, 1000)).toBe("49 s"); // 10 in a second, 490 to go
    expect(left.update(520, 10_000, 1000)).toBe("7 min 54 s"); // 20 in a second, 9,480 to go
    expect(left.update(501, 10_000, 1000)).toBe("2 h 38 min"); // 1 in a second, 9,499 to go
  });
});
