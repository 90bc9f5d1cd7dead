/** Verifies a result: replays its action logs in the simulator, computes every figure again, and compares to the last bit. */

import { checkSeed, MecgymError, resolveScenario, type Scenario, scenarioHash } from "../../env/index.js";
import { resultSchema } from "../../schemas/generated/schemas.js";
import type { PolicyResult, Result, SettingResult } from "../../schemas/generated/types.js";
import { findProblem } from "../../schemas/validate.js";
import { InlineRunner, type JobRunner, type Played } from "../jobs/jobs.js";
import type { CostSums } from "../metrics/metrics.js";
import type { LogFault } from "../play/replay.js";
import type { RecordedState } from "../play/runner.js";
import { findPolicy } from "../policies/index.js";
import { findSuite, type Setting, type Suite, suites } from "../suites/suites.js";
import { type Difference, differences } from "./differences.js";
import { describeFigures, episodesPerJob, joinedCosts, resultFrame, STATES_PER_JOB } from "./run-suite.js";

export interface VerifyReport {
  readonly suite: string;
  /** A line for each log that was replayed. */
  readonly checked: readonly string[];
  /** In the order of the file; empty for a result that is verified. */
  readonly problems: readonly Difference[];
}

export interface VerifyOptions {
  /** Who does the work; this thread where left out. The report does not depend on it. */
  readonly runner?: JobRunner;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/**
 * The result that a text holds.
 *
 * @param path names the text in errors
 * @throws MecgymError `invalidRecord` where the text is no JSON, or not what the schema asks for
 */
export function parseResult(text: string, path: string): Result {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const expected = `a result, as JSON (${(error as Error).message})`;
    throw new MecgymError("invalidRecord", { path, got: text.slice(0, 40), expected });
  }
  // a newer version has fields that are unknown here, and is refused for being newer
  const problem = versionProblem(value) ?? findProblem("result", value);
  if (problem === undefined) return value as Result;
  throw new MecgymError("invalidRecord", { ...problem, path: `${path}${problem.path}` });
}

function versionProblem(value: unknown): Difference | undefined {
  if (typeof value !== "object" || value === null || !("schemaVersion" in value)) return undefined;
  const known: readonly unknown[] = resultSchema.properties.schemaVersion.enum;
  if (known.includes(value.schemaVersion)) return undefined;
  return { path: "/schemaVersion", expected: `one of ${known.join(", ")}`, got: value.schemaVersion };
}

/** Verifies a result that fits its schema. */
export async function verifyResult(result: Result, options: VerifyOptions = {}): Promise<VerifyReport> {
  const suite = suites.find(({ id }) => id === result.suite);
  if (suite === undefined) {
    const expected = `one of ${suites.map(({ id }) => id).join(", ")}`;
    return { suite: result.suite, checked: [], problems: [{ path: "/suite", expected, got: result.suite }] };
  }
  const problems = frameProblems(suite, result);
  // what is played follows from these: where they are wrong, every figure would be
  if (problems.length > 0) return { suite: suite.id, checked: [], problems };
  const runner = options.runner ?? new InlineRunner();
  const replays = result.settings.map((setting, i) => new SettingReplay(suite, setting, i, runner));
  const total = replays.reduce((sum, replay) => sum + replay.work, 0);
  let done = 0;
  options.onProgress?.(0, total, suite.id);
  const tick = (what: string, amount: number) => {
    done += amount;
    options.onProgress?.(done, total, what);
  };
  const found = await Promise.all(replays.map((replay) => replay.run(result.schemaVersion, tick)));
  return {
    suite: suite.id,
    checked: result.settings.flatMap(({ id, protocol, policies, seeds }) =>
      policies.map(
        ({ policy }) => `${id} ${policy.name}: ${seeds.count} ${protocol === "static" ? "states" : "episodes"}`,
      ),
    ),
    problems: found.flat(),
  };
}

/** What the file says it played against what the suite is. */
function frameProblems(suite: Suite, result: Result): Difference[] {
  const problems: Difference[] = [];
  const compare = (path: string, expected: unknown, got: unknown, why: string) => {
    if (expected !== got) problems.push({ path, expected: `${expected ?? "nothing"}, ${why}`, got: got ?? null });
  };
  const { resamples } = resultFrame(suite, { ...result, policies: [], firstSeed: 0 });
  compare("/resamples", resamples, result.resamples, "behind every interval");
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

/** A run plays every setting with the same policies; those of this package have the parameters that it plays them with. */
function checkPolicies(setting: SettingResult, scenario: Scenario, names: string, at: string, problems: Difference[]) {
  if (namesOf(setting) !== names) {
    problems.push({
      path: `${at}/policies`,
      expected: `the policies ${names}, as in the first setting`,
      got: namesOf(setting),
    });
  }
  for (const [p, { policy, actions }] of setting.policies.entries()) {
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
  }
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

type Tick = (what: string, amount: number) => void;
type MaybePlayed = readonly (Played | { readonly fault: LogFault })[];

/** One setting that is played again. */
class SettingReplay {
  readonly #suite: Suite;
  readonly #result: SettingResult;
  readonly #setting: Setting;
  readonly #scenario: Scenario;
  readonly #at: string;
  readonly #runner: JobRunner;
  readonly work: number;

  constructor(suite: Suite, result: SettingResult, index: number, runner: JobRunner) {
    this.#suite = suite;
    this.#result = result;
    this.#setting = findSuite(suite.id).settings.find(({ id }) => id === result.id) as Setting;
    this.#scenario = resolveScenario(this.#setting.scenario);
    this.#at = `/settings/${index}`;
    this.#runner = runner;
    const { count } = result.seeds;
    const visits = this.#isStatic ? count : 0;
    this.work = visits + count * (this.#marks.length + 2 * result.policies.length);
  }

  get #isStatic(): boolean {
    return this.#setting.protocol === "static";
  }

  /** What figures are compared with is played by this version, whatever the file says of it. */
  get #marks(): string[] {
    const { reference } = this.#setting;
    return [...new Set(["oracle", ...(reference === undefined ? [] : [reference])])];
  }

  async run(schemaVersion: string, tick: Tick): Promise<Difference[]> {
    const states = this.#isStatic ? await this.#visit(tick) : null;
    const marks = Promise.all(this.#marks.map((name) => this.#playMark(name, states, tick)));
    const found = this.#result.policies.map(async (_, p) => {
      const replayed = await this.#replay(p, states, tick);
      const [oracle, reference = oracle] = await marks;
      const compared = { oracle, reference: this.#setting.reference === undefined ? null : reference };
      return this.#compare(schemaVersion, p, replayed, compared, tick);
    });
    // the marks are awaited here too, so that a failure has a listener everywhere
    await Promise.all([marks, ...found]);
    return (await Promise.all(found)).flat();
  }

  async #visit(tick: Tick): Promise<RecordedState[]> {
    const parts = await this.#inSteps(STATES_PER_JOB, this.#setting.id, tick, (firstSeed, count) =>
      this.#runner.run({ kind: "visit", scenario: this.#setting.scenario, firstSeed, count }),
    );
    return parts.flat();
  }

  async #playMark(policy: string, states: readonly RecordedState[] | null, tick: Tick): Promise<CostSums> {
    const { scenario, fixedSizeMbit: sizeMbit } = this.#setting;
    const what = `${this.#setting.id} ${policy}, to compare with`;
    const step = states === null ? episodesPerJob(this.#scenario) : this.#result.seeds.count;
    const played = await this.#inSteps(step, what, tick, (firstSeed, count) =>
      states === null
        ? this.#runner.run({ kind: "play", scenario, policy, firstSeed, count })
        : this.#runner.run({ kind: "answer", scenario, policy, states, sizeMbit }),
    );
    return joinedCosts(played);
  }

  #replay(p: number, states: readonly RecordedState[] | null, tick: Tick): Promise<MaybePlayed> {
    const { scenario, fixedSizeMbit: sizeMbit } = this.#setting;
    const { policy, actions } = this.#result.policies[p];
    const step = states === null ? episodesPerJob(this.#scenario) : this.#result.seeds.count;
    return this.#inSteps(step, `${this.#setting.id} ${policy.name}`, tick, async (firstSeed, count) => {
      const start = firstSeed - this.#result.seeds.first;
      const logs = actions.slice(start, start + count);
      const replayed = await this.#runner.run({ kind: "replay", scenario, firstSeed, states, sizeMbit, logs });
      if (!("fault" in replayed)) return replayed;
      return { fault: { ...replayed.fault, unit: start + replayed.fault.unit } };
    });
  }

  /** Covers the seeds in steps. */
  #inSteps<T>(
    step: number,
    what: string,
    tick: Tick,
    run: (firstSeed: number, count: number) => Promise<T>,
  ): Promise<T[]> {
    const { first, count } = this.#result.seeds;
    const starts = Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step);
    return Promise.all(
      starts.map(async (start) => {
        const size = Math.min(step, count - start);
        const part = await run(first + start, size);
        tick(what, size);
        return part;
      }),
    );
  }

  async #compare(
    schemaVersion: string,
    p: number,
    replayed: MaybePlayed,
    { oracle, reference }: { oracle: CostSums; reference: CostSums | null },
    tick: Tick,
  ): Promise<Difference[]> {
    const { policy, actions: _replayed, ...got } = this.#result.policies[p];
    const at = `${this.#at}/policies/${p}`;
    const played: Played[] = [];
    for (const one of replayed) {
      if ("fault" in one) {
        const { unit, decision, expected, got: stands } = one.fault;
        return [{ path: `${at}/actions/${unit}${decision === null ? "" : `/${decision}`}`, expected, got: stands }];
      }
      played.push(one);
    }
    const figures = await this.#runner.run({
      kind: "figures",
      protocol: this.#setting.protocol,
      units: played.map(({ units }) => units),
      oracle,
      reference,
      episodeSlots: this.#scenario.episodeSlots,
      plan: `${this.#suite.id}/${this.#setting.id}`,
    });
    tick(`${this.#setting.id} ${policy.name}, figures`, this.#result.seeds.count);
    const { actions: _same, ...expected } = describeFigures(figures);
    return differences(schemaVersion === "1.0" ? as10(expected, got) : expected, got, at);
  }
}

type Compared = Omit<PolicyResult, "policy" | "actions">;

/** The figures without those that version 1.1 added, where the file has none: version 1.0 could leave them out. */
function as10({ isUnstable, metrics, ...others }: Compared, got: Compared): object {
  const added = ["foresight", "collapsedEpisodePercent"];
  const kept = Object.entries(metrics).filter(([name]) => !added.includes(name) || name in got.metrics);
  return { metrics: Object.fromEntries(kept), ...("isUnstable" in got ? { isUnstable } : {}), ...others };
}
