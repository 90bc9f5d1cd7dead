/** The jobs that work is cut into: plain data in and out, so that any thread can do any of them. */

import type { ScenarioInput } from "../../env/index.js";
import type { DatasetPlan } from "../datasets/plan.js";
import type { CostSums } from "../metrics/metrics.js";
import type { FiguresInput, PolicyFigures } from "../metrics/policy-figures.js";
import type { PackedUnits } from "../metrics/units.js";
import type { ActionLogs, LogFault } from "../play/deciders.js";
import type { FailedAnswer } from "../play/failed-answers.js";
import type { RecordedState } from "../play/recorded-states.js";

/** What is played: the episodes firstSeed … firstSeed + count − 1, or recorded states, one for each of these seeds. */
export interface UnitsToPlay {
  readonly scenario: string | ScenarioInput;
  readonly firstSeed: number;
  readonly count: number;
  /** The states to answer, in order; episodes are played if left out. */
  readonly states?: readonly RecordedState[] | undefined;
  /** Replaces the size of the current task in every state, Mbit. */
  readonly sizeMbit?: number | undefined;
}

/** Asks a native policy. One job has all states of a setting, because a policy may remember them. */
export interface PlayJob extends UnitsToPlay {
  readonly kind: "play";
  readonly policy: string;
}

/** Takes the decisions from logs, one list for each unit. */
export interface ReplayJob extends UnitsToPlay {
  readonly kind: "replay";
  readonly logs: ActionLogs;
  /** Answers of these units that were charged as the costliest action; none if left out. */
  readonly failures?: readonly FailedAnswer[];
}

/** Finds the static protocol's states of these episodes. */
export interface VisitJob {
  readonly kind: "visit";
  readonly scenario: string | ScenarioInput;
  readonly firstSeed: number;
  readonly count: number;
}

/** Computes one policy's figures. The thread that does the job may take the arrays of the units away. */
export interface FiguresJob extends FiguresInput {
  readonly kind: "figures";
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

export type Job = PlayJob | ReplayJob | VisitJob | FiguresJob | RecordsJob;

/** Units as they were played, and the costs of each. */
export interface Played {
  readonly units: PackedUnits;
  readonly costs: CostSums;
}

/** What was replayed, or the first fault of the logs. */
export type Replayed = Played | { readonly fault: LogFault };

/** Lines of a data set as UTF-8, and how often each action is the label. */
export interface RecordLines {
  readonly bytes: Uint8Array;
  readonly labelCounts: readonly number[];
}

export interface JobResults {
  readonly play: Played;
  readonly replay: Replayed;
  readonly visit: RecordedState[];
  readonly figures: PolicyFigures;
  readonly records: RecordLines;
}

export type JobResult<J extends Job> = JobResults[J["kind"]];

/** Does jobs, in this thread or in others. The result of a job depends on nothing but the job. */
export interface JobRunner {
  run<J extends Job>(job: J): Promise<JobResult<J>>;
}

/**
 * Covers 0 … count − 1 in steps, all of which are asked for at once.
 *
 * @returns the results in order
 */
export function inSteps<T>(
  count: number,
  step: number,
  run: (start: number, count: number) => Promise<T>,
): Promise<T[]> {
  const starts = Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step);
  return Promise.all(starts.map((start) => run(start, Math.min(step, count - start))));
}
