/** Plays the lanes of a batch: starts their episodes, carries out decisions, and writes what each brought. */

import { FLAG_RESET, FLAG_TRUNCATED } from "../core/flags.js";
import { decideTasks, type Lanes } from "../core/kernel.js";
import { observationSizeOf, writeEpisode, writeObservations } from "../core/observation-rows.js";
import type { BatchOutputs } from "../core/outputs.js";
import { countUnfinished } from "../core/service.js";
import type { LaneCourse } from "../core/snapshot.js";
import { advanceLanes, PHASE_ENDED, startEpisode } from "../core/workload.js";
import { nextEpisodeSeed } from "../scenario/seeds.js";
import type { BatchSettings } from "./options.js";

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
  /** Lanes that a step is being carried out in, and a list for one. */
  readonly #list: Int32Array;
  readonly #oneLane = new Int32Array(1);
  readonly #hasChurn: boolean;

  constructor(lanes: Lanes, settings: BatchSettings, outputs: BatchOutputs) {
    const { numLanes, maxServers, history, historySlots, autoreset } = settings;
    this.#lanes = lanes;
    this.#settings = settings;
    this.outputs = outputs;
    this.#historySlots = history ? historySlots : 0;
    this.#laneSeed = new Float64Array(numLanes).fill(settings.seed);
    this.#episodeIndex = new Float64Array(numLanes);
    this.#laneStart = new Float64Array(numLanes);
    this.#list = new Int32Array(lanes.blockLanes);
    this.#hasChurn = lanes.parameters.some((p) => p.hasChurn);
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

  /**
   * Carries out one decision in every lane, or starts its next episode where it has ended.
   *
   * Block by block: what a step does is done for all lanes of a block before the next thing is, so that each loop keeps
   * its few arrays at hand, while the block stays in the cache from one loop to the next.
   *
   * @param actions one for each lane; any number where a lane only starts its next episode
   */
  step(actions: Int32Array): void {
    this.numFinal = 0;
    const { phase } = this.#lanes.arrays;
    const { blockLanes } = this.#lanes;
    const { numLanes } = this.#settings;
    const list = this.#list;
    for (let first = 0; first < numLanes; first += blockLanes) {
      const end = first + blockLanes < numLanes ? first + blockLanes : numLanes;
      let count = 0;
      for (let lane = first; lane < end; lane++) {
        if (phase[lane] !== PHASE_ENDED) {
          list[count++] = lane;
          continue;
        }
        this.reset(lane, Number.NaN);
        this.outputs.flags[lane] = FLAG_RESET;
      }
      this.#stepBlock(count, actions);
    }
  }

  #stepBlock(count: number, actions: Int32Array): void {
    const lanes = this.#lanes;
    const list = this.#list;
    const { outputs } = this;
    decideTasks(lanes, list, count, actions, outputs);
    if (this.#hasChurn) this.#countLost(count, -1);
    advanceLanes(lanes, list, count);
    if (this.#hasChurn) this.#countLost(count, 1);
    this.#showAll(list, count);
    const { slot } = lanes.arrays;
    for (let i = 0; i < count; i++) {
      const lane = list[i];
      if (slot[lane] >= lanes.parameters[lane].episodeSlots) this.#end(lane);
    }
  }

  /** Called before and after lanes play on: the tasks they lost in between, and the penalty that falls due for them. */
  #countLost(count: number, sign: -1 | 1): void {
    const { arrays, parameters } = this.#lanes;
    const { lostTasks, lostOnTimeTasks, costSlots, reward } = this.outputs;
    for (let i = 0; i < count; i++) {
      const lane = this.#list[i];
      if (sign === -1) {
        lostTasks[lane] = -arrays.lostTasks[lane];
        lostOnTimeTasks[lane] = -arrays.lostOnTimeTasks[lane];
        continue;
      }
      lostTasks[lane] += arrays.lostTasks[lane];
      lostOnTimeTasks[lane] += arrays.lostOnTimeTasks[lane];
      costSlots[lane] += parameters[lane].penaltySlots * lostOnTimeTasks[lane];
      reward[lane] = -costSlots[lane];
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

  #show(lane: number): void {
    this.#oneLane[0] = lane;
    this.#showAll(this.#oneLane, 1);
  }

  /** Brings the observations of lanes up to date. */
  #showAll(list: Int32Array, count: number): void {
    const { shownStart } = this.outputs;
    for (let i = 0; i < count; i++) {
      const lane = list[i];
      if (shownStart[lane] === this.#laneStart[lane]) continue;
      shownStart[lane] = this.#laneStart[lane];
      writeEpisode(this.#lanes, lane, this.outputs, this.#historySlots);
    }
    writeObservations(this.#lanes, list, count, this.outputs, this.#historySlots);
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

  #end(lane: number): void {
    const { arrays } = this.#lanes;
    arrays.phase[lane] = PHASE_ENDED;
    this.outputs.flags[lane] |= FLAG_TRUNCATED;
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
