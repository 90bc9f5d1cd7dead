/** Checks an entry for the leaderboard: its own fields and its result files, without replaying them. */

import { createHash } from "node:crypto";
import { maxServersOf, resolveScenario, scenarioHash, splits } from "../../env/index.js";
import { parseJson } from "../../env/json.js";
import type { PolicyResult, Result, SettingResult, Submission } from "../../schemas/generated/types.js";
import { findProblem, type SchemaName } from "../../schemas/validate.js";
import { failedAnswerProblem } from "../play/failed-answers.js";
import { countsOf, type Suite, suites } from "../suites/suites.js";

/** A problem and its place. */
export interface SubmissionProblem {
  readonly file: string;
  /** JSON path within the file; empty for the whole. */
  readonly path: string;
  readonly expected: string;
  readonly got: unknown;
}

export interface SubmissionReport {
  readonly file: string;
  readonly problems: readonly SubmissionProblem[];
  /** What was checked, a line for each file. */
  readonly checked: readonly string[];
  /** What was not checked. */
  readonly notChecked: readonly string[];
}

type Report = (path: string, expected: string, got: unknown) => void;

/**
 * Checks a submission as the leaderboard does before it replays it.
 *
 * @param file name of the submission, for reports
 * @param text its content
 * @param read returns the bytes of a result file by its path from the submission's folder; throws if it cannot be read
 */
export function checkSubmission(file: string, text: string, read: (path: string) => Uint8Array): SubmissionReport {
  const problems: SubmissionProblem[] = [];
  const checked: string[] = [];
  const reportOf =
    (name: string): Report =>
    (path, expected, got) => {
      problems.push({ file: name, path, expected, got });
    };
  const submission = readValid<Submission>("submission", text, reportOf(file));
  if (submission !== undefined) {
    checked.push(`${file}: schema submission ${submission.schemaVersion}, seeds, model`);
    checkTraining(submission, reportOf(file));
    const suiteIds = submission.results.map(({ file: path, sha256 }, i) => {
      const at = `/results/${i}`;
      if (submission.results.findIndex((other) => other.file === path) < i) {
        reportOf(file)(`${at}/file`, "another file for each result", path);
      }
      let bytes: Uint8Array;
      try {
        bytes = read(path);
      } catch (error) {
        reportOf(file)(`${at}/file`, `a file to read (${error instanceof Error ? error.message : error})`, path);
        return undefined;
      }
      const hash = createHash("sha256").update(bytes).digest("hex");
      if (hash !== sha256) reportOf(file)(`${at}/sha256`, `${hash}, the SHA-256 of ${path}`, sha256);
      const result = readValid<Result>("result", new TextDecoder().decode(bytes), reportOf(path));
      if (result === undefined) return undefined;
      checkResult(result, submission.policy.name, reportOf(path));
      const { schemaVersion, suite, settings } = result;
      const log = `action log of ${submission.policy.name}`;
      checked.push(
        `${path}: SHA-256, schema result ${schemaVersion}, suite ${suite}, ${settings.length} settings, seeds, ${log}`,
      );
      return result.suite;
    });
    suiteIds.forEach((suite, i) => {
      const isAgain = suite !== undefined && suiteIds.indexOf(suite) < i;
      if (isAgain) reportOf(file)(`/results/${i}/file`, `one result for each suite, ${suite} has another`, suite);
    });
  }
  return { file, problems, checked, notChecked: [REPLAY, STATEMENTS] };
}

const REPLAY = "the figures: the action logs were read, not replayed in the simulator";
const STATEMENTS = "what the submitter states: training, use of test seeds, links";

/** The value of a JSON file that fits its schema; otherwise undefined, and a report. */
function readValid<T>(schema: SchemaName, text: string, report: Report): T | undefined {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    report("", `one JSON object (${(error as Error).message})`, text.slice(0, 200));
    return undefined;
  }
  const problem = findProblem(schema, value);
  if (problem === undefined) return value as T;
  report(problem.path, problem.expected, problem.got);
  return undefined;
}

/** What the schema cannot check: seeds are in their split, and a language model is named. */
function checkTraining({ policy, training }: Submission, report: Report): void {
  if (policy.kind === "language-model" && policy.model === undefined) {
    report("/policy/model", "a model, for kind language-model", undefined);
  }
  for (const [i, { split, first, count }] of training.seeds.entries()) {
    const { start, size } = splits[split];
    if (first >= start && first + count <= start + size) continue;
    report(
      `/training/seeds/${i}`,
      `seeds of split ${split}, ${start} to ${start + size - 1}`,
      `${first} to ${first + count - 1}`,
    );
  }
  if (training.runs > 0 && training.seeds.length === 0) {
    report("/training/seeds", "the seeds that training or tuning used, because runs is above 0", training.seeds);
  }
}

/** A result must hold its suite as this version knows it, on the suite's own test seeds, with the policy everywhere. */
function checkResult(result: Result, policyName: string, report: Report): void {
  const suite = suites.find(({ id }) => id === result.suite);
  if (suite === undefined) {
    report("/suite", `one of ${suites.map(({ id }) => id).join(", ")}`, result.suite);
    return;
  }
  const wanted = suite.settings.map(({ id }) => id).join(", ");
  const got = result.settings.map(({ id }) => id).join(", ");
  if (wanted !== got) {
    report("/settings", `the settings of ${suite.id}: ${wanted}`, got);
    return;
  }
  const counts = countsOf(suite, undefined);
  for (const [i, setting] of result.settings.entries()) {
    const at = `/settings/${i}`;
    checkSetting(setting, suite.settings[i], counts[i], (path, ...rest) => report(`${at}${path}`, ...rest));
    const p = setting.policies.findIndex(({ policy }) => policy.name === policyName);
    if (p < 0) {
      const names = setting.policies.map(({ policy }) => policy.name);
      report(`${at}/policies`, `the policy ${policyName}`, names);
    } else {
      const most = maxServersOf(resolveScenario(suite.settings[i].scenario));
      checkLog(setting, most, setting.policies[p], (path, ...rest) => report(`${at}/policies/${p}${path}`, ...rest));
    }
  }
}

function checkSetting(setting: SettingResult, known: Suite["settings"][number], count: number, report: Report): void {
  const scenario = resolveScenario(known.scenario);
  const fields: [path: string, expected: unknown, got: unknown][] = [
    ["/protocol", known.protocol, setting.protocol],
    ["/scenario/id", scenario.id, setting.scenario.id],
    ["/scenario/hash", scenarioHash(scenario), setting.scenario.hash],
    ["/fixedSizeMbit", known.fixedSizeMbit, setting.fixedSizeMbit],
    ["/seeds/first", splits.test.start, setting.seeds.first],
    ["/seeds/count", count, setting.seeds.count],
  ];
  for (const [path, expected, got] of fields) {
    if (expected !== got) report(path, `${expected ?? "nothing"}, as the suite has it`, got);
  }
}

/** A log must agree with the counts: a list for each seed, one action for a state, and only servers that exist. */
function checkLog({ protocol, seeds }: SettingResult, numServers: number, result: PolicyResult, report: Report): void {
  const { actions, actionCounts, failures = [] } = result;
  if (actions.length !== seeds.count) {
    report("/actions", `${seeds.count} lists, one for each seed`, actions.length);
  }
  // the first is enough: a log of something else has thousands
  const wrongState = protocol === "static" ? actions.findIndex((log) => log.length !== 1) : -1;
  if (wrongState >= 0) report(`/actions/${wrongState}`, "one action for a state", actions[wrongState].length);
  const isAbsent = (action: number) => action > numServers;
  const absent = actions.findIndex((log) => log.some(isAbsent));
  if (absent >= 0) {
    const j = actions[absent].findIndex(isAbsent);
    report(`/actions/${absent}/${j}`, `an action from 0 to ${numServers}`, actions[absent][j]);
  }
  const problem = failedAnswerProblem(failures, actions);
  if (problem !== undefined) report(`/failures/${problem.index}${problem.field}`, problem.expected, problem.got);
  const counts: number[] = [];
  for (const log of actions) for (const action of log) counts[action] = (counts[action] ?? 0) + 1;
  const length = Math.max(counts.length, actionCounts.length);
  for (let action = 0; action < length; action++) {
    const [inLog, counted] = [counts[action] ?? 0, actionCounts[action] ?? 0];
    if (inLog !== counted) report(`/actionCounts/${action}`, `${inLog}, as the log has it`, counted);
  }
}
