/** Many episodes at once: a batch of lanes that are played step by step. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { checkOption, checkPerLane, isIntegerIn } from "../checks.js";
import { PHASE_UNUSED } from "../core/phases.js";
import { type Scenario, scenarioHash } from "../scenario/scenario.js";
import { checkSeed } from "../scenario/seeds.js";
import { checkActions, needsReset } from "./actions.js";
import { joinSnapshots, splitSnapshot } from "./batch-snapshot.js";
import { episodeStatsFields } from "./episode-stats.js";
import { Lanes } from "./lanes.js";
import { allocateLookAhead, type LookAheadResult, writeLookAheadOptions } from "./look-ahead.js";
import {
  checkLookAheadActions,
  type LookAheadRequest,
  lookAheadRequestNames,
  resolveLookAheadOptions,
} from "./look-ahead-options.js";
import { observationSizeOf } from "./observation-row.js";
import { type AutoresetMode, type BatchEnvOptions, type BatchSettings, resolveBatchOptions } from "./options.js";
import { BatchOutputs, type OutputMemory, type OutputName, outputSpecs } from "./outputs.js";
import { noBytes, refusalOf } from "./snapshot.js";

/** Bits of what the core's `reset` is told. */
const WITH_SEEDS = 1;
const WITH_MASK = 2;
const NUM_STATS = episodeStatsFields.length;

export class BatchEnv {
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
  /**
   * Lanes whose episode ended in the last step: the first `numFinal` entries of the arrays below. A reset, a restore
   * and a fork leave none.
   */
  numFinal = 0;
  readonly finalLane: Int32Array;
  /** The slots of their final observations. */
  readonly finalSlot: Int32Array;
  /** The `episodeStatsFields` of those lanes, one row each. */
  readonly finalStats: Float64Array;
  /** Final observations of those lanes, one row each, with same-step autoreset; else `observation` holds them. */
  readonly finalObservation: Float32Array;

  readonly #options: BatchEnvOptions;
  readonly #settings: BatchSettings;
  readonly #core: Lanes["core"];
  /** The sets of outputs that this batch made; those in its own memory as one row of bytes, laid out as the core's. */
  readonly #ownOutputs = new WeakMap<BatchOutputs, Uint8Array | undefined>();
  /** The outputs in use, and its bytes if they are laid out as the core's. */
  #outputs: BatchOutputs;
  #outputBytes: Uint8Array | undefined;
  /** Views of the core's memory, and the core's generation of which they are. */
  #views: CoreViews;
  #viewsAt: number;
  /** The version of the lanes for which the core has the cheapest actions in `actions`. */
  #cheapestAt = -1;
  readonly #scenarioHashes: string[] = [];
  /** Bytes of the core's memory at first. */
  readonly #firstBytes: number;

  constructor(options: BatchEnvOptions) {
    const settings = resolveBatchOptions(options);
    const { numLanes, maxServers, historySlots, history, autoreset } = settings;
    this.#options = { ...options };
    this.#settings = settings;
    this.scenarios = settings.scenarios;
    this.numLanes = numLanes;
    this.maxServers = maxServers;
    this.maxUsers = settings.maxUsers;
    this.autoreset = autoreset;
    this.historySlots = history ? historySlots : 0;
    this.observationSize = observationSizeOf(maxServers, this.historySlots);
    this.lanes = new Lanes(settings);
    this.#core = this.lanes.core;
    this.#firstBytes = this.#core.calls.memory.buffer.byteLength;
    this.#views = cutViews(this.#core);
    this.#viewsAt = this.#core.generation;
    this.finalLane = new Int32Array(numLanes);
    this.finalSlot = new Int32Array(numLanes);
    this.finalStats = new Float64Array(numLanes * NUM_STATS);
    this.finalObservation = new Float32Array(autoreset === "same-step" ? numLanes * this.observationSize : 0);
    this.#outputs = this.createOutputs();
    this.#outputBytes = this.#ownOutputs.get(this.#outputs);
  }

  /** The set of outputs in use, with the results of the last step or reset. */
  get outputs(): BatchOutputs {
    return this.#outputs;
  }
  get observation(): Float32Array {
    return this.#outputs.observation;
  }
  get actionMask(): Uint8Array {
    return this.#outputs.actionMask;
  }
  get reward(): Float64Array {
    return this.#outputs.reward;
  }
  get latencySlots(): Float64Array {
    return this.#outputs.latencySlots;
  }
  get costSlots(): Float64Array {
    return this.#outputs.costSlots;
  }
  get lostTasks(): Int32Array {
    return this.#outputs.lostTasks;
  }
  get lostOnTimeTasks(): Int32Array {
    return this.#outputs.lostOnTimeTasks;
  }
  get executedAction(): Int32Array {
    return this.#outputs.executedAction;
  }
  get flags(): Uint8Array {
    return this.#outputs.flags;
  }
  /** Slots of workload history that lanes remember: the most of any scenario. */
  get maxHistorySlots(): number {
    return this.#settings.historySlots;
  }

  /** Memory of the batch and of one set of outputs, bytes; what its task lists took since it was made is apart. */
  get fixedBytes(): number {
    const outputs = outputSpecs(this).reduce((sum, { name }) => sum + this.#outputs[name].byteLength, 0);
    return this.#firstBytes + outputs;
  }
  /** Memory that the batch took since it was made, because its lists of tasks grew, bytes. */
  get grownBytes(): number {
    return this.#core.calls.memory.buffer.byteLength - this.#firstBytes;
  }

  /** The views of the core's memory; made again when it has grown. */
  #viewed(): CoreViews {
    if (this.#viewsAt === this.#core.generation) return this.#views;
    this.#viewsAt = this.#core.generation;
    this.#views = cutViews(this.#core);
    return this.#views;
  }

  /**
   * Makes another set of outputs for this batch, all zeros, in the caller's `memory` or in new memory.
   *
   * @throws MecgymError `invalidOption` if an output does not fit its place
   */
  createOutputs(memory?: OutputMemory): BatchOutputs {
    if (memory !== undefined) {
      const outputs = new BatchOutputs(this, memory);
      this.#ownOutputs.set(outputs, undefined);
      return outputs;
    }
    // laid out as in the core, so that a step copies all of them at once
    const { buffer, offsets } = placesOf(this.#core);
    const outputs = new BatchOutputs(this, { buffer, offsets });
    this.#ownOutputs.set(outputs, new Uint8Array(buffer));
    return outputs;
  }

  /**
   * Makes the next step, reset or restore write into `outputs`; the set in use stays as it is. Only a pointer changes.
   * Each of these calls writes the whole new set.
   *
   * @throws MecgymError `invalidOption` unless this batch made them
   */
  useOutputs(outputs: BatchOutputs): void {
    const isOwn = this.#ownOutputs.has(outputs);
    checkOption(isOwn, "outputs", "outputs of another batch", "what createOutputs of this batch gave");
    this.#outputs = outputs;
    this.#outputBytes = this.#ownOutputs.get(outputs);
  }

  /**
   * Takes over what a step brought in another batch of the same lanes, after a restore, which brings nothing.
   *
   * @param values arrays as long as this batch's outputs
   */
  setOutputs(values: Readonly<Partial<Record<OutputName, ArrayLike<number>>>>): void {
    for (const [name, numbers] of Object.entries(values)) this.#core.view(`outputs.${name}`).set(numbers);
    this.#show();
  }

  /** After a call that changed lanes: copies its results from the core's memory into the outputs in use. */
  #show(): void {
    this.lanes.version += 1;
    const views = this.#viewed();
    if (this.#outputBytes !== undefined) this.#outputBytes.set(views.outputBytes);
    else for (const name of outputNames) this.#outputs[name].set(views.outputs[name]);
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
    const views = this.#viewed();
    for (let lane = 0; lane < numLanes; lane++) {
      const isWanted = mask === undefined || Boolean(mask[lane]);
      views.mask[lane] = isWanted ? 1 : 0;
      if (seeds === undefined || !isWanted) continue;
      if (!Number.isNaN(seeds[lane])) checkSeed(seeds[lane], `seeds/${lane}`);
      views.seeds[lane] = seeds[lane];
    }
    const flags = (seeds === undefined ? 0 : WITH_SEEDS) | (mask === undefined ? 0 : WITH_MASK);
    this.#expect(this.#core.call(() => this.#core.calls.reset(flags)));
    this.numFinal = 0;
    this.#show();
  }

  /**
   * Carries out one decision in every lane.
   *
   * @param actions one action for each lane; an action of a lane that only resets (next-step autoreset) is ignored
   * @throws MecgymError `needsReset`, `invalidAction`; no lane is changed
   */
  step(actions: ArrayLike<number>): void {
    checkPerLane(actions, this.numLanes, "actions");
    if (!this.#writeActions(actions)) checkActions(this.lanes, this.#settings, actions);
    let status = this.#core.calls.step();
    if (status < 0) {
      status = this.#core.call(() => this.#core.calls.step());
      if (status < 0) checkActions(this.lanes, this.#settings, actions);
      this.#expect(status);
    }
    this.numFinal = status;
    this.#show();
    if (status > 0) this.#copyFinals(status);
  }

  /** Hands in the actions; whether all of them are 32-bit integers. */
  #writeActions(actions: ArrayLike<number>): boolean {
    this.#cheapestAt = -1;
    const { actions: given } = this.#viewed();
    if (actions instanceof Int32Array) {
      given.set(actions);
      return true;
    }
    let areIntegers = true;
    for (let lane = 0; lane < given.length; lane++) {
      const action = actions[lane];
      const integer = typeof action === "number" ? action | 0 : 0;
      given[lane] = integer;
      if (integer !== action) areIntegers = false;
    }
    return areIntegers;
  }

  #copyFinals(count: number): void {
    const { finalLane, finalSlot, finalStats, finalObservation } = this.#viewed();
    const width = this.observationSize;
    for (let row = 0; row < count; row++) {
      this.finalLane[row] = finalLane[row];
      this.finalSlot[row] = finalSlot[row];
    }
    for (let i = 0; i < count * NUM_STATS; i++) this.finalStats[i] = finalStats[i];
    if (this.autoreset === "same-step") this.finalObservation.set(finalObservation.subarray(0, count * width));
  }

  /** What was checked before is not refused by the core. */
  #expect(status: number): void {
    if (status < 0) throw new Error(`the core refuses a call: ${JSON.stringify(this.#core.failure)}`);
  }

  /** The action of the smallest cost of every lane's current task (eq. 15), until the next call; 0 after an end. */
  cheapestActions(): Int32Array {
    if (this.#cheapestAt !== this.lanes.version) {
      this.#core.calls.chooseCheapest();
      this.#cheapestAt = this.lanes.version;
    }
    return this.#viewed().actions;
  }

  /** The scenario that a lane plays. */
  scenarioOf(lane: number): Scenario {
    this.#checkLane(lane);
    return this.lanes.scenarioOf(lane);
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
    const own = this.lanes.scenarioOf(lane).lookAhead;
    const settings = resolveLookAheadOptions(own, request, lookAheadRequestNames);
    if (this.lanes.phaseOf(lane) === PHASE_UNUSED) throw needsReset(this.lanes, lane);
    const numServers = this.lanes.numberOf("numServers", lane);
    const actions = request?.actions;
    if (actions !== undefined) checkLookAheadActions(actions, numServers);
    const result = out ?? allocateLookAhead(actions === undefined ? numServers : actions.length - 1);
    if (request !== undefined) writeLookAheadOptions(this.#core, settings);
    const isOwn = request === undefined ? 1 : 0;
    const views = this.#viewed().lookAhead;
    // the core has room for each action once; of more, all are evaluated and those asked for are picked
    const isList = actions !== undefined && actions.length <= this.maxServers + 1;
    if (isList) for (let i = 0; i < actions.length; i++) views.actions[i] = actions[i];
    this.#expect(this.#core.calls.lookAhead(lane, isOwn, isList ? actions.length : -1));
    const count = actions === undefined ? numServers + 1 : actions.length;
    for (let i = 0; i < count; i++) {
      const from = isList || actions === undefined ? i : actions[i];
      result.latencySlots[i] = views.latencySlots[from];
      result.costSlots[i] = views.costSlots[from];
      result.impactSlots[i] = views.impactSlots[from];
      result.reward[i] = views.reward[from];
    }
    return result;
  }

  /**
   * The whole state of a lane as bytes (docs/model.md, Snapshots).
   *
   * @throws MecgymError `needsReset`, `invalidOption`
   */
  snapshot(lane: number): Uint8Array {
    this.#checkStarted(lane);
    return this.#core.snapshot(lane);
  }

  /**
   * Restores a lane from a snapshot of the same scenario: it plays on exactly as the original lane.
   *
   * @throws MecgymError `invalidSnapshot`, `invalidOption`; the lane is unchanged
   */
  restore(lane: number, snapshot: Uint8Array): void {
    this.#checkLane(lane);
    this.#checkSnapshot(lane, snapshot);
    this.#expect(this.#core.restore(lane, snapshot));
    this.#show();
    this.numFinal = 0;
  }

  /** @throws MecgymError `invalidSnapshot` */
  #checkSnapshot(lane: number, snapshot: Uint8Array): void {
    if (!(snapshot instanceof Uint8Array)) throw noBytes(snapshot);
    if (this.#core.checkSnapshot(lane, snapshot) === 0) return;
    throw refusalOf(this.#core.failure, snapshot, this.#scenarioHash(lane), sha256);
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
    for (const [i, snapshot] of snapshots.entries()) {
      this.#checkLane(lanes[i]);
      this.#checkSnapshot(lanes[i], snapshot);
    }
    for (const [i, snapshot] of snapshots.entries()) this.#expect(this.#core.restore(lanes[i], snapshot));
    this.#show();
    this.numFinal = 0;
  }

  /**
   * Another batch in the same state; the two play on independently.
   *
   * The copy has no outputs of the last step (rewards, flags, ends), as after a restore.
   */
  forkAll(): BatchEnv {
    const copy = new BatchEnv(this.#options);
    this.#core.copyTo(copy.#core);
    copy.#show();
    return copy;
  }

  /** Sixteen hexadecimal digits that name a lane's state: two lanes with the same name play on alike. */
  stateHash(lane: number): string {
    this.#checkStarted(lane);
    this.#expect(this.#core.call(() => this.#core.calls.stateHash(lane)));
    return bytesToHex(this.#core.view<Uint8Array>("digest").subarray(0, 8));
  }

  /**
   * Makes lane `to` a copy of lane `from`; the two then play on independently.
   *
   * @throws MecgymError as `checkFork`
   */
  fork(from: number, to: number): void {
    this.checkFork(from, to);
    this.#expect(this.#core.call(() => this.#core.calls.fork(from, to)));
    this.#show();
    this.numFinal = 0;
  }

  /** @throws MecgymError `needsReset`, or `invalidOption` unless both lanes exist and play the same scenario */
  checkFork(from: number, to: number): void {
    this.#checkLane(from);
    this.#checkLane(to);
    if (this.lanes.phaseOf(from) === PHASE_UNUSED) throw needsReset(this.lanes, from);
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

  #checkStarted(lane: number): void {
    this.#checkLane(lane);
    if (this.lanes.phaseOf(lane) === PHASE_UNUSED) throw needsReset(this.lanes, lane);
  }
}

const outputNames = outputSpecs({ numLanes: 0, maxServers: 0, observationSize: 0 }).map(({ name }) => name);

/** Where the core's outputs begin and end, and a buffer of that length with the same places in it. */
function placesOf({ fields }: Lanes["core"]): { first: number; buffer: ArrayBuffer; offsets: OutputMemory["offsets"] } {
  const addresses = outputNames.map((name) => fields.get(`outputs.${name}`)?.address as number);
  const first = Math.min(...addresses);
  const mask = fields.get("outputs.actionMask") as { address: number; rows: number; columns: number };
  const offsets = Object.fromEntries(outputNames.map((name, i) => [name, addresses[i] - first]));
  // the mask stands last
  const numBytes = mask.address + mask.rows * mask.columns - first;
  return { first, buffer: new ArrayBuffer(numBytes), offsets: offsets as OutputMemory["offsets"] };
}

type CoreViews = ReturnType<typeof cutViews>;

function cutViews(core: Lanes["core"]) {
  const { first, buffer } = placesOf(core);
  return {
    actions: core.view<Int32Array>("actions"),
    seeds: core.view<Float64Array>("seeds"),
    mask: core.view<Uint8Array>("mask"),
    finalLane: core.view<Int32Array>("final.lane"),
    finalSlot: core.view<Int32Array>("final.slot"),
    finalStats: core.view<Float64Array>("final.stats"),
    finalObservation: core.view<Float32Array>("final.observation"),
    outputs: Object.fromEntries(outputNames.map((name) => [name, core.view(`outputs.${name}`)])) as Record<
      OutputName,
      ReturnType<typeof core.view>
    >,
    outputBytes: new Uint8Array(core.calls.memory.buffer, first, buffer.byteLength),
    lookAhead: {
      actions: core.view<Int32Array>("lookAhead.actions"),
      latencySlots: core.view<Float64Array>("lookAhead.latencySlots"),
      costSlots: core.view<Float64Array>("lookAhead.costSlots"),
      impactSlots: core.view<Float64Array>("lookAhead.impactSlots"),
      reward: core.view<Float64Array>("lookAhead.reward"),
    },
  };
}
