/** The speed benchmark's arithmetic, and its reports of what it could not measure. Speed itself is not tested here. */

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { meetsGoal } from "../../../benchmarks/figures.js";
import { figure, medianInterval, ratio } from "../../../benchmarks/speed/figures.js";
import { heapSection } from "../../../benchmarks/speed/heap.js";
import { kernelSections } from "../../../benchmarks/speed/index.js";
import { lookAheadSection } from "../../../benchmarks/speed/look-ahead.js";
import { measure } from "../../../benchmarks/speed/measure.js";
import { PeerProcess, pythonIn } from "../../../benchmarks/speed/peer-process.js";
import { peersSection } from "../../../benchmarks/speed/peers.js";
import { makePlayer } from "../../../benchmarks/speed/players.js";
import { plotFigures } from "../../../benchmarks/speed/plots.js";
import { pythonSection } from "../../../benchmarks/speed/python.js";
import { measureSections, type Section, type SpeedContext } from "../../../benchmarks/speed/section.js";
import { root } from "../../bridge/processes.js";

const folder = mkdtempSync(join(tmpdir(), "mecgym-speed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A clock that moves only when contenders move it. */
function makeClock(): { context: SpeedContext; pass: (seconds: number) => void } {
  let seconds = 0;
  const read = () => seconds;
  const context = { repetitions: 5, runSeconds: 1, cpuSeconds: read, wallSeconds: read };
  const pass = (more: number) => {
    seconds += more;
  };
  return { context, pass };
}

describe("the interval of a median", () => {
  it("is between the values that a sign test allows", () => {
    expect(medianInterval([3, 1, 2, 5, 4])).toEqual({ value: 3, low: 1, high: 5 });
    expect(medianInterval([7])).toEqual({ value: 7, low: 7, high: 7 });
    // 9 values: P(at most 1 below the median) = 10/512 < 2.5 %, at most 2: 46/512
    expect(medianInterval([9, 8, 7, 6, 5, 4, 3, 2, 1])).toEqual({ value: 5, low: 2, high: 8 });
    // 20 values: the sixth and the fifteenth, as in every table
    const twenty = Array.from({ length: 20 }, (_, i) => i + 1);
    expect(medianInterval(twenty)).toEqual({ value: 10.5, low: 6, high: 15 });
  });

  it("contains the median whatever the values are", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 40 }), (values) => {
        const { value, low, high } = medianInterval(values);
        expect(low).toBeLessThanOrEqual(value);
        expect(high).toBeGreaterThanOrEqual(value);
      }),
    );
  });

  it("is compared with a goal on the better side", () => {
    const of = (better: "higher" | "lower", goal: number | null) => meetsGoal(figure("x", "1", [2], better, goal));
    expect([of("higher", 1.8), of("higher", 2.1), of("lower", 2), of("lower", 1.9), of("lower", null)]).toEqual([
      true,
      false,
      true,
      false,
      undefined,
    ]);
  });
});

describe("contenders", () => {
  it("take turns, and a slow spell does not change their ratio", async () => {
    const { context, pass } = makeClock();
    const turns: string[] = [];
    let slowness = 1;
    const make = (id: string, perStep: number) => ({
      id,
      run: (steps: number) => {
        turns.push(id);
        pass(steps * perStep * slowness);
        if (id === "slow") slowness = 1 + (turns.length % 3);
        return steps;
      },
    });
    const rates = await measure(context, "x", [make("fast", 0.001), make("slow", 0.003)]);
    const measured = turns.slice(-10);
    expect(measured).toEqual(Array.from({ length: 5 }, () => ["fast", "slow"]).flat());
    expect(new Set(rates.fast).size).toBeGreaterThan(1);
    for (const value of ratio(rates.fast, rates.slow)) expect(value).toBeCloseTo(3, 9);
  });

  it("run for about the requested time, however fast they are", async () => {
    const { context, pass } = makeClock();
    const lengths: number[] = [];
    for (const perStep of [1e-6, 1e-4, 0.1]) {
      let last = 0;
      const run = (steps: number) => {
        last = steps * perStep;
        pass(last);
        return steps;
      };
      const { x } = await measure(context, "x", [{ id: "x", run }]);
      lengths.push(last);
      for (const rate of x) expect(rate * perStep).toBeCloseTo(1, 9);
    }
    for (const seconds of lengths) expect(Math.abs(seconds - 1)).toBeLessThan(0.01);
  });
});

describe("timed lanes", () => {
  it("are spread over their episodes, with queues as long as in long play", () => {
    const { batch, run, activeTasks } = makePlayer("paper-v1", 300, "random");
    const slots = Array.from(batch.outputs.slot);
    expect(Math.min(...slots)).toBeLessThan(3);
    expect(Math.max(...slots)).toBeGreaterThan(96);
    const mean = slots.reduce((sum, slot) => sum + slot, 0) / 300;
    expect(Math.abs(mean - 50)).toBeLessThan(2);
    const before = activeTasks();
    expect(before).toBeGreaterThan(4);
    // still true after two episodes of each lane, so it holds in the long run
    expect(run(300 * 720)).toBe(300 * 720);
    expect(Math.abs(activeTasks() / before - 1)).toBeLessThan(0.25);
  });

  it("are copies of fewer lanes if playing all of them would take long, and play on independently", () => {
    const { batch, run } = makePlayer({ numServers: 128, users: { perServer: 2 } }, 64, "greedy");
    run(6400);
    const hashes = new Set(Array.from({ length: 64 }, (_, lane) => batch.stateHash(lane)));
    expect(hashes.size).toBeGreaterThan(3);
  });
});

describe("sections", () => {
  it("are measured in order, and report what they could not measure", async () => {
    const { context } = makeClock();
    const seen: number[] = [];
    const section = (name: string, weight: number): Section => ({
      name,
      description: "",
      weight,
      async measure({ onProgress }) {
        onProgress?.(0.5, "half");
        onProgress?.(1, "whole");
        const missing = { id: `${name}/other`, reason: "not here", command: "make it" };
        return { figures: [figure(name, "1", [1], "higher")], notMeasured: [missing], conditions: { [name]: 1 } };
      },
    });
    const onProgress = (done: number) => void seen.push(done);
    const result = await measureSections([section("a", 3), section("b", 1)], { ...context, onProgress });
    expect(result.figures.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(result.notMeasured?.map(({ id }) => id)).toEqual(["a/other", "b/other"]);
    expect(result.conditions).toEqual({ a: 1, b: 1 });
    expect(seen).toEqual([0.375, 0.75, 0.875, 1]);
  });

  it("have unique names, and weights", () => {
    expect(new Set(kernelSections.map(({ name }) => name)).size).toBe(kernelSections.length);
    for (const { weight, description } of kernelSections) {
      expect(weight).toBeGreaterThan(0);
      expect(description).not.toBe("");
    }
  });

  it("report what they need: no heap figure without a collector, and look-ahead with its goal", async () => {
    const now = () => performance.now() / 1000;
    const context = { repetitions: 1, runSeconds: 0.001, cpuSeconds: now, wallSeconds: now };
    expect((await heapSection.measure(context)).notMeasured).toHaveLength(1);
    const { figures } = await lookAheadSection.measure(context);
    expect(figures.map(({ id, goal }) => [id, goal])).toContainEqual(["look-ahead/independent/steps", 6]);
  });
});

describe("peers", () => {
  const now = () => performance.now() / 1000;
  const context = { repetitions: 1, runSeconds: 0.001, cpuSeconds: now, wallSeconds: now };

  it("that are not installed are named, each with the command that installs it", { timeout: 300_000 }, async () => {
    const clone = join(folder, "clone");
    mkdirSync(join(clone, "benchmarks", "peers"), { recursive: true });
    copyFileSync(join(root, "benchmarks/peers/run_peer.py"), join(clone, "benchmarks/peers/run_peer.py"));
    const { figures, notMeasured } = await peersSection.measure({ ...context, root: clone });
    expect(figures.map(({ id }) => id)).toContain("peers/lanes=1024/greedy/kernel");
    expect(notMeasured).toContainEqual({
      id: "peers/lanes=1024/greedy/over-jax",
      reason: expect.stringContaining("no Python environment .setup"),
      command: "node scripts/extras.mjs jax",
    });
    expect(notMeasured?.filter(({ id }) => id.endsWith("over-numpy"))).toHaveLength(4);
    const packaged = await peersSection.measure({ ...context, root: folder });
    expect(packaged.notMeasured?.every(({ reason }) => reason.includes("clone"))).toBe(true);
  });

  it("of Python are named too, and those that are installed are measured all the same", async () => {
    const { figures, notMeasured } = await pythonSection.measure({ ...context, root: folder });
    expect(figures).toEqual([]);
    expect(notMeasured?.every(({ reason }) => reason.includes("clone"))).toBe(true);
    const clone = join(folder, "clone-python");
    const bin = dirname(pythonIn(clone, ".venv"));
    for (const needed of [join(clone, "benchmarks", "peers"), bin]) mkdirSync(needed, { recursive: true });
    writeFileSync(join(clone, "benchmarks/peers/run_python.py"), "");
    // a player that makes up its times: mecgym's batch does 100 steps a second, the others do 2
    writeFileSync(
      pythonIn(clone, ".venv"),
      `#!${process.execPath}
       const { createInterface } = require("node:readline");
       const rate = process.argv.includes("make-vec") ? 100 : 2;
       console.log(JSON.stringify({ ready: true, versions: { python: "3" } }));
       createInterface({ input: process.stdin }).on("line", (line) => {
         const steps = Number(line.split(" ")[1]);
         console.log(JSON.stringify({ steps, seconds: steps / rate }));
       });`,
      { mode: 0o755 },
    );
    const result = await pythonSection.measure({ ...context, root: clone });
    const found = Object.fromEntries(result.figures.map(({ id, value, goal }) => [id, [value, goal]]));
    expect(found["python/lanes=1024/make-vec"]).toEqual([100, null]);
    expect(found["python/lanes=1024/lanes-in-groups"]).toEqual([2, null]);
    expect(found["python/lanes=8192/make-vec-over-sync-vector-env"]).toEqual([50, 50]);
    expect(found["python/lanes=8192/make-vec-over-async-vector-env"]).toEqual([50, 50]);
    expect(found["python/lanes=8192/make-vec-over-numpy"]).toEqual([50, 5]);
    expect(result.notMeasured?.map(({ id, command }) => [id, command])).toEqual([
      ["python/lanes=1024/envpool-cartpole", "node scripts/extras.mjs envpool"],
      ["python/lanes=8192/envpool-cartpole", "node scripts/extras.mjs envpool"],
      ["python/dqn/envs=1/environment-share", "node scripts/extras.mjs sb3"],
      ["python/dqn/envs=16/environment-share", "node scripts/extras.mjs sb3"],
      ["python/dqn/envs=64/environment-share", "node scripts/extras.mjs sb3"],
    ]);
  });

  const write = (name: string, text: string): [string, string] => {
    writeFileSync(join(folder, name), text);
    return [process.execPath, join(folder, name)];
  };

  it("play on command", async () => {
    const peer = await PeerProcess.start(
      write(
        "good.mjs",
        `import { createInterface } from "node:readline";
         console.log(JSON.stringify({ ready: true, versions: { python: "3" } }));
         for await (const line of createInterface({ input: process.stdin })) {
           const steps = Number(line.split(" ")[1]);
           console.log(JSON.stringify({ steps, seconds: 2, cpuSeconds: 1, meanCostSlots: 3 }));
         }`,
      ),
    );
    expect(peer.versions).toEqual({ python: "3" });
    expect(await peer.run(99.5)).toEqual({ steps: 100, seconds: 2, cpuSeconds: 1, meanCostSlots: 3 });
    await peer.close();
    await peer.close();
    await expect(peer.run(1)).rejects.toThrow("it ended");
  });

  it("report why they failed", async () => {
    const broken = write("broken.mjs", `console.error("first"); console.error("no room left"); process.exit(1);`);
    await expect(PeerProcess.start(broken)).rejects.toThrow("no room left");
    await expect(PeerProcess.start([join(folder, "nothing")])).rejects.toThrow("ENOENT");
    await expect(PeerProcess.start(write("talks.mjs", `console.log("hello")`))).rejects.toThrow("JSON");
  });
});

describe("plots", () => {
  it("draw the figures as one well-formed SVG", async () => {
    const { parseHTML } = await import("linkedom");
    const cells = [3, 6].flatMap((servers) =>
      [1, 64].map((lanes) => figure(`grid/servers=${servers}/lanes=${lanes}/greedy`, "steps/s", [1e6], "higher")),
    );
    const draw = async (figures: Parameters<typeof plotFigures>[0]) => {
      const { document } = parseHTML(await plotFigures(figures));
      expect(document.querySelector("svg")?.getAttribute("xmlns")).toBe("http://www.w3.org/2000/svg");
      return document;
    };
    const two = await draw(cells);
    expect(two.querySelectorAll("svg > svg")).toHaveLength(2);
    expect(two.toString()).toContain("64 lanes");
    const queue = [
      figure("shape/random/slots=100/time", "ns/step", [900], "lower"),
      figure("shape/random/slots=100/active-tasks", "tasks/server", [5], "lower"),
      figure("peers/lanes=1024/greedy/over-numpy", "1", [2, 3, 4, 5, 6], "higher", 8),
    ];
    const four = await draw([...cells, ...queue]);
    expect(four.querySelectorAll("svg > svg")).toHaveLength(4);
    expect(four.toString()).toContain("NumPy, 1,024 lanes, greedy");
    expect((await draw([])).querySelectorAll("svg > svg")).toHaveLength(0);
  });
});
