/** Compares what a result says it played with its suite: all checks that need no replay. */

import { checkSeed, MecgymError, resolveScenario, type Scenario, scenarioHash } from "../../env/index.js";
import type { FailedAnswer, PolicyResult, Result, SettingResult } from "../../schemas/generated/types.js";
import { NUM_RESAMPLES } from "../metrics/statistics.js";
import { failedAnswerProblem } from "../play/failed-answers.js";
import { findPolicy } from "../policies/index.js";
import type { Suite } from "../suites/suites.js";
import { type Difference, differences } from "./differences.js";

/** The differences between what a result says it played and its suite. */
export function frameProblems(suite: Suite, result: Result): Difference[] {
  const problems: Difference[] = [];
  const compare = (path: string, expected: unknown, got: unknown, why: string) => {
    if (expected !== got) problems.push({ path, expected: `${expected ?? "nothing"}, ${why}`, got: got ?? null });
  };
  compare("/resamples", NUM_RESAMPLES, result.resamples, "behind every interval");
  const names = namesOf(result.settings[0]);
  for (const [i, setting] of result.settings.entries()) {
    const at = `/settings/${i}`;
    const known = suite.settings.find(({ id }) => id === setting.id);
    if (known === undefined || result.settings.findIndex(({ id }) => id === setting.id) < i) {
      const expected = `settings of ${suite.id}, each once: ${suite.settings.map(({ id }) => id).join(", ")}`;
      problems.push({ path: `${at}/id`, expected, got: setting.id });
      continue;
    }
    const scenario = resolveScenario(known.scenario);
    const isOld = result.schemaVersion === "1.0";
    compare(`${at}/protocol`, known.protocol, setting.protocol, "as the suite has it");
    compare(`${at}/scenario/id`, scenario.id, setting.scenario.id, "as the suite has it");
    compare(`${at}/scenario/hash`, scenarioHash(scenario), setting.scenario.hash, `the hash of ${scenario.id}`);
    if (!isOld || setting.episodeSlots !== undefined) {
      compare(`${at}/episodeSlots`, scenario.episodeSlots, setting.episodeSlots, "as the scenario has it");
    }
    compare(`${at}/fixedSizeMbit`, known.fixedSizeMbit, setting.fixedSizeMbit, "as the suite has it");
    if (!isOld) compare(`${at}/referencePolicy`, known.reference, setting.referencePolicy, "as the suite has it");
    checkPolicies(setting, scenario, names, at, problems);
    checkSeeds(setting, at, problems);
  }
  return problems;
}

const namesOf = ({ policies }: SettingResult) => policies.map(({ policy }) => policy.name).join(", ");

/** A run plays every setting with the same policies, and native policies have the parameters of this version. */
function checkPolicies(setting: SettingResult, scenario: Scenario, names: string, at: string, problems: Difference[]) {
  if (namesOf(setting) !== names) {
    problems.push({
      path: `${at}/policies`,
      expected: `the policies ${names}, as in the first setting`,
      got: namesOf(setting),
    });
  }
  for (const [p, { policy, actions, failures = [] }] of setting.policies.entries()) {
    const path = `${at}/policies/${p}`;
    if (setting.policies.findIndex((other) => other.policy.name === policy.name) < p) {
      problems.push({ path: `${path}/policy/name`, expected: "each policy once", got: policy.name });
    }
    if (policy.kind === "native") {
      const parameters = nativeParameters(policy.name, scenario);
      if (parameters === undefined) {
        problems.push({ path: `${path}/policy/name`, expected: "a native policy of this version", got: policy.name });
      } else problems.push(...differences(parameters, policy.parameters ?? {}, `${path}/policy/parameters`));
    }
    if (actions.length !== setting.seeds.count) {
      const expected = `${setting.seeds.count} lists, one for each seed`;
      problems.push({ path: `${path}/actions`, expected, got: actions.length });
    }
    problems.push(...failureProblems(policy, failures, actions, path));
  }
}

/** Answers fail only if they come from outside, and in words only if the policy answers in words. */
function failureProblems(
  policy: PolicyResult["policy"],
  failures: readonly FailedAnswer[],
  actions: PolicyResult["actions"],
  path: string,
): Difference[] {
  if (policy.kind === "native") {
    if (policy.answers === "words") {
      return [{ path: `${path}/policy/answers`, expected: "numbers, for a native policy", got: policy.answers }];
    }
    if (failures.length === 0) return [];
    return [{ path: `${path}/failures`, expected: "none, for a native policy", got: failures.length }];
  }
  const unread = failures.findIndex(({ failure }) => failure !== "invalidAction");
  if (unread >= 0 && policy.answers !== "words") {
    const expected = "invalidAction, for a policy that does not answer in words";
    return [{ path: `${path}/failures/${unread}/failure`, expected, got: failures[unread].failure }];
  }
  const problem = failedAnswerProblem(failures, actions);
  if (problem === undefined) return [];
  const { index, field, expected, got } = problem;
  return [{ path: `${path}/failures/${index}${field}`, expected, got }];
}

function nativeParameters(name: string, scenario: Scenario): object | undefined {
  try {
    return findPolicy(name).parameters?.(scenario) ?? {};
  } catch (error) {
    if (error instanceof MecgymError) return undefined;
    throw error;
  }
}

function checkSeeds({ seeds: { first, count } }: SettingResult, at: string, problems: Difference[]): void {
  try {
    checkSeed(first + count - 1, "");
  } catch (error) {
    if (!(error instanceof MecgymError)) throw error;
    problems.push({ path: `${at}/seeds/first`, expected: error.expected, got: first });
  }
}
