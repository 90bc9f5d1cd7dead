/** Runs a suite: plays every setting with every policy, and collects the figures in a result. */

import { checkSeed, MecgymError, scenarioHash } from "../../env/index.js";
import type { Result, SettingResult } from "../../schemas/generated/types.js";
import { InlineRunner } from "../jobs/job-queue.js";
import type { JobRunner } from "../jobs/jobs.js";
import type { CostSums } from "../metrics/metrics.js";
import { type ActionLogs, checkReplayed } from "../play/deciders.js";
import { type FailedAnswer, failedAnswerProblem } from "../play/failed-answers.js";
import { checkCanPlay, findPolicy, policies } from "../policies/index.js";
import { describeFigures, type Part, type PartKey, type PartStore, resultFrame } from "../result-file.js";
import { countsOf, type Setting, type Suite } from "../suites/suites.js";
import { type Entrant, type Outcome, SettingWalk, type Tick } from "./setting-walk.js";

/** A policy that decided elsewhere. Its decisions are replayed, and measured like those of any other policy. */
export interface ExternalPolicy {
  /** Its description in the result; no native policy has its name. */
  readonly name: string;
  readonly parameters?: Readonly<Record<string, number | string>>;
  /** Its actions by the id of the setting: a list for each episode or state. */
  readonly logs: ReadonlyMap<string, ActionLogs>;
  /** Whether it answers in words, as language models do. */
  readonly isInWords?: boolean;
  /** By the id of the setting: its answers that the logs have charged as the costliest action; none if left out. */
  readonly failures?: ReadonlyMap<string, readonly FailedAnswer[]>;
}

export interface RunOptions {
  /** Names of native policies. */
  readonly policies: readonly string[];
  /** Policies that follow the native ones in the result. */
  readonly external?: readonly ExternalPolicy[];
  /** Episodes, or states of the static protocol; the suite's own numbers if left out. */
  readonly episodes?: number;
  /** First episode seed. */
  readonly firstSeed: number;
  /** What the result says about the program that made it. */
  readonly packageVersion: string;
  readonly runtime: Result["runtime"];
  /** Does the work; this thread does if left out. The result does not depend on it. */
  readonly runner?: JobRunner;
  readonly store?: PartStore;
  /** Called with the work that is done so far. The first call includes the parts that are kept. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/**
 * Plays a suite.
 *
 * @throws MecgymError `unknownPolicy`, `invalidOption`, `invalidSeed` before anything is played; `invalidRecord` for
 *   a log of an external policy that cannot be replayed
 */
export async function runSuite(suite: Suite, options: RunOptions): Promise<Result> {
  const names = [...new Set(options.policies)];
  for (const name of names) {
    findPolicy(name);
    for (const { protocol } of suite.settings) checkCanPlay(name, protocol);
  }
  const counts = countsOf(suite, options.episodes);
  checkExternal(suite, counts, options.external ?? []);
  checkSeed(options.firstSeed, "seed");
  checkSeed(options.firstSeed + Math.max(...counts) - 1, "last seed");
  const runner = options.runner ?? new InlineRunner();
  const runs = suite.settings.map((setting, i) => new SettingRun(suite, setting, counts[i], names, options, runner));
  const total = runs.reduce((sum, run) => sum + run.work, 0);
  let done = runs.reduce((sum, run) => sum + run.keptWork, 0);
  options.onProgress?.(done, total, suite.id);
  const tick = (what: string, amount: number) => {
    done += amount;
    options.onProgress?.(done, total, what);
  };
  // all settings at once: the runner takes their jobs in order, so no thread waits for the end of a setting
  const settings = await Promise.all(runs.map((run) => run.play(tick)));
  return { ...resultFrame(suite.id, options), settings };
}

/** Every external policy needs a unique name, and a list for each episode or state of every setting. */
function checkExternal(suite: Suite, counts: readonly number[], external: readonly ExternalPolicy[]): void {
  for (const [i, { name, logs, failures, isInWords }] of external.entries()) {
    const isTaken = external.findIndex((other) => other.name === name) < i;
    if (isTaken || policies.some((native) => native.name === name.split(":")[0])) {
      const expected = "a name that no other policy of the run and no native policy has";
      throw new MecgymError("invalidOption", { path: `/external/${i}/name`, expected, got: name });
    }
    for (const [j, { id }] of suite.settings.entries()) {
      const lists = logs.get(id) ?? [];
      const path = `${name}/${id}`;
      if (lists.length !== counts[j]) {
        const expected = `${counts[j]} lists of actions, one for each seed of ${id}`;
        throw new MecgymError("invalidRecord", { path, expected, got: lists.length });
      }
      const failed = failures?.get(id) ?? [];
      const unread = failed.findIndex(({ failure }) => failure !== "invalidAction");
      if (unread >= 0 && !isInWords) {
        const expected = "invalidAction, for a policy that does not answer in words";
        const { failure: got } = failed[unread];
        throw new MecgymError("invalidRecord", { path: `${path}/failures/${unread}/failure`, expected, got });
      }
      const problem = failedAnswerProblem(failed, lists);
      if (problem === undefined) continue;
      const { index, field, ...what } = problem;
      throw new MecgymError("invalidRecord", { path: `${path}/failures/${index}${field}`, ...what });
    }
  }
}

/** One setting of a run: the parts that are kept, and the work that is left. */
class SettingRun {
  readonly #suite: Suite;
  readonly #count: number;
  /** Names in the result. */
  readonly #names: readonly string[];
  readonly #external: ReadonlyMap<string, ExternalPolicy>;
  readonly #options: RunOptions;
  readonly #walk: SettingWalk;
  readonly #parts = new Map<string, Part>();
  /** Entrants without a kept part. */
  readonly #left: readonly Entrant[];
  /** All work, and the part of it that is kept. */
  readonly work: number;
  readonly keptWork: number;

  constructor(
    suite: Suite,
    setting: Setting,
    count: number,
    names: readonly string[],
    options: RunOptions,
    runner: JobRunner,
  ) {
    this.#suite = suite;
    this.#count = count;
    this.#external = new Map((options.external ?? []).map((policy) => [policy.name, policy]));
    this.#names = [...names, ...this.#external.keys()];
    this.#options = options;
    this.#walk = new SettingWalk(suite.id, setting, { first: options.firstSeed, count }, runner);
    // the baselines are played in every run, and first, because the others are compared with them
    const entrants = [...new Set([...this.#walk.baselines, ...this.#names])].map((name): Entrant => {
      const external = this.#external.get(name);
      const logs = external?.logs.get(setting.id);
      if (external === undefined || logs === undefined) return { name };
      return { name, logs, failures: external.failures?.get(setting.id), isInWords: external.isInWords ?? false };
    });
    for (const { name, logs } of entrants) {
      // the name of an external policy does not say what it did
      const part = logs === undefined ? options.store?.load(this.#key(name)) : undefined;
      if (part !== undefined) this.#parts.set(name, part);
    }
    this.#left = entrants.filter(({ name }) => !this.#parts.has(name));
    this.work = this.#walk.workOf(entrants);
    this.keptWork = this.work - this.#walk.workOf(this.#left, this.#knownCosts());
  }

  #knownCosts(): Map<string, CostSums> {
    const known = [...this.#parts].map(([name, { costs }]): [string, CostSums] => [
      name,
      { costSlots: Float64Array.from(costs.costSlots), decisions: Float64Array.from(costs.decisions) },
    ]);
    return new Map(known);
  }

  #key(policy: string): PartKey {
    const { id, protocol, fixedSizeMbit, reference } = this.#walk.setting;
    return {
      suite: this.#suite.id,
      setting: id,
      policy,
      reference: reference ?? null,
      protocol,
      scenarioHash: scenarioHash(this.#walk.scenario),
      fixedSizeMbit: fixedSizeMbit ?? null,
      firstSeed: this.#options.firstSeed,
      count: this.#count,
    };
  }

  async play(tick: Tick): Promise<SettingResult> {
    const onOutcome = (entrant: Entrant, outcome: Outcome) => this.#keep(entrant, outcome);
    await this.#walk.play(this.#left, { tick, known: this.#knownCosts(), onOutcome });
    const { setting, scenario } = this.#walk;
    const { id, protocol, fixedSizeMbit, reference } = setting;
    return {
      id,
      protocol,
      scenario: {
        id: scenario.id,
        hash: scenarioHash(scenario),
        // a frozen scenario is known everywhere; one's own is not
        ...(typeof setting.scenario === "string" ? {} : { fields: scenario }),
      },
      episodeSlots: scenario.episodeSlots,
      ...(fixedSizeMbit === undefined ? {} : { fixedSizeMbit }),
      ...(reference === undefined ? {} : { referencePolicy: reference }),
      seeds: { first: this.#options.firstSeed, count: this.#count },
      policies: this.#names.map((name) => (this.#parts.get(name) as Part).result),
    };
  }

  #keep({ name }: Entrant, outcome: Outcome): void {
    const { figures, costs } = checkReplayed(outcome, (unit) => `${name}/${this.#walk.setting.id}/${unit}`);
    const external = this.#external.get(name);
    const native = external === undefined ? findPolicy(name) : undefined;
    const parameters = native === undefined ? external?.parameters : native.parameters?.(this.#walk.scenario);
    const kind = native === undefined ? "external" : "native";
    const answers = external?.isInWords ? ({ answers: "words" } as const) : {};
    const failures = external?.failures?.get(this.#walk.setting.id) ?? [];
    const part: Part = {
      result: {
        policy: { name, kind, ...answers, ...(parameters === undefined ? {} : { parameters }) },
        ...describeFigures(figures),
        ...(failures.length === 0 ? {} : { failures: [...failures] }),
      },
      costs: { costSlots: Array.from(costs.costSlots), decisions: Array.from(costs.decisions) },
    };
    this.#parts.set(name, part);
    if (native !== undefined) this.#options.store?.save(this.#key(name), part);
  }
}
