/** `mecgym tune` as a command: what it writes into a manifest, and what it refuses. */

import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { killAll, root, run } from "../processes.js";

const folder = mkdtempSync(join(tmpdir(), "mecgym-tune-"));
afterAll(() => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});

const original = join(root, "benchmarks", "policies", "manifest.json");
const manifest = join(folder, "manifest.json");
const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const id = "load-30-users-v1";

describe("mecgym tune", { timeout: 600_000 }, () => {
  it("reference writes the best candidate of a scenario with its figures, and changes nothing else", async () => {
    copyFileSync(original, manifest);
    const args = ["tune", "reference", "--scenario", id, "--policies", "oracle,priced:tollSlots=4", "--episodes", "4"];
    const { code, stdout } = await run(...args, "--workers", "1", "--manifest", manifest, "--json");
    expect(code).toBe(0);
    const { figures, choices } = JSON.parse(stdout);
    expect(figures.map((figure: { id: string }) => figure.id).sort()).toEqual([
      `${id}/oracle/latency`,
      `${id}/priced:tollSlots=4/latency`,
    ]);
    const changed = read(manifest).scenarios[id];
    expect(changed.reference).toBe(choices[0].reference);
    expect(changed.reference).toBe("priced:tollSlots=4");
    expect(Object.keys(changed.chosenFrom.averageLatencySlots)).toEqual(["priced:tollSlots=4", "oracle"]);
    expect(changed.chosenFrom).toMatchObject({ firstSeed: 1_000_000, episodes: 4 });
    const before = read(original);
    before.scenarios[id] = changed;
    expect(read(manifest)).toEqual({ ...before });
    expect(changed.tollSlots).toBe(read(original).scenarios[id].tollSlots);
    const again = await run(...args, "--workers", "2", "--json");
    expect(again.stdout).toBe(stdout);
  });

  it("priced and adaptive write what they find", async () => {
    copyFileSync(original, manifest);
    const priced = await run("tune", "priced", "--scenario", id, "--episodes", "2", "--manifest", manifest, "--json");
    expect(priced.code).toBe(0);
    const reference = read(original).scenarios[id].reference;
    expect(read(manifest).scenarios[id]).toMatchObject({ tollSlots: JSON.parse(priced.stdout).tollSlots, reference });
    const args = ["tune", "adaptive", "--generations", "1", "--population", "4", "--manifest", manifest, "--json"];
    const adaptive = await run(...args);
    expect(adaptive.code).toBe(0);
    const { weights, conditions } = JSON.parse(adaptive.stdout);
    expect(read(manifest).adaptive).toMatchObject({
      weights,
      fit: { generations: 1, population: 4, firstSeed: 10_000 },
    });
    expect(conditions.episodes).toBe(10 * 6);
  });

  it("refuses test seeds and files that are not a manifest, in one line, with exit code 2", async () => {
    const other = join(folder, "other.json");
    writeFileSync(other, '{"scenarios": 3}');
    for (const wrong of [
      ["priced", "--scenario", id, "--seed", "2000000"],
      ["reference", "--scenario", id, "--seed", "2000000"],
      ["reference", "--scenario", id, "--policies", "clairvoyant"],
      ["adaptive", "--seed", "2000000"],
      ["adaptive", "--manifest", other],
      ["adaptive", "--manifest", join(folder, "none.json")],
    ]) {
      const { code, stdout, stderr } = await run("tune", ...wrong);
      expect(code).toBe(2);
      expect(stdout).toBe("");
      expect(stderr.trim().split("\n")).toHaveLength(1);
    }
    expect(readFileSync(other, "utf8")).toBe('{"scenarios": 3}');
  });
});
