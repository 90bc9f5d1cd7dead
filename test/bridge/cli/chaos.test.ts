/** Fault runs with small numbers: what must hold on any machine. Only `mecgym chaos` judges throughput. */

import { describe, expect, it } from "vitest";
import { relativeSlope } from "../../chaos/part.js";
import { run } from "../processes.js";

interface Figure {
  readonly id: string;
  readonly value: number;
}

describe("mecgym chaos --quick", () => {
  it("finds nothing lost, nothing wrong and nothing left over", { timeout: 600_000 }, async () => {
    const { stdout, stderr } = await run("chaos", "--quick", "--json", "--seed", "2");
    const { figures, notMeasured } = JSON.parse(stdout) as { figures: Figure[]; notMeasured: unknown[] };
    expect(notMeasured, stderr).toEqual([]);
    const value = Object.fromEntries(figures.map((figure) => [figure.id, figure.value]));
    expect(value).toMatchObject({
      "kills/killed": 10,
      "kills/equal-digests": 1,
      "lossy/equal-digests": 1,
      "stopped/equal-digests": 1,
      "vanished/sessions-left": 0,
      "vanished/reaped": 20,
      "vanished/session-memory-left": 0,
      "malformed/sent": 10_000,
      "malformed/answered": 10_000,
      "malformed/server-alive": 1,
      "malformed/well-formed-right": 1,
      "malformed/internal-errors": 0,
      "sessions/left": 0,
    });
    expect(value["kills/recovered"]).toBeGreaterThan(0);
    expect(value["lossy/sent-again"]).toBeGreaterThan(0);
    expect(value["stopped/server-growth"]).toBeLessThan(256);
    // in so short a run, compiled code and first caches are more than 5 %
    expect(value["malformed/held"]).toBeLessThan(1.3);
    expect(value["sessions/held-after-steps"]).toBeLessThan(1.3);
  });

  it.each([
    [["chaos", "--parts", "kills,nothing"], /expected names from kills, lossy/],
    [["chaos", "--seed", "-1"], /expected an integer from 0/],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await run(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

describe("the slope of measured values", () => {
  it("is the gain of a straight line, relative to the mean", () => {
    expect(relativeSlope([10, 10, 10, 10])).toBe(0);
    expect(relativeSlope([8, 9, 10, 11, 12])).toBeCloseTo(0.4, 12);
    expect(relativeSlope([12, 8, 12, 8, 12])).toBeCloseTo(0, 12);
  });
});
