/** Many episodes at once: owns the buffers of a batch of lanes and plays them step by step. */

import { markNewestTask } from "./churn.js";
import { checkNames, MecgymError } from "./errors.js";
import {
  actionLatencySlots,
  assignTask,
  costliestAction,
  costOfLatency,
  countUnfinished,
  isActionAvailable,
  type Lanes,
} from "./kernel.js";
import { allocateLanes } from "./layout.js";
import {
  allocateLookAhead,
  type DecisionState,
  LookAhead,
  type LookAheadOptions,
  type LookAheadResult,
  readDecision,
  resolveLookAheadOptions,
} from "./look-ahead.js";
import { wordsOf } from "./math.js";
import { deriveParameters } from "./parameters.js";
import { MAX_SEED } from "./random.js";
import {
  maxServersOf,
  maxUsersOf,
  resolveScenario,
  type Scenario,
  type ScenarioInput,
  scenarioHash,
} from "./scenario.js";
import { checkSeed, nextEpisodeSeed, type Split, splits } from "./seeds.js";
import {
  copyLane,
  hashOfSnapshot,
  joinSnapshots,
  type LaneCourse,
  readLane,
  splitSnapshot,
  writeLane,
} from "./snapshot.js";
import { TaskLists } from "./task-list.js";
import { advanceToNextTask, PHASE_ENDED, PHASE_RUNNING, PHASE_UNUSED, startEpisode } from "./workload.js";

/** What a batch does with a lane whose episode has ended; Gymnasium's three modes. */
export type AutoresetMode = "next-step" | "same-step" | "disabled";

export interface BatchEnvOptions {
  /** Scenarios by id or by their fields. */
  readonly scenarios: readonly (string | ScenarioInput)[];
  readonly numLanes: number;
  /** Which scenario each lane plays; the first one where left out. */
  readonly laneScenario?: ArrayLike<number>;
  /** Servers an observation has room for; the most any scenario has where left out. */
  readonly maxServers?: number;
  /** Whether observations end with the workload history. */
  readonly history?: boolean;
  readonly autoreset?: AutoresetMode;
  /** What an action outside {0, …, E}, or an absent server, does: an error, or the costliest action with a flag. */
  readonly invalidActions?: "error" | "costliest";
  /** Where the seeds of resets without one come from. */
  readonly split?: Split;
  /** Seed of the function that picks them. */
  readonly seed?: number;
  /** Index of this batch's first lane among all lanes of a session; part of the same function. */
  readonly firstLane?: number;
}

const optionNames: readonly (keyof BatchEnvOptions)[] = [
  "scenarios",
  "numLanes",
  "laneScenario",
  "maxServers",
  "history",
  "autoreset",
  "invalidActions",
  "split",
  "seed",
  "firstLane",
];

/** Bits of `flags`. */
export const FLAG_TRUNCATED = 1;
export const FLAG_LATE = 2;
export const FLAG_INVALID_ACTION = 4;
/** The step only reset the lane: no action was taken, and the reward is 0. */
export const FLAG_RESET = 8;

/** The numbers that begin a lane's observation, in order. */
export const observationHeader = [
  "sizeMbit",
  "densityGcyclesPerMbit",
  "deadlineSlots",
  "userIndex",
  "localCpuGHz",
  "localWaitSlots",
] as const;

/** The numbers of each server that follow, in order. */
export const observationServerFields = ["rateMbps", "cpuGHz", "activeTasks", "workloadMbit"] as const;

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

export class BatchEnv {
  readonly scenarios: readonly Scenario[];
  readonly numLanes: number;
  readonly maxServers: number;
  readonly maxUsers: number;
  /** W of the observations; 0 where they have no history. */
  readonly historySlots: number;
  /** Numbers in one lane's observation. */
  readonly observationSize: number;
  readonly autoreset: AutoresetMode;

  /** Observations, [numLanes, observationSize]; units as in `observationHeader` and `observationServerFields`. */
  readonly observation: Float32Array;
  /** 1 where an action exists and its server is there, [numLanes, maxServers + 1]. */
  readonly actionMask: Uint8Array;
  /** Reward of the last step, −costSlots (eq. 14), [numLanes]. */
  readonly reward: Float64Array;
  /** Latency C of the last step, slots, [numLanes]. */
  readonly latencySlots: Float64Array;
  /** Cost of the last step: J, and ρ for each of `lostOnTimeTasks`, slots, [numLanes]. */
  readonly costSlots: Float64Array;
  /** Tasks lost with servers that left after the last step and before the next one, [numLanes]; 0 without churn. */
  readonly lostTasks: Int32Array;
  /** Those of them that were not late at their decision, and so not charged the penalty then, [numLanes]. */
  readonly lostOnTimeTasks: Int32Array;
  /** Action that was carried out, [numLanes]. */
  readonly executedAction: Int32Array;
  /** FLAG_… bits of the last step, [numLanes]. */
  readonly flags: Uint8Array;
  /** Lanes whose episode ended in the last step: the first `numFinal` entries. */
  numFinal = 0;
  readonly finalLane: Int32Array;
  /** Slots of their final observations. */
  readonly finalSlot: Int32Array;
  /** `episodeStatsFields` of those lanes, a row each. */
  readonly finalStats: Float64Array;
  /** Final observations of those lanes, a row each (same-step autoreset alone; else they stand in `observation`). */
  readonly finalObservation: Float32Array;

  /** The lanes themselves, for views of them. */
  readonly lanes: Lanes;

  readonly #laneScenario: Int32Array;
  readonly #invalidActions: "error" | "costliest";
  readonly #split: Split;
  readonly #firstLane: number;
  /** Seed of the next-seed function, and episodes started, lane by lane. */
  readonly #laneSeed: Float64Array;
  readonly #episodeIndex: Float64Array;
  readonly #lookAhead: LookAhead;
  readonly #decision: DecisionState;
  readonly #scenarioHashes: string[] = [];
  readonly #options: BatchEnvOptions;

  constructor(options: BatchEnvOptions) {
    checkNames(options, optionNames, "options");
    this.#options = { ...options };
    const { numLanes, scenarios, history } = options;
    if (!Array.isArray(scenarios) || scenarios.length === 0) {
      throw new MecgymError("invalidOption", { path: "scenarios", got: scenarios, expected: "a list of scenarios" });
    }
    this.scenarios = scenarios.map((scenario) => resolveScenario(scenario));
    if (history !== undefined && typeof history !== "boolean") {
      throw new MecgymError("invalidOption", { path: "history", got: history, expected: "true or false" });
    }
    if (options.firstLane !== undefined) checkCount(options.firstLane, "firstLane", 0, MAX_SEED);
    checkCount(numLanes, "numLanes", 1, 1_048_576);
    const neededServers = Math.max(...this.scenarios.map(maxServersOf));
    this.maxServers = options.maxServers ?? neededServers;
    checkCount(this.maxServers, "maxServers", neededServers, 512);
    checkChoice(options.split, "split", Object.keys(splits));
    checkChoice(options.autoreset, "autoreset", ["next-step", "same-step", "disabled"]);
    checkChoice(options.invalidActions, "invalidActions", ["error", "costliest"]);
    this.numLanes = numLanes;
    this.maxUsers = Math.max(...this.scenarios.map(maxUsersOf));
    this.autoreset = options.autoreset ?? "disabled";
    this.#invalidActions = options.invalidActions ?? "error";
    this.#split = options.split ?? "train";
    this.#firstLane = options.firstLane ?? 0;
    checkSeed(options.seed ?? 0, "seed");
    this.#laneSeed = new Float64Array(numLanes).fill(options.seed ?? 0);
    this.#episodeIndex = new Float64Array(numLanes);
    this.#laneScenario = new Int32Array(numLanes);
    if (options.laneScenario !== undefined) {
      this.#checkLength(options.laneScenario, "laneScenario");
      for (let lane = 0; lane < numLanes; lane++) {
        const index = options.laneScenario[lane];
        if (!Number.isInteger(index) || index < 0 || index >= this.scenarios.length) {
          throw new MecgymError("invalidOption", {
            path: `laneScenario/${lane}`,
            got: index,
            expected: `an index into the ${this.scenarios.length} scenarios`,
          });
        }
        this.#laneScenario[lane] = index;
      }
    }

    const historySlots = Math.max(...this.scenarios.map((scenario) => scenario.historySlots));
    const size = { numLanes, maxServers: this.maxServers, maxUsers: this.maxUsers, historySlots };
    const parameters = this.scenarios.map(deriveParameters);
    const fading = new Float64Array(this.maxServers);
    this.lanes = {
      size,
      arrays: allocateLanes(size),
      tasks: new TaskLists(numLanes),
      parameters: Array.from(this.#laneScenario, (index) => parameters[index]),
      shareMbit: new Float64Array(this.maxServers),
      serviceMbit: new Float64Array(this.maxServers),
      sharingTasks: new Int32Array(this.maxServers),
      busyServers: new Int32Array(this.maxServers),
      fading,
      fadingWords: wordsOf(fading),
    };
    this.#lookAhead = new LookAhead(this.maxServers);
    this.#decision = {} as DecisionState;

    this.historySlots = options.history ? historySlots : 0;
    this.observationSize =
      observationHeader.length + this.maxServers * (observationServerFields.length + this.historySlots);
    this.observation = new Float32Array(numLanes * this.observationSize);
    this.actionMask = new Uint8Array(numLanes * (this.maxServers + 1));
    this.reward = new Float64Array(numLanes);
    this.latencySlots = new Float64Array(numLanes);
    this.costSlots = new Float64Array(numLanes);
    this.lostTasks = new Int32Array(numLanes);
    this.lostOnTimeTasks = new Int32Array(numLanes);
    this.executedAction = new Int32Array(numLanes);
    this.flags = new Uint8Array(numLanes);
    this.finalLane = new Int32Array(numLanes);
    this.finalSlot = new Int32Array(numLanes);
    this.finalStats = new Float64Array(numLanes * episodeStatsFields.length);
    this.finalObservation = new Float32Array(this.autoreset === "same-step" ? numLanes * this.observationSize : 0);
  }

  /**
   * Starts new episodes.
   *
   * @param seeds one episode seed for each lane; NaN, or none at all, takes the next seed of the split
   * @param mask 1 where a lane is to be reset; all lanes where left out
   * @throws MecgymError `invalidSeed`, `invalidOption`; no lane is changed
   */
  reset(seeds?: ArrayLike<number>, mask?: ArrayLike<number>): void {
    const { numLanes } = this;
    if (seeds !== undefined) this.#checkLength(seeds, "seeds");
    if (mask !== undefined) this.#checkLength(mask, "mask");
    if (seeds !== undefined) {
      for (let lane = 0; lane < numLanes; lane++) {
        if ((mask === undefined || mask[lane]) && !Number.isNaN(seeds[lane])) checkSeed(seeds[lane], `seeds/${lane}`);
      }
    }
    this.numFinal = 0;
    for (let lane = 0; lane < numLanes; lane++) {
      if (mask !== undefined && !mask[lane]) continue;
      const seed = seeds === undefined ? Number.NaN : seeds[lane];
      if (!Number.isNaN(seed)) {
        this.#laneSeed[lane] = seed;
        this.#episodeIndex[lane] = 0;
      }
      this.#startLane(lane, seed);
      this.#clearStep(lane);
    }
  }

  /**
   * Carries out one decision in every lane.
   *
   * @param actions one action for each lane; an action of a lane that only resets (next-step autoreset) is ignored
   * @throws MecgymError `needsReset`, `invalidAction`; no lane is changed
   */
  step(actions: ArrayLike<number>): void {
    this.#checkLength(actions, "actions");
    this.#checkActions(actions);
    this.numFinal = 0;
    for (let lane = 0; lane < this.numLanes; lane++) {
      if (this.lanes.arrays.phase[lane] === PHASE_ENDED) {
        this.#startLane(lane, Number.NaN);
        this.#clearStep(lane);
        this.flags[lane] = FLAG_RESET;
      } else {
        this.#stepLane(lane, actions[lane]);
      }
    }
  }

  #lookAheadOptions(lane: number): LookAheadOptions {
    return this.scenarios[this.#laneScenario[lane]].lookAhead;
  }

  /**
   * C, J, C_impact and r of every action of a lane's current decision (eq. 22-26). C and J of an absent server are
   * Infinity, its r is −Infinity.
   *
   * @param options the scenario's own settings where left out
   * @throws MecgymError `needsReset` where the lane has no decision, `invalidOption`
   */
  lookAhead(lane: number, options?: Partial<LookAheadOptions>, out?: LookAheadResult): LookAheadResult {
    this.#checkLane(lane);
    const settings = resolveLookAheadOptions(this.#lookAheadOptions(lane), options);
    if (this.lanes.arrays.phase[lane] === PHASE_UNUSED) throw this.#needsReset(lane);
    const result = out ?? allocateLookAhead(this.lanes.arrays.numServers[lane]);
    readDecision(this.lanes, lane, this.#decision);
    this.#lookAhead.evaluate(this.#decision, this.lanes.parameters[lane], settings, result);
    return result;
  }

  /**
   * A lane's whole state as bytes (docs/model.md, Snapshots).
   *
   * @throws MecgymError `needsReset`, `invalidOption`
   */
  snapshot(lane: number): Uint8Array {
    this.#checkLane(lane);
    if (this.lanes.arrays.phase[lane] === PHASE_UNUSED) throw this.#needsReset(lane);
    const course = { seed: this.#laneSeed[lane], episodeIndex: this.#episodeIndex[lane] };
    return writeLane(this.lanes, lane, this.#scenarioHash(lane), course);
  }

  /**
   * Puts a lane into the state of a snapshot of the same scenario: it plays on exactly as the lane it was taken from.
   *
   * @throws MecgymError `invalidSnapshot`, `invalidOption`; the lane is unchanged
   */
  restore(lane: number, snapshot: Uint8Array): void {
    this.#checkLane(lane);
    this.#take(lane, readLane(this.lanes, lane, this.#scenarioHash(lane), snapshot)());
  }

  /** Shows a lane's state after it was put there. */
  #take(lane: number, course: LaneCourse): void {
    this.#laneSeed[lane] = course.seed;
    this.#episodeIndex[lane] = course.episodeIndex;
    this.#clearStep(lane);
    this.#show(lane);
  }

  /**
   * The state of all lanes as bytes.
   *
   * @throws MecgymError `needsReset` unless every lane was reset
   */
  snapshotAll(): Uint8Array {
    return joinSnapshots(Array.from({ length: this.numLanes }, (_, lane) => this.snapshot(lane)));
  }

  /**
   * Puts all lanes into the state of a `snapshotAll` of a batch with as many lanes of the same scenarios.
   *
   * @throws MecgymError `invalidSnapshot`; no lane is changed
   */
  restoreAll(snapshot: Uint8Array): void {
    const writes = splitSnapshot(snapshot, this.numLanes).map((one, lane) =>
      readLane(this.lanes, lane, this.#scenarioHash(lane), one),
    );
    for (const [lane, write] of writes.entries()) this.#take(lane, write());
    this.numFinal = 0;
  }

  /**
   * Another batch in the same state: each of the two plays on as if the other were not there.
   *
   * The copy's outputs of the last step (rewards, flags, ends) are those after a restore: none.
   */
  forkAll(): BatchEnv {
    const copy = new BatchEnv(this.#options);
    for (let lane = 0; lane < this.numLanes; lane++) {
      copyLane(this.lanes, lane, copy.lanes, lane);
      const course = { seed: this.#laneSeed[lane], episodeIndex: this.#episodeIndex[lane] };
      if (this.lanes.arrays.phase[lane] !== PHASE_UNUSED) copy.#take(lane, course);
    }
    return copy;
  }

  /** Sixteen hexadecimal digits that name a lane's state: two lanes with one name play on alike. */
  stateHash(lane: number): string {
    return hashOfSnapshot(this.snapshot(lane));
  }

  /**
   * Makes lane `to` a copy of lane `from`, which is not touched by it now or later.
   *
   * @throws MecgymError `needsReset`, or `invalidOption` unless both exist and play one scenario
   */
  fork(from: number, to: number): void {
    this.#checkLane(from);
    this.#checkLane(to);
    if (this.lanes.arrays.phase[from] === PHASE_UNUSED) throw this.#needsReset(from);
    if (this.#laneScenario[from] !== this.#laneScenario[to]) {
      throw new MecgymError("invalidOption", {
        path: "to",
        got: `lane ${to}`,
        expected: `a lane of lane ${from}'s scenario`,
      });
    }
    copyLane(this.lanes, from, this.lanes, to);
    this.#take(to, { seed: this.#laneSeed[from], episodeIndex: this.#episodeIndex[from] });
  }

  #scenarioHash(lane: number): string {
    const index = this.#laneScenario[lane];
    this.#scenarioHashes[index] ??= scenarioHash(this.scenarios[index]);
    return this.#scenarioHashes[index];
  }

  #checkLane(lane: number): void {
    if (Number.isInteger(lane) && lane >= 0 && lane < this.numLanes) return;
    throw new MecgymError("invalidOption", {
      path: "lane",
      got: lane,
      expected: `a lane from 0 to ${this.numLanes - 1}`,
    });
  }

  #checkLength(values: ArrayLike<number> | undefined | null, path: string): void {
    if (values?.length !== this.numLanes) {
      throw new MecgymError("invalidOption", {
        path,
        got: values?.length === undefined ? values : `${values.length} values`,
        expected: `${this.numLanes}, one for each lane`,
      });
    }
  }

  #needsReset(lane: number): MecgymError {
    return new MecgymError("needsReset", {
      path: `lanes/${lane}`,
      got: this.lanes.arrays.phase[lane] === PHASE_UNUSED ? "a lane before its first reset" : "a lane after its end",
      expected: "a reset first",
    });
  }

  #checkActions(actions: ArrayLike<number>): void {
    const { phase } = this.lanes.arrays;
    for (let lane = 0; lane < this.numLanes; lane++) {
      if (phase[lane] !== PHASE_RUNNING) {
        if (phase[lane] === PHASE_ENDED && this.autoreset === "next-step") continue;
        throw this.#needsReset(lane);
      }
      const action = actions[lane];
      const isInteger = typeof action === "number" && (action | 0) === action;
      if (isInteger && isActionAvailable(this.lanes, lane, action)) continue;
      if (isInteger && this.#invalidActions === "costliest") continue;
      throw new MecgymError("invalidAction", {
        path: `actions/${lane}`,
        got: action,
        expected: this.#describeActions(lane),
      });
    }
  }

  #describeActions(lane: number): string {
    const numServers = this.lanes.arrays.numServers[lane];
    const range = `an integer from 0 (local) to ${numServers} (server ${numServers})`;
    const absent: number[] = [];
    for (let action = 1; action <= numServers; action++) {
      if (!isActionAvailable(this.lanes, lane, action)) absent.push(action);
    }
    return absent.length === 0 ? range : `${range}; absent now: ${absent.join(", ")}`;
  }

  #startLane(lane: number, seed: number): void {
    const episode = this.#episodeIndex[lane];
    this.#episodeIndex[lane] = episode + 1;
    const episodeSeed = Number.isNaN(seed)
      ? nextEpisodeSeed(this.#split, this.#laneSeed[lane], this.#firstLane + lane, episode)
      : seed;
    startEpisode(this.lanes, lane, this.scenarios[this.#laneScenario[lane]], episodeSeed);
    this.#show(lane);
  }

  /** Fills a lane's observation and mask anew, padding included. */
  #show(lane: number): void {
    this.observation.fill(0, lane * this.observationSize, (lane + 1) * this.observationSize);
    this.#showMask(lane);
    this.#observe(lane);
  }

  #showMask(lane: number): void {
    const { isAvailable } = this.lanes.arrays;
    const { maxServers, actionMask } = this;
    const first = lane * (maxServers + 1);
    actionMask[first] = 1;
    for (let e = 0; e < maxServers; e++) actionMask[first + 1 + e] = isAvailable[lane * maxServers + e];
  }

  #clearStep(lane: number): void {
    this.reward[lane] = 0;
    this.latencySlots[lane] = 0;
    this.costSlots[lane] = 0;
    this.lostTasks[lane] = 0;
    this.lostOnTimeTasks[lane] = 0;
    this.executedAction[lane] = 0;
    this.flags[lane] = 0;
  }

  #stepLane(lane: number, requested: number): void {
    const { lanes } = this;
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
      this.lostTasks[lane] = arrays.lostTasks[lane] - lostBefore;
      this.lostOnTimeTasks[lane] = arrays.lostOnTimeTasks[lane] - lostOnTimeBefore;
      costSlots += p.penaltySlots * this.lostOnTimeTasks[lane];
    } else {
      advanceToNextTask(lanes, lane);
    }
    this.latencySlots[lane] = latencySlots;
    this.costSlots[lane] = costSlots;
    this.reward[lane] = -costSlots; // eq. 14
    this.executedAction[lane] = action;
    if (arrays.slot[lane] >= p.episodeSlots) {
      arrays.phase[lane] = PHASE_ENDED;
      flags |= FLAG_TRUNCATED;
      this.#observe(lane);
      this.#endLane(lane);
    } else {
      this.#observe(lane);
    }
    this.flags[lane] = flags;
  }

  #endLane(lane: number): void {
    const { arrays } = this.lanes;
    // an extended episode ends with its one task, perhaps in the middle of a slot
    if (arrays.slot[lane] < arrays.endSlot[lane]) countUnfinished(this.lanes, lane);
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
    if (this.autoreset !== "same-step") return;
    const width = this.observationSize;
    for (let i = 0, from = lane * width, to = row * width; i < width; i++) {
      this.finalObservation[to + i] = this.observation[from + i];
    }
    this.#startLane(lane, Number.NaN);
  }

  #observe(lane: number): void {
    const { lanes, observation, maxServers, historySlots } = this;
    const { arrays, size } = lanes;
    const p = lanes.parameters[lane];
    const user = lane * size.maxUsers + arrays.userIndex[lane];
    const backlogMbit = arrays.backlogMbit[user] + arrays.addedBacklogMbit[user];
    let at = lane * this.observationSize;
    observation[at++] = arrays.sizeMbit[lane];
    observation[at++] = p.densityGcyclesPerMbit;
    observation[at++] = p.deadlineSlots;
    observation[at++] = arrays.userIndex[lane];
    observation[at++] = p.localCpuGHz;
    observation[at++] = (backlogMbit * p.densityGcyclesPerMbit) / p.localCpuGHz / p.slotSeconds;
    if (p.hasChurn) this.#showMask(lane);
    const first = lane * maxServers;
    const end = first + arrays.numServers[lane];
    for (let e = first; e < end; e++) {
      observation[at++] = arrays.rateMbps[e];
      observation[at++] = arrays.isAvailable[e] === 1 ? arrays.cpuGHz[e] : 0;
      observation[at++] = arrays.activeTasks[e];
      observation[at++] = arrays.workloadMbit[e];
    }
    if (historySlots === 0) return;
    at = lane * this.observationSize + observationHeader.length + maxServers * observationServerFields.length;
    const firstRow = lane * size.historySlots;
    const oldest = arrays.slot[lane] % p.historySlots;
    // a lane whose own history is shorter than the batch's leaves the rest of its row at zero
    for (let e = 0; e < end - first; e++, at += historySlots) {
      for (let i = 0; i < p.historySlots; i++) {
        const row = firstRow + ((oldest + i) % p.historySlots);
        observation[at + i] = arrays.historyMbit[row * maxServers + e];
      }
    }
  }
}

function checkChoice(value: string | undefined, path: string, choices: readonly string[]): void {
  if (value === undefined || choices.includes(value)) return;
  throw new MecgymError("invalidOption", { path, got: value, expected: `one of ${choices.join(", ")}` });
}

function checkCount(value: unknown, path: string, min: number, max: number): void {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return;
  throw new MecgymError("invalidOption", { path, got: value, expected: `an integer from ${min} to ${max}` });
}
