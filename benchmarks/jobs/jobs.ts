/** The pieces a suite's work is cut into: plain data in, plain data out, so that any thread can do any of them. */

import { resolveScenario, type ScenarioInput, scenarioHash } from "../../env/index.js";
import { RecordMaker, recordLine } from "../datasets/make-records.js";
import type { DatasetPlan } from "../datasets/plan.js";
import {
  actionCounts,
  type CostSums,
  compareAverageLatency,
  computeMetrics,
  costSums,
  type Metrics,
  type Protocol,
} from "../metrics/metrics.js";
import { isCollapsed, isUnstable, JUDGED_SLOTS } from "../metrics/stability.js";
import { type Estimate, ResamplePlan } from "../metrics/statistics.js";
import { type PackedUnits, packUnits, type Unit, unpackUnits } from "../metrics/units.js";
import { type ActionLogs, type LogFault, type Replayed, replayAnswers, replayEpisodes } from "../play/replay.js";
import { answerStates, EpisodePlayer, type RecordedState, visitStates } from "../play/runner.js";
import { findPolicy } from "../policies/index.js";

/** Plays episodes firstSeed … firstSeed + count − 1 with one policy. */
export interface PlayJob {
  readonly kind: "play";
  readonly scenario: string | ScenarioInput;
  readonly policy: string;
  readonly firstSeed: number;
  readonly count: number;
}

/** Finds the static protocol's states of these episodes. */
export interface VisitJob {
  readonly kind: "visit";
  readonly scenario: string | ScenarioInput;
  readonly firstSeed: number;
  readonly count: number;
}

/** Asks one policy about all states, in order: it may remember. */
export interface AnswerJob {
  readonly kind: "answer";
  readonly scenario: string | ScenarioInput;
  readonly policy: string;
  readonly states: readonly RecordedState[];
  readonly sizeMbit: number | undefined;
}

/** Plays the episodes from firstSeed on with the actions of logs, or gives them as answers where there are states. */
export interface ReplayJob {
  readonly kind: "replay";
  readonly scenario: string | ScenarioInput;
  readonly firstSeed: number;
  /** One state for each list, in the static protocol. */
  readonly states: readonly RecordedState[] | null;
  readonly sizeMbit: number | undefined;
  readonly logs: ActionLogs;
}

/** Computes one policy's figures from its units. */
export interface FiguresJob {
  readonly kind: "figures";
  readonly protocol: Protocol;
  /** In order; whoever runs the job may take the arrays away. */
  readonly units: readonly PackedUnits[];
  /** The oracle on the same seeds. */
  readonly oracle: CostSums;
  /** The policy that foresight is measured by, on the same seeds. */
  readonly reference: CostSums | null;
  readonly episodeSlots: number;
  /** Names the resamples. */
  readonly plan: string;
}

/** Makes records firstIndex … firstIndex + count − 1 of a data set. */
export interface RecordsJob {
  readonly kind: "records";
  readonly plan: DatasetPlan;
  readonly firstIndex: number;
  readonly count: number;
}

export type Job = PlayJob | VisitJob | AnswerJob | ReplayJob | FiguresJob | RecordsJob;

export interface Figures {
  readonly metrics: Metrics;
  readonly differenceToOracleSlots: Estimate;
  readonly isUnstable: boolean | null;
  readonly actionCounts: readonly number[];
  /** The action log: how many decisions each unit has, and their actions behind each other. */
  readonly lengths: Uint32Array;
  readonly actions: Uint16Array;
}

/** Lines of a data set as UTF-8, and how often each action is the label. */
export interface RecordLines {
  readonly bytes: Uint8Array;
  readonly labelCounts: readonly number[];
}

interface JobResults {
  readonly play: Played;
  readonly visit: RecordedState[];
  readonly answer: Played;
  readonly replay: Played | { readonly fault: LogFault };
  readonly figures: Figures;
  readonly records: RecordLines;
}

/** Units as they were played, and what each cost in all. */
export interface Played {
  readonly units: PackedUnits;
  readonly costs: CostSums;
}

/** What a job gives. */
export type JobResult<J extends Job> = JobResults[J["kind"]];

/** Does jobs: in this thread, or in others. The result of a job depends on the job alone. */
export interface JobRunner {
  run<J extends Job>(job: J): Promise<JobResult<J>>;
}

/** Does jobs, keeping what the next one is likely to need again. */
export class JobWorker {
  #player: EpisodePlayer | undefined;
  #playerHash = "";
  #plan: ResamplePlan | undefined;
  #planName = "";
  #maker: RecordMaker | undefined;
  #makerPlan = "";

  /** @throws MecgymError as playing does */
  do<J extends Job>(job: J): JobResult<J>;
  do(job: Job): JobResults[Job["kind"]] {
    switch (job.kind) {
      case "play": {
        const player = this.#playerOf(job.scenario);
        const entry = findPolicy(job.policy);
        const scenario = resolveScenario(job.scenario);
        const seeds = Array.from({ length: job.count }, (_, i) => job.firstSeed + i);
        return playedOf(seeds.map((seed) => player.play(entry.make(seed, scenario), seed)));
      }
      case "visit":
        return [...visitStates(resolveScenario(job.scenario), job.firstSeed, job.count)];
      case "answer":
        return playedOf(answerStates(findPolicy(job.policy), resolveScenario(job.scenario), job.states, job.sizeMbit));
      case "replay":
        return this.#replay(job);
      case "figures":
        return this.#figures(job);
      case "records":
        return this.#records(job);
    }
  }

  #replay({ scenario, firstSeed, states, sizeMbit, logs }: ReplayJob): JobResults["replay"] {
    const replayed: Replayed =
      states === null
        ? replayEpisodes(this.#playerOf(scenario), firstSeed, logs)
        : replayAnswers(resolveScenario(scenario), states, sizeMbit, logs);
    return "fault" in replayed ? replayed : playedOf(replayed.units);
  }

  #records({ plan, firstIndex, count }: RecordsJob): RecordLines {
    const planName = JSON.stringify(plan);
    if (this.#maker === undefined || this.#makerPlan !== planName) {
      this.#maker = new RecordMaker(plan);
      this.#makerPlan = planName;
    }
    const labelCounts: number[] = [];
    let text = "";
    for (let index = firstIndex; index < firstIndex + count; index++) {
      const record = this.#maker.make(index);
      while (labelCounts.length <= record.state.numServers) labelCounts.push(0);
      labelCounts[record.labelAction]++;
      text += recordLine(record);
    }
    return { bytes: new TextEncoder().encode(text), labelCounts };
  }

  #playerOf(input: string | ScenarioInput): EpisodePlayer {
    const hash = scenarioHash(input);
    if (this.#player === undefined || this.#playerHash !== hash) {
      this.#player = new EpisodePlayer(resolveScenario(input));
      this.#playerHash = hash;
    }
    return this.#player;
  }

  #planOf(name: string, numUnits: number): ResamplePlan {
    if (this.#plan === undefined || this.#planName !== name || this.#plan.numUnits !== numUnits) {
      this.#plan = new ResamplePlan(name, numUnits);
      this.#planName = name;
    }
    return this.#plan;
  }

  #figures(job: FiguresJob): Figures {
    const units = job.units.flatMap(unpackUnits);
    const plan = this.#planOf(job.plan, units.length);
    const { oracle, reference, episodeSlots } = job;
    const isJudged = job.protocol === "episodic" && episodeSlots >= JUDGED_SLOTS;
    return {
      metrics: computeMetrics(job.protocol, units, oracle, plan, reference, episodeSlots),
      isUnstable: isJudged ? isUnstable(units.filter(isCollapsed).length, units.length) : null,
      differenceToOracleSlots: compareAverageLatency(costSums(units), oracle, plan),
      actionCounts: actionCounts(units),
      lengths: joined(
        Uint32Array,
        job.units.map((packed) => packed.lengths),
      ),
      actions: joined(
        Uint16Array,
        job.units.map((packed) => packed.actions),
      ),
    };
  }
}

function playedOf(units: readonly Unit[]): Played {
  return { units: packUnits(units), costs: costSums(units) };
}

function joined<A extends Uint16Array | Uint32Array>(make: new (length: number) => A, parts: readonly A[]): A {
  const whole = new make(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Jobs that wait, figures first: they free what playing has filled. */
export class JobQueue<T> {
  readonly #figures: T[] = [];
  readonly #others: (T | undefined)[] = [];
  /** Where the next of `#others` stands: shifting a long array over and over would be slow. */
  #next = 0;

  push(job: Job, waiting: T): void {
    (job.kind === "figures" ? this.#figures : this.#others).push(waiting);
  }

  take(): T | undefined {
    const figures = this.#figures.shift();
    if (figures !== undefined) return figures;
    const next = this.#others[this.#next];
    if (next === undefined) return undefined;
    // who asks holds the answer: where jobs always wait, none would ever be let go
    this.#others[this.#next++] = undefined;
    if (2 * this.#next >= this.#others.length) {
      this.#others.splice(0, this.#next);
      this.#next = 0;
    }
    return next;
  }
}

/** Does jobs in this thread, one after another; a signal or a progress bar has its turn between two. */
export class InlineRunner implements JobRunner {
  readonly #worker = new JobWorker();
  readonly #queue = new JobQueue<() => void>();
  #isRunning = false;

  run<J extends Job>(job: J): Promise<JobResult<J>> {
    return new Promise((resolve, reject) => {
      this.#queue.push(job, () => {
        try {
          resolve(this.#worker.do(job));
        } catch (error) {
          reject(error);
        }
      });
      if (!this.#isRunning) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#isRunning = true;
    // the turn comes before the first job too: all that are asked for at once are queued by then
    await new Promise((resolve) => setImmediate(resolve));
    for (let next = this.#queue.take(); next !== undefined; next = this.#queue.take()) {
      next();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isRunning = false;
  }
}
