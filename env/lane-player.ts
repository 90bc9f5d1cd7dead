/** Plays the lanes of a batch: starts their episodes, carries out decisions, and writes what each brought. */

import type { BatchSettings } from "./batch-options.js";
import type { BatchOutputs } from "./batch-outputs.js";
import { markNewestTask } from "./churn.js";
import {
  actionLatencySlots,
  assignTask,
  costliestAction,
  costOfLatency,
  countUnfinished,
  isActionAvailable,
  type Lanes,
} from "./kernel.js";
import { observationSizeOf, writeEpisode, writeObservation } from "./observation-rows.js";
import { nextEpisodeSeed } from "./seeds.js";
import type { LaneCourse } from "./snapshot.js";
import { advanceToNextTask, PHASE_ENDED, startEpisode } from "./workload.js";

/** Bits of `flags`. */
export const FLAG_TRUNCATED = 1;
export const FLAG_LATE = 2;
export const FLAG_INVALID_ACTION = 4;
/** The step only reset the lane: no action was taken, and the reward is 0. */
export const FLAG_RESET = 8;

/** What is known of an episode when it has ended; the columns of `finalStats`. */
export const episodeStatsFields = [
  "episodeSeed",
  "numDecisions",
  "finishedTasks",
  "finishedLateTasks",
  "realisedLatencySumSlots",
  "unfinishedTasks",
  "unfinishedLateTasks",
  "lostTasks",
] as const;

export class LanePlayer {
  /** Lanes whose episode ended in the last step: the first `numFinal` entries of the four arrays. */
  numFinal = 0;
  readonly finalLane: Int32Array;
  readonly finalSlot: Int32Array;
  readonly finalStats: Float64Array;
  readonly finalObservation: Float32Array;
  /** Where results go. */
  outputs: BatchOutputs;
  /** Slots of history in an observation; 0 where it shows none. */
  readonly #historySlots: number;
  readonly #lanes: Lanes;
  readonly #settings: BatchSettings;
  /** Seed of the next-seed function, and episodes started, lane by lane. */
  readonly #laneSeed: Float64Array;
  readonly #episodeIndex: Float64Array;
  /** Which of the starts of this batch a lane's episode came from; 0 before the first. */
  readonly #laneStart: Float64Array;
  #numStarts = 0;

  constructor(lanes: Lanes, settings: BatchSettings, outputs: BatchOutputs) {
    const { numLanes, maxServers, history, historySlots, autoreset } = settings;
    this.#lanes = lanes;
    this.#settings = settings;
    this.outputs = outputs;
    this.#historySlots = history ? historySlots : 0;
    this.#laneSeed = new Float64Array(numLanes).fill(settings.seed);
    this.#episodeIndex = new Float64Array(numLanes);
    this.#laneStart = new Float64Array(numLanes);
    this.finalLane = new Int32Array(numLanes);
    this.finalSlot = new Int32Array(numLanes);
    this.finalStats = new Float64Array(numLanes * episodeStatsFields.length);
    const observationSize = observationSizeOf(maxServers, this.#historySlots);
    this.finalObservation = new Float32Array(autoreset === "same-step" ? numLanes * observationSize : 0);
  }

  /** Which episode of a lane comes next. */
  courseOf(lane: number): LaneCourse {
    return { seed: this.#laneSeed[lane], episodeIndex: this.#episodeIndex[lane] };
  }

  /** Starts the episode `seed`, from which later ones of the lane follow; the next one of the split where NaN. */
  reset(lane: number, seed: number): void {
    if (!Number.isNaN(seed)) {
      this.#laneSeed[lane] = seed;
      this.#episodeIndex[lane] = 0;
    }
    this.#start(lane, seed);
    this.#clearStep(lane);
  }

  /** Shows a lane's state after it was put there from outside. */
  take(lane: number, course: LaneCourse): void {
    this.#laneSeed[lane] = course.seed;
    this.#episodeIndex[lane] = course.episodeIndex;
    this.#laneStart[lane] = ++this.#numStarts;
    this.#clearStep(lane);
    this.#show(lane);
  }

  /** Carries out one decision in every lane, or starts its next episode where it has ended. */
  step(actions: ArrayLike<number>): void {
    this.numFinal = 0;
    const { phase } = this.#lanes.arrays;
    for (let lane = 0, { numLanes } = this.#settings; lane < numLanes; lane++) {
      if (phase[lane] === PHASE_ENDED) {
        this.reset(lane, Number.NaN);
        this.outputs.flags[lane] = FLAG_RESET;
      } else {
        this.#stepLane(lane, actions[lane]);
      }
    }
  }

  #start(lane: number, seed: number): void {
    const { scenarios, laneScenario, split, firstLane } = this.#settings;
    const episode = this.#episodeIndex[lane];
    this.#episodeIndex[lane] = episode + 1;
    const episodeSeed = Number.isNaN(seed)
      ? nextEpisodeSeed(split, this.#laneSeed[lane], firstLane + lane, episode)
      : seed;
    startEpisode(this.#lanes, lane, scenarios[laneScenario[lane]], episodeSeed);
    this.#laneStart[lane] = ++this.#numStarts;
    this.#show(lane);
  }

  /** Brings a lane's outputs up to date. */
  #show(lane: number): void {
    const { outputs } = this;
    if (outputs.shownStart[lane] !== this.#laneStart[lane]) {
      outputs.shownStart[lane] = this.#laneStart[lane];
      writeEpisode(this.#lanes, lane, outputs, this.#historySlots);
    }
    writeObservation(this.#lanes, lane, outputs, this.#historySlots);
  }

  #clearStep(lane: number): void {
    const { outputs } = this;
    outputs.reward[lane] = 0;
    outputs.latencySlots[lane] = 0;
    outputs.costSlots[lane] = 0;
    outputs.lostTasks[lane] = 0;
    outputs.lostOnTimeTasks[lane] = 0;
    outputs.executedAction[lane] = 0;
    outputs.flags[lane] = 0;
  }

  #stepLane(lane: number, requested: number): void {
    const lanes = this.#lanes;
    const { outputs } = this;
    const { arrays } = lanes;
    const p = lanes.parameters[lane];
    let action = requested;
    let flags = 0;
    if (!isActionAvailable(lanes, lane, action)) {
      action = costliestAction(lanes, lane);
      flags = FLAG_INVALID_ACTION;
    }
    const latencySlots = actionLatencySlots(lanes, lane, action);
    let costSlots = costOfLatency(latencySlots, p.deadlineSlots, p.penaltySlots);
    if (latencySlots > p.deadlineSlots) flags |= FLAG_LATE;
    assignTask(lanes, lane, action);
    arrays.decisionIndex[lane] += 1;
    if (p.hasChurn) {
      if (action > 0) markNewestTask(lanes, lane, latencySlots > p.deadlineSlots);
      const lostBefore = arrays.lostTasks[lane];
      const lostOnTimeBefore = arrays.lostOnTimeTasks[lane];
      advanceToNextTask(lanes, lane);
      outputs.lostTasks[lane] = arrays.lostTasks[lane] - lostBefore;
      outputs.lostOnTimeTasks[lane] = arrays.lostOnTimeTasks[lane] - lostOnTimeBefore;
      costSlots += p.penaltySlots * outputs.lostOnTimeTasks[lane];
    } else {
      advanceToNextTask(lanes, lane);
    }
    outputs.latencySlots[lane] = latencySlots;
    outputs.costSlots[lane] = costSlots;
    outputs.reward[lane] = -costSlots; // eq. 14
    outputs.executedAction[lane] = action;
    this.#show(lane);
    if (arrays.slot[lane] >= p.episodeSlots) {
      arrays.phase[lane] = PHASE_ENDED;
      flags |= FLAG_TRUNCATED;
      this.#end(lane);
    }
    outputs.flags[lane] = flags;
  }

  #end(lane: number): void {
    const { arrays } = this.#lanes;
    // an extended episode ends with its one task, perhaps in the middle of a slot
    if (arrays.slot[lane] < arrays.endSlot[lane]) countUnfinished(this.#lanes, lane);
    const row = this.numFinal;
    this.numFinal = row + 1;
    this.finalLane[row] = lane;
    this.finalSlot[row] = arrays.slot[lane];
    const stats = this.finalStats;
    const at = row * episodeStatsFields.length;
    stats[at] = arrays.episodeSeed[lane];
    stats[at + 1] = arrays.decisionIndex[lane];
    stats[at + 2] = arrays.finishedTasks[lane];
    stats[at + 3] = arrays.finishedLateTasks[lane];
    stats[at + 4] = arrays.realisedLatencySumSlots[lane];
    stats[at + 5] = arrays.unfinishedTasks[lane];
    stats[at + 6] = arrays.unfinishedLateTasks[lane];
    stats[at + 7] = arrays.lostTasks[lane];
    if (this.#settings.autoreset !== "same-step") return;
    const width = observationSizeOf(this.#settings.maxServers, this.#historySlots);
    const { observation } = this.outputs;
    for (let i = 0, from = lane * width, to = row * width; i < width; i++) {
      this.finalObservation[to + i] = observation[from + i];
    }
    this.#start(lane, Number.NaN);
  }
}
