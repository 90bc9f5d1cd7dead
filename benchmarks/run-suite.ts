/** Runs a suite: plays every setting with every policy, and puts the figures into a result. */

import { checkSeed, resolveScenario, scenarioHash } from "../env/index.js";
import type { PolicyResult, Result, SettingResult } from "../schemas/generated/types.js";
import {
  actionCounts,
  compareAverageLatency,
  computeMetrics,
  type Metrics,
  metricUnits,
  type Unit,
} from "./metrics.js";
import { findPolicy } from "./policies/index.js";
import { answerStates, EpisodePlayer, type RecordedState, visitStates } from "./runner.js";
import { type Estimate, NUM_RESAMPLES, ResamplePlan } from "./statistics.js";
import { DEFAULT_EPISODES, type Setting, type Suite } from "./suites.js";

/** Where finished settings are kept, so that a run that was broken off can go on. */
export interface SettingStore {
  load(id: string): SettingResult | undefined;
  save(setting: SettingResult): void;
}

export interface RunOptions {
  /** Names of native policies. */
  readonly policies: readonly string[];
  /** Episodes, or states of the static protocol; the suite's own numbers where left out. */
  readonly episodes?: number;
  /** First episode seed. */
  readonly firstSeed: number;
  /** What the result says of the program that made it. */
  readonly packageVersion: string;
  readonly runtime: Result["runtime"];
  readonly store?: SettingStore;
  /** Told how much of the work is done, of `total`. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/** Everything of a result but its settings. */
export function resultFrame(suite: Suite, options: RunOptions): Omit<Result, "settings"> {
  return {
    schemaVersion: "1.0",
    suite: suite.id,
    profile: "paper",
    packageVersion: options.packageVersion,
    runtime: options.runtime,
    resamples: NUM_RESAMPLES,
  };
}

/** Episodes or states that each setting of a suite plays. */
export function countsOf(suite: Suite, episodes: number | undefined): number[] {
  return suite.settings.map(({ protocol }) => episodes ?? DEFAULT_EPISODES[protocol]);
}

/**
 * Plays a suite.
 *
 * @throws MecgymError `unknownPolicy`, `invalidSeed`, before anything is played
 */
export async function runSuite(suite: Suite, options: RunOptions): Promise<Result> {
  const names = [...new Set(options.policies)];
  for (const name of names) findPolicy(name);
  const counts = countsOf(suite, options.episodes);
  checkSeed(options.firstSeed, "seed");
  checkSeed(options.firstSeed + Math.max(...counts) - 1, "last seed");
  const played = withOracle(names).length;
  // playing a policy and computing its figures take about as long
  const workOf = (i: number) => counts[i] * ((suite.settings[i].protocol === "static" ? 1 : played) + names.length);
  const total = counts.reduce((sum, _, i) => sum + workOf(i), 0);
  let done = 0;
  const tick = (what: string, amount = 1) => {
    done += amount;
    options.onProgress?.(done, total, what);
  };
  const settings: SettingResult[] = [];
  for (const [i, setting] of suite.settings.entries()) {
    const kept = options.store?.load(setting.id);
    if (kept !== undefined && isResultOf(kept, setting, counts[i], names, options)) {
      settings.push(kept);
      tick(setting.id, workOf(i));
      continue;
    }
    const result = await runSetting(suite, setting, counts[i], names, options, tick);
    options.store?.save(result);
    settings.push(result);
  }
  return { ...resultFrame(suite, options), settings };
}

/** Whether a kept result is what playing the setting now would give. */
function isResultOf(
  kept: SettingResult,
  setting: Setting,
  count: number,
  names: readonly string[],
  options: RunOptions,
): boolean {
  return (
    kept.protocol === setting.protocol &&
    kept.scenario.hash === scenarioHash(setting.scenario) &&
    kept.fixedSizeMbit === setting.fixedSizeMbit &&
    kept.seeds.first === options.firstSeed &&
    kept.seeds.count === count &&
    kept.policies.map((one) => one.policy.name).join() === names.join()
  );
}

/** The oracle is always played: ratios and differences are taken against it. */
function withOracle(names: readonly string[]): string[] {
  return names.includes("oracle") ? [...names] : [...names, "oracle"];
}

async function runSetting(
  suite: Suite,
  setting: Setting,
  count: number,
  names: readonly string[],
  options: RunOptions,
  tick: (what: string, amount?: number) => void,
): Promise<SettingResult> {
  const scenario = resolveScenario(setting.scenario);
  const { firstSeed } = options;
  const unitsOf = new Map<string, readonly Unit[]>();
  if (setting.protocol === "static") {
    const states: RecordedState[] = [];
    for (const state of visitStates(scenario, firstSeed, count)) {
      states.push(state);
      tick(setting.id);
      await breathe(states.length);
    }
    for (const name of withOracle(names)) {
      unitsOf.set(name, answerStates(findPolicy(name), scenario, states, setting.fixedSizeMbit));
    }
  } else {
    const player = new EpisodePlayer(scenario);
    for (const name of withOracle(names)) {
      const entry = findPolicy(name);
      const units: Unit[] = [];
      for (let i = 0; i < count; i++) {
        units.push(player.play(entry.make(firstSeed + i), firstSeed + i));
        tick(`${setting.id} ${name}`);
        await breathe(i);
      }
      unitsOf.set(name, units);
    }
  }
  const plan = new ResamplePlan(`${suite.id}/${setting.id}`, count);
  const oracleUnits = unitsOf.get("oracle") as readonly Unit[];
  const policies: PolicyResult[] = [];
  for (const name of names) {
    policies.push(describePolicy(name, unitsOf.get(name) as readonly Unit[], oracleUnits, setting, plan));
    tick(`${setting.id} ${name}, figures`, count);
    await breathe();
  }
  return {
    id: setting.id,
    protocol: setting.protocol,
    scenario: { id: scenario.id, hash: scenarioHash(scenario) },
    ...(setting.fixedSizeMbit === undefined ? {} : { fixedSizeMbit: setting.fixedSizeMbit }),
    seeds: { first: firstSeed, count },
    policies,
  };
}

function describePolicy(
  name: string,
  units: readonly Unit[],
  oracleUnits: readonly Unit[],
  setting: Setting,
  plan: ResamplePlan,
): PolicyResult {
  const metrics = computeMetrics(setting.protocol, units, oracleUnits, plan);
  return {
    policy: { name, kind: "native" },
    metrics: withUnits(metrics),
    differenceToOracleSlots: { ...compareAverageLatency(units, oracleUnits, plan), unit: "slots" },
    actionCounts: actionCounts(units),
    actions: units.map((unit) => unit.decisions.actions()),
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

/** Lets a signal or a progress bar have its turn now and then. */
async function breathe(count = 0): Promise<void> {
  if (count % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
}
