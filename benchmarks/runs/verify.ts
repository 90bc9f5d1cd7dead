/** Verifies a result: replays its action logs, computes every figure again, and compares to the last bit. */

import { coreSha256, MecgymError } from "../../env/index.js";
import type { PolicyResult, Result } from "../../schemas/generated/types.js";
import { InlineRunner } from "../jobs/job-queue.js";
import type { JobRunner } from "../jobs/jobs.js";
import { describeFigures } from "../result-file.js";
import { type Setting, type Suite, suiteOfResult } from "../suites/suites.js";
import { type Difference, differences } from "./differences.js";
import { frameProblems } from "./frame-problems.js";
import { type Entrant, type Outcome, SettingWalk } from "./setting-walk.js";

export interface VerifyReport {
  readonly suite: string;
  /** A line for each log that was replayed. */
  readonly checked: readonly string[];
  /** Set if the result was made with another core than this one: the figures agree all the same, or they do not. */
  readonly note?: string;
  /** In the order of the file; empty for a verified result. */
  readonly problems: readonly Difference[];
}

export interface VerifyOptions {
  /** Does the work; this thread does if left out. The report does not depend on it. */
  readonly runner?: JobRunner;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/** Verifies a result that fits its schema. */
export async function verifyResult(result: Result, options: VerifyOptions = {}): Promise<VerifyReport> {
  let suite: Suite;
  try {
    suite = suiteOfResult(result);
  } catch (error) {
    if (!(error instanceof MecgymError)) throw error;
    const { path, expected, got } = error;
    const problem = { path: path === "suite" ? "/suite" : path, expected, got: got ?? null };
    return { suite: result.suite, checked: [], problems: [problem] };
  }
  const problems = frameProblems(suite, result);
  // these determine what is played: if they are wrong, every figure would be wrong
  if (problems.length > 0) return { suite: suite.id, checked: [], problems };
  const runner = options.runner ?? new InlineRunner();
  const replays = result.settings.map(({ id, seeds, policies }) => {
    const setting = suite.settings.find((known) => known.id === id) as Setting;
    const walk = new SettingWalk(suite.id, setting, seeds, runner);
    return { walk, entrants: policies.map(entrantOf) };
  });
  const total = replays.reduce((sum, { walk, entrants }) => sum + walk.workOf(entrants), 0);
  let done = 0;
  options.onProgress?.(0, total, suite.id);
  const tick = (what: string, amount: number) => {
    done += amount;
    options.onProgress?.(done, total, what);
  };
  const outcomes = await Promise.all(replays.map(({ walk, entrants }) => walk.play(entrants, { tick })));
  const found = result.settings.flatMap(({ policies }, i) =>
    policies.flatMap((policy, p) =>
      compare(result.schemaVersion, policy, outcomes[i][p], `/settings/${i}/policies/${p}`),
    ),
  );
  return {
    suite: suite.id,
    checked: result.settings.flatMap(({ id, protocol, policies, seeds }) =>
      policies.map(
        ({ policy }) => `${id} ${policy.name}: ${seeds.count} ${protocol === "static" ? "states" : "episodes"}`,
      ),
    ),
    problems: found,
    ...noteOf(result),
  };
}

function noteOf({ coreSha256: made }: Result): Pick<VerifyReport, "note"> {
  if (made === undefined || made === coreSha256) return {};
  return { note: `made with the core ${made.slice(0, 12)}, replayed with ${coreSha256.slice(0, 12)}` };
}

function entrantOf({ policy: { name, answers }, actions, failures }: PolicyResult): Entrant {
  return { name, logs: actions, failures, isInWords: answers === "words" };
}

/** The differences between a policy's figures in the file and those that its log gives. */
function compare(schemaVersion: string, inFile: PolicyResult, outcome: Outcome, at: string): Difference[] {
  if ("fault" in outcome) {
    const { unit, decision, expected, got } = outcome.fault;
    return [{ path: `${at}/actions/${unit}${decision === null ? "" : `/${decision}`}`, expected, got }];
  }
  // the replay has taken every action from the file
  const { policy: _policy, actions: _inFile, failures: _failures, ...got } = inFile;
  const { actions: _replayed, ...expected } = describeFigures(outcome.figures);
  return differences(schemaVersion === "1.0" ? as10(expected, got) : expected, got, at);
}

type Compared = Omit<PolicyResult, "policy" | "actions" | "failures">;

/** The figures without those that version 1.1 added and the file does not have: version 1.0 could leave them out. */
function as10({ isUnstable, metrics, ...others }: Compared, got: Compared): object {
  const added = ["foresight", "collapsedEpisodePercent"];
  const kept = Object.entries(metrics).filter(([name]) => !added.includes(name) || name in got.metrics);
  return { metrics: Object.fromEntries(kept), ...("isUnstable" in got ? { isUnstable } : {}), ...others };
}
