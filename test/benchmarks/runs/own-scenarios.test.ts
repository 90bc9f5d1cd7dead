/** Suites of one's own scenarios: played like the others, whole in the result, and verified from it. */

import { describe, expect, it } from "vitest";
import { renderMarkdown } from "../../../benchmarks/report/markdown.js";
import { parseResult } from "../../../benchmarks/result-file.js";
import { runSuite } from "../../../benchmarks/runs/run-suite.js";
import { verifyResult } from "../../../benchmarks/runs/verify.js";
import { ownSuite, suiteOfResult } from "../../../benchmarks/suites/suites.js";
import { resolveScenario, scenarioHash } from "../../../env/index.js";
import type { Result } from "../../../schemas/generated/types.js";

const small = { numServers: 3, users: { count: 4 }, episodeSlots: 30 };
const options = {
  policies: ["oracle", "adaptive", "random"],
  episodes: 3,
  firstSeed: 2_000_000,
  packageVersion: "0",
  runtime: { node: "", platform: "", arch: "" },
};
const play = async (scenarios: Parameters<typeof ownSuite>[0]): Promise<Result> =>
  parseResult(JSON.stringify(await runSuite(ownSuite(scenarios), options)), "result.json");

describe("a suite of one's own scenarios", { timeout: 600_000 }, () => {
  it("is played, holds the scenarios whole, and verifies from its result", async () => {
    const result = await play([small, "paper-3-servers-v1"]);
    expect(result.suite).toBe("own");
    expect(result.settings.map(({ id }) => id)).toEqual(["custom", "paper-3-servers-v1"]);
    for (const [i, scenario] of [small, "paper-3-servers-v1"].entries()) {
      expect(result.settings[i].scenario).toEqual({
        id: resolveScenario(scenario).id,
        hash: scenarioHash(scenario),
        fields: resolveScenario(scenario),
      });
    }
    const { checked, problems } = await verifyResult(result);
    expect(problems).toEqual([]);
    expect(checked).toHaveLength(6);
    const table = renderMarkdown(suiteOfResult(result), result);
    expect(table).toContain("| custom ");
    expect(table).toContain("- custom: scenario `custom`");
  });

  it("plays what a suite plays in the same scenario", async () => {
    const { settings } = await play(["paper-v1"]);
    const known = await runSuite(
      {
        id: "own",
        description: "",
        notes: [],
        settings: [{ id: "paper-v1", scenario: "paper-v1", protocol: "episodic", reported: [] }],
      },
      options,
    );
    expect(settings[0].policies).toEqual(JSON.parse(JSON.stringify(known.settings[0].policies)));
    expect(known.settings[0].scenario).not.toHaveProperty("fields");
  });

  it("numbers scenarios of one id", () => {
    const ids = ownSuite([small, { numServers: 4 }, { id: "custom-2" }, { numServers: 5 }]).settings.map(
      ({ id }) => id,
    );
    expect(ids).toEqual(["custom", "custom-2", "custom-2-2", "custom-3"]);
    expect(() => ownSuite([])).toThrow(/invalidOption at scenarios: expected at least one scenario/);
  });

  it("is not verified if a scenario is missing, is none, or is another one than its hash says", async () => {
    const result = await play([small]);
    const damaged = (change: (scenario: Record<string, unknown>) => void) => {
      const copy = structuredClone(result);
      change(copy.settings[0].scenario as never);
      return verifyResult(copy);
    };
    const missing = await damaged((scenario) => delete scenario.fields);
    expect(missing.problems).toMatchObject([{ path: "/settings/0/scenario/fields", got: null }]);
    const upsideDown = await damaged(({ fields }) => {
      (fields as { taskSizeMbit: object }).taskSizeMbit = { min: 5, max: 2 };
    });
    expect(upsideDown.problems).toMatchObject([{ path: "/settings/0/scenario/fields/taskSizeMbit" }]);
    const other = await damaged(({ fields }) => {
      (fields as { deadlineSlots: number }).deadlineSlots = 11;
    });
    expect(other.problems).toMatchObject([{ path: "/settings/0/scenario/hash", got: scenarioHash(small) }]);
    const renamed = await damaged((scenario) => {
      scenario.id = "other";
    });
    expect(renamed.problems).toMatchObject([{ path: "/settings/0/scenario/id", got: "other" }]);
  });
});
