/**
 * The walk through one setting, for playing and replaying alike: visit the states, take all decisions, compute figures.
 *
 * It hands out jobs, so it belongs to a layer above theirs; what a job plays is in `play/`.
 */

import { maxUsersOf, resolveScenario, type Scenario } from "../../env/index.js";
import { inSteps, type JobRunner, type Played, type Replayed } from "../jobs/jobs.js";
import { type CostSums, joinCostSums } from "../metrics/metrics.js";
import type { PolicyFigures } from "../metrics/policy-figures.js";
import type { ActionLogs, LogFault } from "../play/deciders.js";
import { type FailedAnswer, failuresOfUnits } from "../play/failed-answers.js";
import type { RecordedState } from "../play/recorded-states.js";
import type { Setting } from "../suites/suites.js";

/** A policy in a setting. */
export interface Entrant {
  readonly name: string;
  /** Its decisions, one list for each seed; if left out, the native policy of that name is asked. */
  readonly logs?: ActionLogs;
  /** Answers that the logs have charged as the costliest action. */
  readonly failures?: readonly FailedAnswer[] | undefined;
  /** Whether it answers in words. */
  readonly isInWords?: boolean;
}

/** The figures of an entrant, or the fault of its logs. */
export type Outcome = { readonly figures: PolicyFigures; readonly costs: CostSums } | { readonly fault: LogFault };

/** Reports `amount` more decisions of work. */
export type Tick = (what: string, amount: number) => void;

export interface WalkOptions {
  readonly tick: Tick;
  /** Costs of policies that need not be played; others are compared with them. */
  readonly known?: ReadonlyMap<string, CostSums>;
  /** Called as soon as an entrant's figures are computed. */
  readonly onOutcome?: (entrant: Entrant, outcome: Outcome) => void;
}

type States = readonly RecordedState[] | undefined;
type PlayedParts = { readonly parts: readonly Played[] } | { readonly fault: LogFault };

/** Slots that one job plays, roughly: few enough for a smooth progress bar, many against the cost of a message. */
const SLOTS_PER_JOB = 2000;
/** States of the static protocol that one job finds. */
const STATES_PER_JOB = 20;

/** One setting with its seeds. */
export class SettingWalk {
  readonly setting: Setting;
  readonly scenario: Scenario;
  readonly #firstSeed: number;
  readonly #count: number;
  readonly #plan: string;
  readonly #runner: JobRunner;

  constructor(suiteId: string, setting: Setting, seeds: { first: number; count: number }, runner: JobRunner) {
    this.setting = setting;
    this.scenario = resolveScenario(setting.scenario);
    this.#firstSeed = seeds.first;
    this.#count = seeds.count;
    this.#plan = `${suiteId}/${setting.id}`;
    this.#runner = runner;
  }

  get #isStatic(): boolean {
    return this.setting.protocol === "static";
  }

  /** Names of the native policies that the others are compared with: the oracle, and the reference if there is one. */
  get baselines(): string[] {
    const { reference } = this.setting;
    return [...new Set(["oracle", ...(reference === undefined ? [] : [reference])])];
  }

  /** Decisions of one policy, roughly. */
  get #size(): number {
    return this.#count * this.scenario.episodeSlots * maxUsersOf(this.scenario);
  }

  /** Finding a state plays its episode once and part of it again. */
  get #visitWork(): number {
    return this.#isStatic ? 2 * this.#size : 0;
  }

  /** An answer to a state is one decision. Computing the figures takes about as long as playing. */
  get #playWork(): number {
    return this.#isStatic ? this.#count : this.#size;
  }

  /** What `play` will report to its `tick` in all, in decisions. */
  workOf(entrants: readonly Entrant[], known: ReadonlyMap<string, CostSums> = new Map()): number {
    if (entrants.length === 0) return 0;
    const numExtra = this.baselines.filter((name) => !known.has(name) && !entrants.some(isNative(name))).length;
    return this.#visitWork + this.#playWork * (2 * entrants.length + numExtra);
  }

  /** Plays all entrants on the same seeds, and baselines too if they are neither known nor among the entrants. */
  async play(entrants: readonly Entrant[], options: WalkOptions): Promise<Outcome[]> {
    if (entrants.length === 0) return [];
    const states = this.#isStatic ? await this.#visit(options.tick) : undefined;
    const played = entrants.map((entrant) => this.#decide(entrant, states, options.tick));
    const baselines = this.baselines.map((name) => {
      const known = options.known?.get(name);
      if (known !== undefined) return known;
      const i = entrants.findIndex(isNative(name));
      return costsOf(i >= 0 ? played[i] : this.#decide({ name }, states, options.tick, ", to compare with"));
    });
    const compared = Promise.all(baselines);
    const outcomes = entrants.map(async (entrant, i) => {
      const parts = await played[i];
      const outcome =
        "fault" in parts ? parts : await this.#measure(entrant, parts.parts, await compared, options.tick);
      options.onOutcome?.(entrant, outcome);
      return outcome;
    });
    // the baselines are awaited here too, so that their failure has a listener in any case
    const [, ...all] = await Promise.all([compared, ...outcomes]);
    return all;
  }

  async #visit(tick: Tick): Promise<RecordedState[]> {
    const { scenario, id } = this.setting;
    const parts = await inSteps(this.#count, STATES_PER_JOB, async (start, count) => {
      const firstSeed = this.#firstSeed + start;
      const states = await this.#runner.run({ kind: "visit", scenario, firstSeed, count });
      tick(id, (this.#visitWork * count) / this.#count);
      return states;
    });
    return parts.flat();
  }

  /** Plays all seeds: episodes in steps, states in one job. */
  async #decide({ name, logs, failures = [] }: Entrant, states: States, tick: Tick, why = ""): Promise<PlayedParts> {
    const { id, scenario, fixedSizeMbit: sizeMbit } = this.setting;
    const step = states === undefined ? episodesPerJob(this.scenario) : this.#count;
    const parts = await inSteps(this.#count, step, async (start, count): Promise<Replayed> => {
      const units = { scenario, firstSeed: this.#firstSeed + start, count, states, sizeMbit };
      const replayed =
        logs === undefined
          ? await this.#runner.run({ kind: "play", policy: name, ...units })
          : await this.#runner.run({
              kind: "replay",
              logs: logs.slice(start, start + count),
              failures: failuresOfUnits(failures, start, count),
              ...units,
            });
      tick(`${id} ${name}${why}`, (this.#playWork * count) / this.#count);
      return "fault" in replayed ? { fault: { ...replayed.fault, unit: start + replayed.fault.unit } } : replayed;
    });
    const played: Played[] = [];
    for (const part of parts) {
      if ("fault" in part) return part;
      played.push(part);
    }
    return { parts: played };
  }

  async #measure(
    { name, isInWords = false }: Entrant,
    parts: readonly Played[],
    [oracle, reference = oracle]: readonly CostSums[],
    tick: Tick,
  ): Promise<Outcome> {
    const costs = joinCostSums(parts.map((part) => part.costs));
    const figures = await this.#runner.run({
      kind: "figures",
      protocol: this.setting.protocol,
      units: parts.map((part) => part.units),
      oracle,
      reference: this.setting.reference === undefined ? null : reference,
      episodeSlots: this.scenario.episodeSlots,
      plan: this.#plan,
      isInWords,
    });
    tick(`${this.setting.id} ${name}, figures`, this.#playWork);
    return { figures, costs };
  }
}

function isNative(policy: string): (entrant: Entrant) => boolean {
  return ({ name, logs }) => name === policy && logs === undefined;
}

async function costsOf(played: Promise<PlayedParts>): Promise<CostSums> {
  const parts = await played;
  if ("fault" in parts) throw new Error("a native policy has no log that could have a fault");
  return joinCostSums(parts.parts.map(({ costs }) => costs));
}

function episodesPerJob({ episodeSlots }: Scenario): number {
  return Math.min(50, Math.max(1, Math.floor(SLOTS_PER_JOB / episodeSlots)));
}
