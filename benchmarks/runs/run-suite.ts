/** Runs a suite: plays every setting with every policy, and puts the figures into a result. */

import { checkSeed, MecgymError, maxUsersOf, resolveScenario, type Scenario, scenarioHash } from "../../env/index.js";
import type { PolicyResult, Result, SettingResult } from "../../schemas/generated/types.js";
import { type Figures, InlineRunner, type JobRunner, type Played } from "../jobs/jobs.js";
import { type CostSums, type Metrics, metricUnits } from "../metrics/metrics.js";
import { type Estimate, NUM_RESAMPLES } from "../metrics/statistics.js";
import { type ActionLogs, checkReplayed } from "../play/replay.js";
import type { RecordedState } from "../play/runner.js";
import { checkCanPlay, findPolicy, policies } from "../policies/index.js";
import { DEFAULT_EPISODES, type Setting, type Suite } from "../suites/suites.js";

/** What makes a part of a run what it is: two parts with the same key are the same. */
export interface PartKey {
  readonly suite: string;
  readonly setting: string;
  readonly policy: string;
  /** Policy that foresight is measured by. */
  readonly reference: string | null;
  readonly protocol: string;
  readonly scenarioHash: string;
  readonly fixedSizeMbit: number | null;
  readonly firstSeed: number;
  readonly count: number;
}

/** One policy in one setting: what the result says of it, and what other policies are compared with. */
export interface Part {
  readonly result: PolicyResult;
  readonly costs: { readonly costSlots: readonly number[]; readonly decisions: readonly number[] };
}

/** Where finished parts are kept, so that a run that was broken off can go on. */
export interface PartStore<K = PartKey, P = Part> {
  load(key: K): P | undefined;
  save(key: K, part: P): void;
}

/** A policy that decided elsewhere: its decisions are played again, and measured as those of any other policy. */
export interface ExternalPolicy {
  /** Its description in the result; no native policy has its name. */
  readonly name: string;
  readonly parameters?: Readonly<Record<string, number | string>>;
  /** What it did in each setting, by the setting's id: a list for each episode or state. */
  readonly logs: ReadonlyMap<string, ActionLogs>;
}

export interface RunOptions {
  /** Names of native policies. */
  readonly policies: readonly string[];
  /** Others, behind them; none where left out. */
  readonly external?: readonly ExternalPolicy[];
  /** Episodes, or states of the static protocol; the suite's own numbers where left out. */
  readonly episodes?: number;
  /** First episode seed. */
  readonly firstSeed: number;
  /** What the result says of the program that made it. */
  readonly packageVersion: string;
  readonly runtime: Result["runtime"];
  /** Who does the work; this thread where left out. The result does not depend on it. */
  readonly runner?: JobRunner;
  readonly store?: PartStore;
  /** Told how much of the work is done, of `total`; what was kept is in the first report. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/** Everything of a result but its settings. */
export function resultFrame(suite: Suite, options: RunOptions): Omit<Result, "settings"> {
  return {
    schemaVersion: "1.2",
    suite: suite.id,
    profile: "paper",
    packageVersion: options.packageVersion,
    runtime: options.runtime,
    resamples: NUM_RESAMPLES,
  };
}

/** Episodes or states that each setting of a suite plays. */
export function countsOf(suite: Suite, episodes: number | undefined): number[] {
  return suite.settings.map((setting) => episodes ?? setting.episodes ?? DEFAULT_EPISODES[setting.protocol]);
}

/**
 * Plays a suite.
 *
 * @throws MecgymError `unknownPolicy`, `invalidSeed`, before anything is played; `invalidRecord` for an external policy's
 *   log that cannot be what happened
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
  // all settings at once: the runner takes their jobs in order, and no thread waits for the end of a setting
  const settings = await Promise.all(runs.map((run) => run.play(tick)));
  return { ...resultFrame(suite, options), settings };
}

/** Every external policy has a name of its own, and a list for each episode or state of every setting. */
function checkExternal(suite: Suite, counts: readonly number[], external: readonly ExternalPolicy[]): void {
  for (const [i, { name, logs }] of external.entries()) {
    const isTaken = external.findIndex((other) => other.name === name) < i;
    if (isTaken || policies.some((native) => native.name === name.split(":")[0])) {
      const expected = "a name that no other policy of the run and no native policy has";
      throw new MecgymError("invalidOption", { path: `/external/${i}/name`, expected, got: name });
    }
    for (const [j, { id }] of suite.settings.entries()) {
      const got = logs.get(id)?.length ?? 0;
      if (got === counts[j]) continue;
      const expected = `${counts[j]} lists of actions, one for each seed of ${id}`;
      throw new MecgymError("invalidRecord", { path: `${name}/${id}`, expected, got });
    }
  }
}

type Tick = (what: string, amount: number) => void;

/** Slots that one job of playing covers, about: short enough for a bar to move, long against the cost of a message. */
const SLOTS_PER_JOB = 2000;

/** Episodes that one job plays. */
export function episodesPerJob(scenario: Scenario): number {
  return Math.min(50, Math.max(1, Math.floor(SLOTS_PER_JOB / scenario.episodeSlots)));
}

/** States of the static protocol that one job finds. */
export const STATES_PER_JOB = 20;

/** One setting of a run: the parts that are kept, and the work that is left. */
class SettingRun {
  readonly #suite: Suite;
  readonly #setting: Setting;
  readonly #scenario: Scenario;
  readonly #count: number;
  readonly #names: readonly string[];
  readonly #external: ReadonlyMap<string, ExternalPolicy>;
  readonly #options: RunOptions;
  readonly #runner: JobRunner;
  readonly #kept = new Map<string, Part>();
  /** Decisions of one policy, about. */
  readonly #size: number;
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
    this.#setting = setting;
    this.#scenario = resolveScenario(setting.scenario);
    this.#count = count;
    this.#external = new Map((options.external ?? []).map((policy) => [policy.name, policy]));
    this.#names = [...names, ...this.#external.keys()];
    this.#options = options;
    this.#runner = runner;
    const played = this.#played();
    for (const name of played) {
      // a name says nothing of what an external policy did
      if (this.#external.has(name)) continue;
      const part = options.store?.load(this.#key(name));
      if (part !== undefined) this.#kept.set(name, part);
    }
    this.#size = count * this.#scenario.episodeSlots * maxUsersOf(this.#scenario);
    this.work = this.#visitWork + played.length * this.#partWork;
    const isVisited = this.#kept.size === played.length;
    this.keptWork = this.#kept.size * this.#partWork + (isVisited ? this.#visitWork : 0);
  }

  /** Finding a state plays its episode once and part of it again. */
  get #visitWork(): number {
    return this.#setting.protocol === "static" ? 2 * this.#size : 0;
  }

  /** Playing takes about as long as the figures; an answer to a state is one decision. */
  get #partWork(): number {
    return this.#setting.protocol === "static" ? 2 * this.#count : 2 * this.#size;
  }

  /** The oracle and the reference are always played, and first: the others are compared with them. */
  #played(): string[] {
    const { reference } = this.#setting;
    return [...new Set(["oracle", ...(reference === undefined ? [] : [reference]), ...this.#names])];
  }

  #key(policy: string): PartKey {
    const { id, protocol, fixedSizeMbit, reference } = this.#setting;
    return {
      suite: this.#suite.id,
      setting: id,
      policy,
      reference: reference ?? null,
      protocol,
      scenarioHash: scenarioHash(this.#scenario),
      fixedSizeMbit: fixedSizeMbit ?? null,
      firstSeed: this.#options.firstSeed,
      count: this.#count,
    };
  }

  async play(tick: Tick): Promise<SettingResult> {
    const parts = await (this.#setting.protocol === "static" ? this.#playStatic(tick) : this.#playEpisodes(tick));
    const { id, protocol, fixedSizeMbit, reference } = this.#setting;
    return {
      id,
      protocol,
      scenario: { id: this.#scenario.id, hash: scenarioHash(this.#scenario) },
      episodeSlots: this.#scenario.episodeSlots,
      ...(fixedSizeMbit === undefined ? {} : { fixedSizeMbit }),
      ...(reference === undefined ? {} : { referencePolicy: reference }),
      seeds: { first: this.#options.firstSeed, count: this.#count },
      policies: this.#names.map((name) => (parts.get(name) as Part).result),
    };
  }

  #playEpisodes(tick: Tick): Promise<Map<string, Part>> {
    return this.#parts(tick, async (policy) => {
      return this.#inSteps(
        episodesPerJob(this.#scenario),
        `${this.#setting.id} ${policy}`,
        tick,
        this.#partWork / 2,
        (firstSeed, count) =>
          this.#external.has(policy)
            ? this.#replay(policy, firstSeed, count, null)
            : this.#runner.run({ kind: "play", scenario: this.#setting.scenario, policy, firstSeed, count }),
      );
    });
  }

  async #playStatic(tick: Tick): Promise<Map<string, Part>> {
    const isWhole = this.#played().every((name) => this.#kept.has(name));
    const visit = async (firstSeed: number, count: number) =>
      this.#runner.run({ kind: "visit", scenario: this.#setting.scenario, firstSeed, count });
    const states = isWhole
      ? []
      : (await this.#inSteps(STATES_PER_JOB, this.#setting.id, tick, this.#visitWork, visit)).flat();
    return this.#parts(tick, async (policy) => {
      const { scenario, fixedSizeMbit: sizeMbit } = this.#setting;
      const played = this.#external.has(policy)
        ? await this.#replay(policy, this.#options.firstSeed, this.#count, states)
        : await this.#runner.run({ kind: "answer", scenario, policy, states, sizeMbit });
      tick(`${this.#setting.id} ${policy}`, this.#partWork / 2);
      return [played];
    });
  }

  /** Plays what an external policy did, on some of the seeds. */
  async #replay(
    policy: string,
    firstSeed: number,
    count: number,
    states: readonly RecordedState[] | null,
  ): Promise<Played> {
    const { id, scenario, fixedSizeMbit: sizeMbit } = this.#setting;
    const start = firstSeed - this.#options.firstSeed;
    const { logs: allLogs } = this.#external.get(policy) as ExternalPolicy;
    const logs = (allLogs.get(id) as ActionLogs).slice(start, start + count);
    const replayed = await this.#runner.run({ kind: "replay", scenario, firstSeed, states, sizeMbit, logs });
    return checkReplayed(replayed, (unit) => `${policy}/${id}/${start + unit}`);
  }

  /** Covers the seeds in steps; tells of `work` by and by. */
  #inSteps<T>(
    step: number,
    what: string,
    tick: Tick,
    work: number,
    run: (firstSeed: number, count: number) => Promise<T>,
  ): Promise<T[]> {
    const starts = Array.from({ length: Math.ceil(this.#count / step) }, (_, i) => i * step);
    return Promise.all(
      starts.map(async (start) => {
        const count = Math.min(step, this.#count - start);
        const result = await run(this.#options.firstSeed + start, count);
        tick(what, (work * count) / this.#count);
        return result;
      }),
    );
  }

  /** All parts of the setting: the kept ones, and the others from what `play` gives. */
  async #parts(tick: Tick, play: (policy: string) => Promise<Played[]>): Promise<Map<string, Part>> {
    const names = this.#played();
    const played = new Map(names.map((name) => [name, this.#kept.has(name) ? undefined : play(name)]));
    const costs = new Map(names.map((name) => [name, this.#costs(name, played.get(name))]));
    const finish = async (policy: string): Promise<Part> => {
      const kept = this.#kept.get(policy);
      if (kept !== undefined) return kept;
      const units = ((await played.get(policy)) as Played[]).map((one) => one.units);
      const { reference } = this.#setting;
      const figures = await this.#runner.run({
        kind: "figures",
        protocol: this.#setting.protocol,
        units,
        oracle: (await costs.get("oracle")) as CostSums,
        reference: reference === undefined ? null : ((await costs.get(reference)) as CostSums),
        episodeSlots: this.#scenario.episodeSlots,
        plan: `${this.#suite.id}/${this.#setting.id}`,
      });
      const external = this.#external.get(policy);
      const part = partOf(policy, this.#scenario, figures, (await costs.get(policy)) as CostSums, external);
      if (external === undefined) this.#options.store?.save(this.#key(policy), part);
      tick(`${this.#setting.id} ${policy}, figures`, this.#partWork / 2);
      return part;
    };
    // the costs are awaited here too, so that one failure has one listener everywhere
    const [parts] = await Promise.all([Promise.all(names.map(finish)), Promise.all(costs.values())]);
    return new Map(names.map((name, i) => [name, parts[i]]));
  }

  async #costs(policy: string, played: Promise<Played[]> | undefined): Promise<CostSums> {
    const kept = this.#kept.get(policy);
    return kept === undefined ? joinedCosts((await played) as Played[]) : costsOf(kept);
  }
}

function costsOf({ costs }: Part): CostSums {
  return { costSlots: Float64Array.from(costs.costSlots), decisions: Float64Array.from(costs.decisions) };
}

/** The costs of all that was played, behind each other. */
export function joinedCosts(played: readonly Played[]): CostSums {
  const joined = (of: (costs: CostSums) => Float64Array) =>
    Float64Array.from(played.flatMap(({ costs }) => [...of(costs)]));
  return { costSlots: joined((costs) => costs.costSlots), decisions: joined((costs) => costs.decisions) };
}

function partOf(
  name: string,
  scenario: Scenario,
  figures: Figures,
  costs: CostSums,
  external: ExternalPolicy | undefined,
): Part {
  const parameters = external === undefined ? findPolicy(name).parameters?.(scenario) : external.parameters;
  const kind = external === undefined ? "native" : "external";
  return {
    result: {
      policy: { name, kind, ...(parameters === undefined ? {} : { parameters }) },
      ...describeFigures(figures),
    },
    costs: { costSlots: Array.from(costs.costSlots), decisions: Array.from(costs.decisions) },
  };
}

/** What a result says of a policy, its name apart. */
export function describeFigures(figures: Figures): Omit<PolicyResult, "policy"> {
  let at = 0;
  return {
    metrics: withUnits(figures.metrics),
    isUnstable: figures.isUnstable,
    differenceToOracleSlots: { ...figures.differenceToOracleSlots, unit: "slots" },
    actionCounts: [...figures.actionCounts],
    actions: Array.from(figures.lengths, (length) => {
      at += length;
      return Array.from(figures.actions.subarray(at - length, at));
    }),
  };
}

function withUnits(metrics: Metrics): PolicyResult["metrics"] {
  const entries = Object.entries(metrics) as [keyof Metrics, Estimate | null][];
  const described = entries.map(([name, estimate]) => [
    name,
    // a ratio without anything below it (no task finished, say) is no figure
    estimate === null || !Number.isFinite(estimate.value) ? null : { ...estimate, unit: metricUnits[name] },
  ]);
  return { ...Object.fromEntries(described), parseFailurePercent: null };
}
