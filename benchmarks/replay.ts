/** Verifies a result: plays its action logs again in the simulator, and compares the figures. */

import { MecgymError, resolveScenario, scenarioHash } from "../env/index.js";
import type { PolicyResult, Result, SettingResult } from "../schemas/generated/types.js";
import type { JobRunner, Played } from "./jobs.js";
import type { CostSums } from "./metrics.js";
import { withUnits } from "./run-suite.js";
import type { RecordedState } from "./runner.js";
import { findSuite, type Setting } from "./suites.js";

/** What is wrong with a result, and where in it. */
export interface ReplayProblem {
  readonly path: string;
  readonly expected: string;
  readonly got: unknown;
}

export interface ReplayReport {
  readonly suite: string;
  /** What was replayed, a line for each policy of each setting. */
  readonly checked: readonly string[];
  readonly problems: readonly ReplayProblem[];
}

/** Metrics that no log of executed actions tells. */
const NOT_LOGGED: ReadonlySet<string> = new Set(["invalidActionPercent", "parseFailurePercent"]);

/**
 * Replays a result that fits its schema.
 *
 * @throws MecgymError `unknownSuite`
 */
export async function replayResult(
  result: Result,
  runner: JobRunner,
  onProgress: (done: number, total: number, what: string) => void = () => {},
): Promise<ReplayReport> {
  const suite = findSuite(result.suite);
  const checked: string[] = [];
  const problems: ReplayProblem[] = [];
  const total = result.settings.reduce((sum, { policies }) => sum + policies.length, 0);
  for (const [s, setting] of result.settings.entries()) {
    const at = `/settings/${s}`;
    const known = suite.settings.find(({ id }) => id === setting.id);
    if (known === undefined) {
      const expected = `a setting of ${suite.id}: ${suite.settings.map(({ id }) => id).join(", ")}`;
      problems.push({ path: `${at}/id`, expected, got: setting.id });
      continue;
    }
    const hash = scenarioHash(resolveScenario(known.scenario));
    if (hash !== setting.scenario.hash) {
      problems.push({
        path: `${at}/scenario/hash`,
        expected: `${hash}, as the suite has it`,
        got: setting.scenario.hash,
      });
      continue;
    }
    const replay = new SettingReplay(suite.id, known, setting, runner);
    for (const [p, policy] of setting.policies.entries()) {
      const found = await replay.problems(policy);
      problems.push(...found.map((problem) => ({ ...problem, path: `${at}/policies/${p}${problem.path}` })));
      checked.push(`${setting.id}: ${policy.policy.name}, ${policy.actions.length} logs`);
      onProgress(checked.length, total, `${setting.id} ${policy.policy.name}`);
    }
  }
  return { suite: suite.id, checked, problems };
}

/** One setting: what its policies are compared with is played once. */
class SettingReplay {
  readonly #suiteId: string;
  readonly #known: Setting;
  readonly #setting: SettingResult;
  readonly #runner: JobRunner;
  #states: Promise<RecordedState[]> | undefined;
  readonly #costs = new Map<string, Promise<CostSums>>();

  constructor(suiteId: string, known: Setting, setting: SettingResult, runner: JobRunner) {
    this.#suiteId = suiteId;
    this.#known = known;
    this.#setting = setting;
    this.#runner = runner;
  }

  async problems(result: PolicyResult): Promise<ReplayProblem[]> {
    const { first: firstSeed, count } = this.#setting.seeds;
    const { actions } = result;
    if (actions.length !== count) {
      return [{ path: "/actions", expected: `${count} logs, one for each seed`, got: actions.length }];
    }
    const { scenario, protocol, fixedSizeMbit: sizeMbit, reference } = this.#known;
    let played: Played;
    try {
      const states = protocol === "static" ? await this.#visited() : undefined;
      played = await this.#runner.run({ kind: "replay", scenario, firstSeed, actions, states, sizeMbit });
    } catch (error) {
      if (!(error instanceof MecgymError)) throw error;
      return [{ path: `/${error.path}`, expected: error.expected, got: error.got }];
    }
    const figures = await this.#runner.run({
      kind: "figures",
      protocol,
      units: [played.units],
      oracle: await this.#costsOf("oracle"),
      reference: reference === undefined ? null : await this.#costsOf(reference),
      episodeSlots: resolveScenario(scenario).episodeSlots,
      plan: `${this.#suiteId}/${this.#setting.id}`,
    });
    const replayed: Record<string, unknown> = {
      ...withUnits(figures.metrics),
      differenceToOracleSlots: { ...figures.differenceToOracleSlots, unit: "slots" },
      isUnstable: figures.isUnstable,
      actionCounts: [...figures.actionCounts],
    };
    const { metrics, ...others } = result;
    const stated: Record<string, unknown> = { ...metrics, ...others };
    return Object.entries(replayed).flatMap(([name, value]) => {
      if (NOT_LOGGED.has(name) || JSON.stringify(stated[name]) === JSON.stringify(value)) return [];
      const path = name in metrics ? `/metrics/${name}` : `/${name}`;
      return [{ path, expected: `${JSON.stringify(value)}, as the replay gives`, got: stated[name] }];
    });
  }

  #visited(): Promise<RecordedState[]> {
    const { first: firstSeed, count } = this.#setting.seeds;
    this.#states ??= this.#runner.run({ kind: "visit", scenario: this.#known.scenario, firstSeed, count });
    return this.#states;
  }

  /** What a native policy costs on the same seeds. */
  #costsOf(policy: string): Promise<CostSums> {
    const known = this.#costs.get(policy) ?? this.#play(policy);
    this.#costs.set(policy, known);
    return known;
  }

  async #play(policy: string): Promise<CostSums> {
    const { first: firstSeed, count } = this.#setting.seeds;
    const { scenario, protocol, fixedSizeMbit: sizeMbit } = this.#known;
    const played =
      protocol === "static"
        ? await this.#runner.run({ kind: "answer", scenario, policy, states: await this.#visited(), sizeMbit })
        : await this.#runner.run({ kind: "play", scenario, policy, firstSeed, count });
    return played.costs;
  }
}
