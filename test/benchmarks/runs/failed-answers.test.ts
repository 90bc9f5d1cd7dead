/** Failed answers: their charge and their counts in results, and the damage that verification finds. */

import { beforeAll, describe, expect, it } from "vitest";
import { renderTable } from "../../../benchmarks/report/markdown.js";
import { parseResult } from "../../../benchmarks/result-file.js";
import { type ExternalPolicy, runSuite } from "../../../benchmarks/runs/run-suite.js";
import { verifyResult } from "../../../benchmarks/runs/verify.js";
import { findSuite } from "../../../benchmarks/suites/suites.js";
import { BatchEnv, Env, FLAG_INVALID_ACTION, FLAG_TRUNCATED } from "../../../env/index.js";
import type { FailedAnswer, Result } from "../../../schemas/generated/types.js";

const firstSeed = 2_000_000;
const episodes = 3;
const frame = { firstSeed, episodes, packageVersion: "0", runtime: { node: "", platform: "", arch: "" } };
const suite = { ...findSuite("paper-table-2"), settings: findSuite("paper-table-2").settings.slice(1) };

/** Plays a bad policy: server 9 at every 7th decision, no readable answer at every 11th, else 0 or 1. */
function playBadly(): { logs: number[][]; failures: FailedAnswer[]; invalid: number } {
  const env = new BatchEnv({ scenarios: ["paper-v1"], numLanes: 1, invalidActions: "costliest" });
  const logs: number[][] = [];
  const failures: FailedAnswer[] = [];
  let invalid = 0;
  for (let unit = 0; unit < episodes; unit++) {
    env.reset([firstSeed + unit]);
    const log: number[] = [];
    do {
      const decision = log.length;
      if (decision % 11 === 10) failures.push({ unit, decision, failure: "noDecision" });
      else if (decision % 7 === 6) failures.push({ unit, decision, failure: "invalidAction", action: 9 });
      const isFailed = failures.at(-1)?.unit === unit && failures.at(-1)?.decision === decision;
      env.step([isFailed ? 9 : decision % 2]);
      if ((env.flags[0] & FLAG_INVALID_ACTION) !== 0) invalid++;
      log.push(env.executedAction[0]);
    } while ((env.flags[0] & FLAG_TRUNCATED) === 0);
    logs.push(log);
  }
  return { logs, failures, invalid };
}

const played = playBadly();
const entry = (more: Partial<ExternalPolicy> = {}): ExternalPolicy => ({
  name: "bad",
  isInWords: true,
  logs: new Map([["episodic", played.logs]]),
  failures: new Map([["episodic", played.failures]]),
  ...more,
});
const run = (external: ExternalPolicy) => runSuite(suite, { ...frame, policies: ["oracle"], external: [external] });

let result: Result;
beforeAll(async () => {
  result = parseResult(JSON.stringify(await run(entry())), "result.json");
}, 60_000);

describe("a result with failed answers", { timeout: 120_000 }, () => {
  it("counts both kinds apart, keeps them, and verifies", async () => {
    const [oracle, bad] = result.settings[0].policies;
    const decisions = played.logs.flat().length;
    const unread = played.failures.filter(({ failure }) => failure === "noDecision").length;
    expect(unread).toBeGreaterThan(10);
    expect(played.invalid).toBe(played.failures.length);
    expect(bad.policy).toEqual({ name: "bad", kind: "external", answers: "words" });
    expect(bad.failures).toEqual(played.failures);
    expect(bad.actions).toEqual(played.logs);
    expect(bad.metrics.parseFailurePercent?.value).toBeCloseTo((100 * unread) / decisions, 10);
    expect(bad.metrics.parseFailurePercent?.unit).toBe("%");
    const invalid = played.failures.length - unread;
    expect(bad.metrics.invalidActionPercent?.value).toBeCloseTo((100 * invalid) / decisions, 10);
    expect(oracle.metrics.parseFailurePercent).toBeNull();
    expect(oracle.failures).toBeUndefined();
    expect((await verifyResult(result)).problems).toEqual([]);
  });

  it("shows them in its table", () => {
    expect(renderTable(suite, result)).toContain("unread answers (%)");
    const onlyOracle = structuredClone(result);
    onlyOracle.settings[0].policies.pop();
    expect(renderTable(suite, onlyOracle)).not.toContain("unread answers (%)");
  });

  it("says 0 for a policy in words that never fails", async () => {
    const env = new Env("paper-v1");
    const logs = Array.from({ length: episodes }, (_, unit) => {
      env.reset(firstSeed + unit);
      const log: number[] = [];
      for (let isOver = false; !isOver; ) {
        isOver = env.step(0).truncated;
        log.push(0);
      }
      return log;
    });
    const sound = await run(entry({ logs: new Map([["episodic", logs]]), failures: new Map() }));
    const { metrics, failures } = sound.settings[0].policies[1];
    expect(metrics.parseFailurePercent?.value).toBe(0);
    expect(failures).toBeUndefined();
    expect((await verifyResult(sound)).problems).toEqual([]);
  });

  // biome-ignore lint/suspicious/noExplicitAny: damage takes any shape
  type Damage = (policy: any) => void;
  const at = "/settings/0/policies/1";
  const firstUnread = played.failures.findIndex(({ failure }) => failure === "noDecision");
  const { unit, decision } = played.failures[firstUnread];
  const kinds: [string, Damage, string][] = [
    ["an entry that is missing", (p) => p.failures.splice(firstUnread, 1), `${at}/metrics/parseFailurePercent/value`],
    ["all entries missing", (p) => delete p.failures, `${at}/metrics/invalidActionPercent/value`],
    [
      "a failure of another kind",
      (p) => (p.failures[firstUnread] = { unit, decision, failure: "invalidAction", action: 8 }),
      `${at}/metrics/invalidActionPercent/value`,
    ],
    [
      "a charge that is not the costliest",
      (p) => (p.actions[unit][decision] = (p.actions[unit][decision] + 1) % 7),
      `${at}/actions/${unit}/${decision}`,
    ],
    ["an invalid action that exists", (p) => (p.failures[0].action = 3), `${at}/actions/0/6`],
    ["an invalid action without a number", (p) => delete p.failures[0].action, `${at}/failures/0/action`],
    [
      "an action of an answer that was not read",
      (p) => (p.failures[firstUnread].action = 9),
      `${at}/failures/${firstUnread}/action`,
    ],
    ["entries out of order", (p) => p.failures.reverse(), `${at}/failures/1`],
    ["an entry twice", (p) => p.failures.splice(1, 0, p.failures[0]), `${at}/failures/1`],
    ["an episode that was not played", (p) => (p.failures[0].unit = 3), `${at}/failures/0/unit`],
    ["a decision that was not taken", (p) => (p.failures[0].decision = 99_999), `${at}/failures/0/decision`],
    [
      "unread answers of a policy that names numbers",
      (p) => delete p.policy.answers,
      `${at}/failures/${firstUnread}/failure`,
    ],
    ["failures of a native policy", (p) => (p.policy = { name: "local", kind: "native" }), `${at}/failures`],
    [
      "a native policy in words",
      (p) => (p.policy = { name: "local", kind: "native", answers: "words" }),
      `${at}/policy/answers`,
    ],
  ];
  it.each(kinds)("is not verified with %s", async (_, damage, path) => {
    const damaged = structuredClone(result);
    damage(damaged.settings[0].policies[1]);
    const { problems } = await verifyResult(damaged);
    expect(problems.map((problem) => problem.path)).toContain(path);
  });

  it("is refused before it is written if the log cannot have happened", async () => {
    const refused = async (external: ExternalPolicy) => run(external).catch((error) => error);
    const failures = (list: readonly FailedAnswer[]) => new Map([["episodic", list]]);
    expect(await refused(entry({ isInWords: false }))).toMatchObject({
      path: `bad/episodic/failures/${firstUnread}/failure`,
    });
    expect(await refused(entry({ failures: failures([{ unit: 3, decision: 0, failure: "empty" }]) }))).toMatchObject({
      code: "invalidRecord",
      path: "bad/episodic/failures/0/unit",
    });
    // decision 0 took the device, which is not the costliest action
    expect(await refused(entry({ failures: failures([{ unit: 0, decision: 1, failure: "empty" }]) }))).toMatchObject({
      code: "invalidRecord",
      path: "bad/episodic/0/1",
    });
  });
});

describe("the static protocol", () => {
  it("charges a failed answer as the costliest action too", async () => {
    const table = findSuite("paper-table-2");
    const statics = { ...table, settings: table.settings.slice(0, 1) };
    const settings = { ...frame, policies: ["oracle"] };
    // whatever the costliest actions are: the refusals name them
    const logs = [[0], [0], [0]];
    for (let unit = 0; unit < episodes; unit++) {
      for (let action = 0; action <= 6; action++) {
        logs[unit] = [action];
        const failures = new Map([
          [
            "static",
            Array.from({ length: unit + 1 }, (_, i): FailedAnswer => ({ unit: i, decision: 0, failure: "empty" })),
          ],
        ]);
        const external = [{ name: "silent", isInWords: true, logs: new Map([["static", logs]]), failures }];
        const outcome: Result | { path: string } = await runSuite(statics, { ...settings, external }).catch((e) => e);
        if (!("settings" in outcome)) continue;
        if (unit < episodes - 1) break;
        expect(outcome.settings[0].policies[1].metrics.parseFailurePercent?.value).toBe(100);
        expect((await verifyResult(outcome)).problems).toEqual([]);
        return;
      }
    }
    expect.unreachable();
  }, 60_000);
});
