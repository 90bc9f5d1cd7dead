/** `mecgym capacity` as a command: the same bytes for any number of threads and after Ctrl-C; figures as JSON. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { interrupt, killAll, run, start } from "../processes.js";

const folder = mkdtempSync(join(tmpdir(), "mecgym-capacity-"));
afterAll(() => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});

describe("mecgym capacity", { timeout: 600_000 }, () => {
  const args = ["capacity", "--policies", "fastest,priced:tollSlots=2", "--episodes", "4", "--most", "3"];
  const read = (out: string, name = "capacity.json") => readFileSync(join(folder, out, name), "utf8");
  const probesOf = (out: string) => {
    try {
      const names = readdirSync(join(folder, out, "parts"), { recursive: true, encoding: "utf8" });
      return names.filter((name) => name.endsWith(".json"));
    } catch {
      return [];
    }
  };

  it("gives the same bytes with 1 and 2 threads, and after an interruption", async () => {
    const whole = await run(...args, "--workers", "1", "--out", join(folder, "1"), "--json");
    expect(whole.code).toBe(0);
    expect(whole.stdout).toBe(read("1"));
    const { figures, conditions } = JSON.parse(whole.stdout);
    expect(figures).toMatchObject([
      { id: "capacity/fastest/users-per-server", unit: "users/server", goal: null, better: "higher" },
      { id: "capacity/priced:tollSlots=2/users-per-server", value: 3, high: 3 },
    ]);
    expect(figures[0].value).toBeLessThan(1.5);
    expect(conditions).toMatchObject({ scenario: "paper-long-v1", numServers: 6, episodes: 4, firstSeed: 2_000_000 });
    expect(read("1", "table.md")).toMatch(/\| priced:tollSlots=2 \| +≥ 3.00 \|/);

    const { code, stderr } = await interrupt(
      () => probesOf("2").length >= 3,
      () => {
        rmSync(join(folder, "2"), { recursive: true, force: true });
        return start([...args, "--workers", "2", "--out", join(folder, "2")]);
      },
    );
    expect(code).toBe(130);
    expect(stderr).toMatch(/interrupted.*--resume/);
    expect(() => read("2")).toThrow();
    expect((await run(...args, "--workers", "2", "--out", join(folder, "2"), "--resume")).code).toBe(0);
    expect(read("2")).toBe(read("1"));
    expect(read("2", "table.md")).toBe(read("1", "table.md"));
    expect(probesOf("2")).toEqual([]);
  });

  it("refuses short episodes and unknown policies in one line", async () => {
    for (const wrong of [
      ["--scenario", "paper-v1"],
      ["--policies", "orakel"],
      ["--policies", "oracle:x=1"],
    ]) {
      const { code, stderr, stdout } = await run("capacity", ...wrong, "--out", join(folder, "no"));
      expect(code).toBe(2);
      expect(stdout).toBe("");
      expect(stderr.trim().split("\n")).toHaveLength(1);
    }
  });
});
