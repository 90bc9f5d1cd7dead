/** Many episodes at once: owns the buffers of a batch of lanes and plays them step by step. */

import { allocateScratch, isActionAvailable, type Lanes } from "../core/kernel.js";
import { allocateLanes } from "../core/layout.js";
import {
  allocateLookAhead,
  checkLookAheadActions,
  type DecisionState,
  LookAhead,
  type LookAheadOptions,
  type LookAheadRequest,
  type LookAheadResult,
  lookAheadRequestNames,
  readDecision,
  resolveLookAheadOptions,
} from "../core/look-ahead.js";
import { observationSizeOf } from "../core/observation-rows.js";
import { BatchOutputs, type OutputMemory } from "../core/outputs.js";
import { deriveParameters } from "../core/parameters.js";
import { copyLane, hashOfSnapshot, joinSnapshots, readLane, splitSnapshot, writeLane } from "../core/snapshot.js";
import { TaskLists } from "../core/task-list.js";
import { PHASE_ENDED, PHASE_RUNNING, PHASE_UNUSED } from "../core/workload.js";
import { MecgymError } from "../errors.js";
import { type Scenario, scenarioHash } from "../scenario/scenario.js";
import { checkSeed } from "../scenario/seeds.js";
import { LanePlayer } from "./lane-player.js";
import {
  type AutoresetMode,
  type BatchEnvOptions,
  type BatchSettings,
  checkPerLane,
  resolveBatchOptions,
} from "./options.js";

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
  /** The lanes themselves, for views of them. */
  readonly lanes: Lanes;

  readonly #options: BatchEnvOptions;
  readonly #settings: BatchSettings;
  readonly #player: LanePlayer;
  /** The sets of outputs that this batch may write into. */
  readonly #ownOutputs = new WeakSet<BatchOutputs>();
  /** Outputs that hold what those in use do not yet: see `useOutputs`. */
  #lastWritten: BatchOutputs;
  readonly #actions: Int32Array;
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
    this.#actions = new Int32Array(settings.numLanes);
    this.#lookAhead = new LookAhead(this.maxServers);
    this.#decision = {} as DecisionState;
    this.historySlots = settings.history ? settings.historySlots : 0;
    this.observationSize = observationSizeOf(this.maxServers, this.historySlots);
    this.#lastWritten = this.createOutputs();
    this.#player = new LanePlayer(this.lanes, settings, this.#lastWritten);
  }

  /** What the last step or reset brought: the set of outputs in use. */
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
  /** Slots of their final observations. */
  get finalSlot(): Int32Array {
    return this.#player.finalSlot;
  }
  /** `episodeStatsFields` of those lanes, a row each. */
  get finalStats(): Float64Array {
    return this.#player.finalStats;
  }
  /** Final observations of those lanes, a row each (same-step autoreset alone; else they stand in `observation`). */
  get finalObservation(): Float32Array {
    return this.#player.finalObservation;
  }

  /**
   * Another set of outputs for this batch, all zero: in `memory` of the caller's, or in its own.
   *
   * @throws MecgymError `invalidOption` where an output does not fit its place
   */
  createOutputs(memory?: OutputMemory): BatchOutputs {
    const outputs = new BatchOutputs(this, memory);
    this.#ownOutputs.add(outputs);
    return outputs;
  }

  /**
   * Makes the next step, reset or restore write into `outputs`, and leaves the set in use as it is: one pointer changes.
   * After a step or a whole reset there is nothing in the new set that the batch did not write; what only some lanes
   * take part in copies the others' results over first.
   *
   * @throws MecgymError `invalidOption` unless this batch made them
   */
  useOutputs(outputs: BatchOutputs): void {
    if (!this.#ownOutputs.has(outputs)) {
      throw new MecgymError("invalidOption", {
        path: "outputs",
        got: "outputs of another batch",
        expected: "what createOutputs of this batch gave",
      });
    }
    this.#player.outputs = outputs;
  }

  /** Before a call that some lanes have no part in: their results, where outputs were changed since. */
  #bringOutputs(): void {
    const { outputs } = this.#player;
    if (outputs === this.#lastWritten) return;
    outputs.copyFrom(this.#lastWritten);
    this.#lastWritten = outputs;
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
    if (seeds !== undefined) checkPerLane(seeds, numLanes, "seeds");
    if (mask !== undefined) checkPerLane(mask, numLanes, "mask");
    if (seeds !== undefined) {
      for (let lane = 0; lane < numLanes; lane++) {
        if ((mask === undefined || mask[lane]) && !Number.isNaN(seeds[lane])) checkSeed(seeds[lane], `seeds/${lane}`);
      }
    }
    this.#bringOutputs();
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
    this.#player.step(this.#takeActions(actions));
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
   * C, J, C_impact and r of the actions of a lane's current decision (eq. 22-26): of all, or of those asked for. C and J
   * of an absent server are Infinity, its r is −Infinity.
   *
   * @param request the scenario's own settings, and all actions, where left out
   * @throws MecgymError `needsReset` where the lane has no decision, `invalidOption`, `invalidAction`
   */
  lookAhead(lane: number, request?: LookAheadRequest, out?: LookAheadResult): LookAheadResult {
    this.#checkLane(lane);
    const settings = resolveLookAheadOptions(this.#lookAheadOptions(lane), request, lookAheadRequestNames);
    if (this.lanes.arrays.phase[lane] === PHASE_UNUSED) throw this.#needsReset(lane);
    const numServers = this.lanes.arrays.numServers[lane];
    const actions = request?.actions;
    if (actions !== undefined) checkLookAheadActions(actions, numServers);
    const result = out ?? allocateLookAhead(actions === undefined ? numServers : actions.length - 1);
    readDecision(this.lanes, lane, this.#decision);
    this.#lookAhead.evaluate(this.#decision, this.lanes.parameters[lane], settings, result, actions);
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
    return writeLane(this.lanes, lane, this.#scenarioHash(lane), this.#player.courseOf(lane));
  }

  /**
   * Puts a lane into the state of a snapshot of the same scenario: it plays on exactly as the lane it was taken from.
   *
   * @throws MecgymError `invalidSnapshot`, `invalidOption`; the lane is unchanged
   */
  restore(lane: number, snapshot: Uint8Array): void {
    this.#checkLane(lane);
    const write = readLane(this.lanes, lane, this.#scenarioHash(lane), snapshot);
    this.#bringOutputs();
    this.#player.take(lane, write());
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
    const snapshots = splitSnapshot(snapshot, this.numLanes);
    this.restoreLanes(
      snapshots.map((_, lane) => lane),
      snapshots,
    );
  }

  /**
   * Puts some lanes into the states of snapshots, one for each.
   *
   * @throws MecgymError `invalidSnapshot`, `invalidOption`; no lane is changed
   */
  restoreLanes(lanes: ArrayLike<number>, snapshots: readonly Uint8Array[]): void {
    const writes = snapshots.map((snapshot, i) => {
      this.#checkLane(lanes[i]);
      return readLane(this.lanes, lanes[i], this.#scenarioHash(lanes[i]), snapshot);
    });
    this.#bringOutputs();
    for (const [i, write] of writes.entries()) this.#player.take(lanes[i], write());
    this.#player.numFinal = 0;
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
      if (this.lanes.arrays.phase[lane] !== PHASE_UNUSED) copy.#player.take(lane, this.#player.courseOf(lane));
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
   * @throws MecgymError as `checkFork`
   */
  fork(from: number, to: number): void {
    this.checkFork(from, to);
    copyLane(this.lanes, from, this.lanes, to);
    this.#bringOutputs();
    this.#player.take(to, this.#player.courseOf(from));
  }

  /** @throws MecgymError `needsReset`, or `invalidOption` unless both lanes exist and play one scenario */
  checkFork(from: number, to: number): void {
    this.#checkLane(from);
    this.#checkLane(to);
    if (this.lanes.arrays.phase[from] === PHASE_UNUSED) throw this.#needsReset(from);
    if (this.#settings.laneScenario[from] === this.#settings.laneScenario[to]) return;
    throw new MecgymError("invalidOption", {
      path: "to",
      got: `lane ${to}`,
      expected: `a lane of lane ${from}'s scenario`,
    });
  }

  #scenarioHash(lane: number): string {
    const index = this.#settings.laneScenario[lane];
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

  #needsReset(lane: number): MecgymError {
    return new MecgymError("needsReset", {
      path: `lanes/${lane}`,
      got: this.lanes.arrays.phase[lane] === PHASE_UNUSED ? "a lane before its first reset" : "a lane after its end",
      expected: "a reset first",
    });
  }

  /** Checks one action for each lane, and takes them over as integers. */
  #takeActions(actions: ArrayLike<number>): Int32Array {
    const { phase } = this.lanes.arrays;
    const taken = this.#actions;
    for (let lane = 0; lane < this.numLanes; lane++) {
      const action = actions[lane];
      const integer = typeof action === "number" ? action | 0 : Number.NaN;
      taken[lane] = integer;
      if (phase[lane] !== PHASE_RUNNING) {
        if (phase[lane] === PHASE_ENDED && this.autoreset === "next-step") continue;
        throw this.#needsReset(lane);
      }
      const isInteger = integer === action;
      if (isInteger && isActionAvailable(this.lanes, lane, action)) continue;
      if (isInteger && this.#settings.invalidActions === "costliest") continue;
      throw new MecgymError("invalidAction", {
        path: `actions/${lane}`,
        got: action,
        expected: this.#describeActions(lane),
      });
    }
    return taken;
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
