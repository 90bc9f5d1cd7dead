/** The batch over the TypeScript kernel, with which the tests compare the core. */

import { checkOption, checkPerLane, isIntegerIn } from "../checks.js";
import { joinSnapshots, splitSnapshot } from "../core/batch-snapshot.js";
import { copyLane } from "../core/copy-lane.js";
import { type DecisionState, readDecision } from "../core/decision-state.js";
import { allocateScratch, type Lanes } from "../core/kernel.js";
import { allocateLanes } from "../core/layout.js";
import { allocateLookAhead, LookAhead, type LookAheadResult } from "../core/look-ahead.js";
import {
  checkLookAheadActions,
  type LookAheadOptions,
  type LookAheadRequest,
  lookAheadRequestNames,
  resolveLookAheadOptions,
} from "../core/look-ahead-options.js";
import { observationSizeOf } from "../core/observation-rows.js";
import { BatchOutputs, type OutputMemory } from "../core/outputs.js";
import { deriveParameters } from "../core/parameters.js";
import { PHASE_UNUSED } from "../core/phases.js";
import { hashOfSnapshot, readLane, writeLane } from "../core/snapshot.js";
import { TaskLists } from "../core/task-list.js";
import { type Scenario, scenarioHash } from "../scenario/scenario.js";
import { checkSeed } from "../scenario/seeds.js";
import { ActionChecker, needsReset } from "./kernel-actions.js";
import { LanePlayer } from "./lane-player.js";
import { type AutoresetMode, type BatchEnvOptions, type BatchSettings, resolveBatchOptions } from "./options.js";

export class KernelBatch {
  readonly scenarios: readonly Scenario[];
  readonly numLanes: number;
  readonly maxServers: number;
  readonly maxUsers: number;
  /** W of the observations; 0 if they have no history. */
  readonly historySlots: number;
  /** Numbers in one lane's observation. */
  readonly observationSize: number;
  readonly autoreset: AutoresetMode;
  /** The lanes, for views of them. */
  readonly lanes: Lanes;

  readonly #options: BatchEnvOptions;
  readonly #settings: BatchSettings;
  readonly #player: LanePlayer;
  /** The sets of outputs that this batch made and may write into. */
  readonly #ownOutputs = new WeakSet<BatchOutputs>();
  /** The outputs of the last call, from which the outputs in use may still need results: see `useOutputs`. */
  #lastWritten: BatchOutputs;
  readonly #actions: ActionChecker;
  readonly #lookAhead: LookAhead;
  readonly #decision: DecisionState;
  readonly #scenarioHashes: string[] = [];

  constructor(options: BatchEnvOptions) {
    const settings = resolveBatchOptions(options);
    this.#options = { ...options };
    this.#settings = settings;
    this.scenarios = settings.scenarios;
    this.numLanes = settings.numLanes;
    this.maxServers = settings.maxServers;
    this.maxUsers = settings.maxUsers;
    this.autoreset = settings.autoreset;
    this.lanes = makeLanes(settings);
    this.#actions = new ActionChecker(this.lanes, settings);
    this.#lookAhead = new LookAhead(this.maxServers);
    this.#decision = {} as DecisionState;
    this.historySlots = settings.history ? settings.historySlots : 0;
    this.observationSize = observationSizeOf(this.maxServers, this.historySlots);
    this.#lastWritten = this.createOutputs();
    this.#player = new LanePlayer(this.lanes, settings, this.#lastWritten);
  }

  /** The set of outputs in use, with the results of the last step or reset. */
  get outputs(): BatchOutputs {
    return this.#player.outputs;
  }
  get observation(): Float32Array {
    return this.#player.outputs.observation;
  }
  get actionMask(): Uint8Array {
    return this.#player.outputs.actionMask;
  }
  get reward(): Float64Array {
    return this.#player.outputs.reward;
  }
  get latencySlots(): Float64Array {
    return this.#player.outputs.latencySlots;
  }
  get costSlots(): Float64Array {
    return this.#player.outputs.costSlots;
  }
  get lostTasks(): Int32Array {
    return this.#player.outputs.lostTasks;
  }
  get lostOnTimeTasks(): Int32Array {
    return this.#player.outputs.lostOnTimeTasks;
  }
  get executedAction(): Int32Array {
    return this.#player.outputs.executedAction;
  }
  get flags(): Uint8Array {
    return this.#player.outputs.flags;
  }
  /** Lanes whose episode ended in the last step: the first `numFinal` entries of the arrays below. */
  get numFinal(): number {
    return this.#player.numFinal;
  }
  get finalLane(): Int32Array {
    return this.#player.finalLane;
  }
  /** The slots of their final observations. */
  get finalSlot(): Int32Array {
    return this.#player.finalSlot;
  }
  /** The `episodeStatsFields` of those lanes, one row each. */
  get finalStats(): Float64Array {
    return this.#player.finalStats;
  }
  /** Final observations of those lanes, one row each, with same-step autoreset; else `observation` holds them. */
  get finalObservation(): Float32Array {
    return this.#player.finalObservation;
  }

  /**
   * Makes another set of outputs for this batch, all zeros, in the caller's `memory` or in new memory.
   *
   * @throws MecgymError `invalidOption` if an output does not fit its place
   */
  createOutputs(memory?: OutputMemory): BatchOutputs {
    const outputs = new BatchOutputs(this, memory);
    this.#ownOutputs.add(outputs);
    return outputs;
  }

  /**
   * Makes the next step, reset or restore write into `outputs`; the set in use stays as it is. Only a pointer changes.
   * A step or a full reset writes the whole new set; a call for some lanes first copies the results of the others.
   *
   * @throws MecgymError `invalidOption` unless this batch made them
   */
  useOutputs(outputs: BatchOutputs): void {
    const isOwn = this.#ownOutputs.has(outputs);
    checkOption(isOwn, "outputs", "outputs of another batch", "what createOutputs of this batch gave");
    this.#player.outputs = outputs;
  }

  /** A call for some lanes first copies the results of the others, if other outputs are in use now. */
  #syncOutputs(): void {
    const { outputs } = this.#player;
    if (outputs === this.#lastWritten) return;
    outputs.copyFrom(this.#lastWritten);
    this.#lastWritten = outputs;
  }

  /**
   * Starts new episodes.
   *
   * @param seeds one episode seed for each lane; NaN, or no seeds, takes the next seed of the split
   * @param mask 1 for the lanes to reset; all lanes by default
   * @throws MecgymError `invalidSeed`, `invalidOption`; no lane is changed
   */
  reset(seeds?: ArrayLike<number>, mask?: ArrayLike<number>): void {
    const { numLanes } = this;
    if (seeds !== undefined) checkPerLane(seeds, numLanes, "seeds");
    if (mask !== undefined) checkPerLane(mask, numLanes, "mask");
    if (seeds !== undefined) {
      for (let lane = 0; lane < numLanes; lane++) {
        if ((mask === undefined || mask[lane]) && !Number.isNaN(seeds[lane])) checkSeed(seeds[lane], `seeds/${lane}`);
      }
    }
    this.#syncOutputs();
    this.#player.numFinal = 0;
    for (let lane = 0; lane < numLanes; lane++) {
      if (mask !== undefined && !mask[lane]) continue;
      this.#player.reset(lane, seeds === undefined ? Number.NaN : seeds[lane]);
    }
  }

  /**
   * Carries out one decision in every lane.
   *
   * @param actions one action for each lane; an action of a lane that only resets (next-step autoreset) is ignored
   * @throws MecgymError `needsReset`, `invalidAction`; no lane is changed
   */
  step(actions: ArrayLike<number>): void {
    checkPerLane(actions, this.numLanes, "actions");
    this.#player.step(this.#actions.check(actions));
    this.#lastWritten = this.#player.outputs;
  }

  /** The scenario that a lane plays. */
  scenarioOf(lane: number): Scenario {
    this.#checkLane(lane);
    return this.scenarios[this.#settings.laneScenario[lane]];
  }

  #lookAheadOptions(lane: number): LookAheadOptions {
    return this.scenarios[this.#settings.laneScenario[lane]].lookAhead;
  }

  /**
   * C, J, C_impact and r of all actions of a lane's current decision, or of those asked for (eq. 22-26). For an absent
   * server C and J are Infinity and r is −Infinity.
   *
   * @param request settings and actions; the scenario's own settings and all actions by default
   * @throws MecgymError `needsReset` if the lane has no decision, `invalidOption`, `invalidAction`
   */
  lookAhead(lane: number, request?: LookAheadRequest, out?: LookAheadResult): LookAheadResult {
    this.#checkLane(lane);
    const settings = resolveLookAheadOptions(this.#lookAheadOptions(lane), request, lookAheadRequestNames);
    if (this.lanes.arrays.phase[lane] === PHASE_UNUSED) throw needsReset(this.lanes, lane);
    const numServers = this.lanes.arrays.numServers[lane];
    const actions = request?.actions;
    if (actions !== undefined) checkLookAheadActions(actions, numServers);
    const result = out ?? allocateLookAhead(actions === undefined ? numServers : actions.length - 1);
    readDecision(this.lanes, lane, this.#decision);
    this.#lookAhead.evaluate(this.#decision, this.lanes.parameters[lane], settings, result, actions);
    return result;
  }

  /**
   * The whole state of a lane as bytes (docs/model.md, Snapshots).
   *
   * @throws MecgymError `needsReset`, `invalidOption`
   */
  snapshot(lane: number): Uint8Array {
    this.#checkLane(lane);
    if (this.lanes.arrays.phase[lane] === PHASE_UNUSED) throw needsReset(this.lanes, lane);
    return writeLane(this.lanes, lane, this.#scenarioHash(lane), this.#player.courseOf(lane));
  }

  /**
   * Restores a lane from a snapshot of the same scenario: it plays on exactly as the original lane.
   *
   * @throws MecgymError `invalidSnapshot`, `invalidOption`; the lane is unchanged
   */
  restore(lane: number, snapshot: Uint8Array): void {
    this.#checkLane(lane);
    const write = readLane(this.lanes, lane, this.#scenarioHash(lane), snapshot);
    this.#syncOutputs();
    this.#player.adopt(lane, write());
  }

  /**
   * The state of all lanes as bytes.
   *
   * @throws MecgymError `needsReset` unless every lane has been reset
   */
  snapshotAll(): Uint8Array {
    return joinSnapshots(Array.from({ length: this.numLanes }, (_, lane) => this.snapshot(lane)));
  }

  /**
   * Restores all lanes from a `snapshotAll` of a batch with the same number of lanes and the same scenarios.
   *
   * @throws MecgymError `invalidSnapshot`; no lane is changed
   */
  restoreAll(snapshot: Uint8Array): void {
    const snapshots = splitSnapshot(snapshot, this.numLanes);
    this.restoreLanes(
      snapshots.map((_, lane) => lane),
      snapshots,
    );
  }

  /**
   * Restores some lanes, each from its snapshot.
   *
   * @throws MecgymError `invalidSnapshot`, `invalidOption`; no lane is changed
   */
  restoreLanes(lanes: ArrayLike<number>, snapshots: readonly Uint8Array[]): void {
    const writes = snapshots.map((snapshot, i) => {
      this.#checkLane(lanes[i]);
      return readLane(this.lanes, lanes[i], this.#scenarioHash(lanes[i]), snapshot);
    });
    this.#syncOutputs();
    for (const [i, write] of writes.entries()) this.#player.adopt(lanes[i], write());
    this.#player.numFinal = 0;
  }

  /**
   * Another batch in the same state; the two play on independently.
   *
   * The copy has no outputs of the last step (rewards, flags, ends), as after a restore.
   */
  forkAll(): KernelBatch {
    const copy = new KernelBatch(this.#options);
    for (let lane = 0; lane < this.numLanes; lane++) {
      copyLane(this.lanes, lane, copy.lanes, lane);
      if (this.lanes.arrays.phase[lane] !== PHASE_UNUSED) copy.#player.adopt(lane, this.#player.courseOf(lane));
    }
    return copy;
  }

  /** Sixteen hexadecimal digits that name a lane's state: two lanes with the same name play on alike. */
  stateHash(lane: number): string {
    return hashOfSnapshot(this.snapshot(lane));
  }

  /**
   * Makes lane `to` a copy of lane `from`; the two then play on independently.
   *
   * @throws MecgymError as `checkFork`
   */
  fork(from: number, to: number): void {
    this.checkFork(from, to);
    copyLane(this.lanes, from, this.lanes, to);
    this.#syncOutputs();
    this.#player.adopt(to, this.#player.courseOf(from));
  }

  /** @throws MecgymError `needsReset`, or `invalidOption` unless both lanes exist and play the same scenario */
  checkFork(from: number, to: number): void {
    this.#checkLane(from);
    this.#checkLane(to);
    if (this.lanes.arrays.phase[from] === PHASE_UNUSED) throw needsReset(this.lanes, from);
    const isSameScenario = this.#settings.laneScenario[from] === this.#settings.laneScenario[to];
    checkOption(isSameScenario, "to", `lane ${to}`, `a lane of lane ${from}'s scenario`);
  }

  #scenarioHash(lane: number): string {
    const index = this.#settings.laneScenario[lane];
    this.#scenarioHashes[index] ??= scenarioHash(this.scenarios[index]);
    return this.#scenarioHashes[index];
  }

  #checkLane(lane: number): void {
    if (isIntegerIn(lane, 0, this.numLanes - 1)) return;
    checkOption(false, "lane", lane, `a lane from 0 to ${this.numLanes - 1}`);
  }
}

function makeLanes({ scenarios, laneScenario, numLanes, maxServers, maxUsers, historySlots }: BatchSettings): Lanes {
  const size = { numLanes, maxServers, maxUsers, historySlots };
  const parameters = scenarios.map(deriveParameters);
  return {
    size,
    arrays: allocateLanes(size),
    tasks: new TaskLists(numLanes),
    parameters: Array.from(laneScenario, (index) => parameters[index]),
    ...allocateScratch(size),
  };
}
