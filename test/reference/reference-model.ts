/** A second, slow and simple model of an episode, written only from docs/model.md, to test the simulator against. */

import exp from "@stdlib/math-base-special-exp";
import ln from "@stdlib/math-base-special-ln";
import seedrandom from "seedrandom";
import { expIntegralE1 } from "../../env/math.js";
import type { Scenario } from "../../env/scenario/scenario.js";

/** Work this small counts as none: otherwise rounding would leave remainders that take another slot. */
const TOLERANCE_MBIT = 1e-12;

type LookAheadFields = Scenario["lookAhead"];

/**
 * E1(x) = ∫ e^-t/t dt from x to infinity: the power series below 1, the continued fraction above.
 *
 * Agrees with the simulator's to thirteen digits but not to the last bit, which depends on the order of the sum. The
 * episode below therefore uses the simulator's for its one constant, and a test compares the two.
 */
export function exponentialIntegral(x: number): number {
  const eulerGamma = 0.5772156649015329;
  if (x <= 1) {
    let sum = 0;
    let power = 1;
    for (let k = 1; k < 60; k++) {
      power *= -x / k;
      sum -= power / k;
    }
    return sum - ln(x) - eulerGamma;
  }
  // e^-x · 1/(x + 1/(1 + 1/(x + 2/(1 + 2/(x + …))))), from the far end back.
  let fraction = x;
  for (let k = 2000; k >= 1; k--) fraction = x + k / (1 + k / fraction);
  return exp(-x) / fraction;
}

/** A task on its way, wherever it was sent. */
export class Task {
  finishedInSlot: number | undefined;
  /** The slot at whose start its server left. */
  lostInSlot: number | undefined;
  residualMbit: number;

  constructor(
    readonly sizeMbit: number,
    readonly decidedInSlot: number,
    /** Upload D/R in slots; 0 for a task that stays on its device. */
    readonly uploadSlots: number,
    /** Whether its estimated latency exceeded the deadline, so that the penalty has been charged already. */
    readonly hasPaid: boolean,
  ) {
    this.residualMbit = sizeMbit;
  }

  finish(slot: number): void {
    this.residualMbit = 0;
    this.finishedInSlot = slot;
  }
}

/** An edge server: processor sharing over its tasks, in arrival order. */
export class Server {
  tasks: Task[] = [];
  isThere = true;
  readonly history: number[];

  constructor(
    readonly cpuGHz: number,
    historySlots: number,
  ) {
    this.history = new Array<number>(historySlots).fill(0);
  }

  get activeTasks(): number {
    return this.tasks.length;
  }

  get workloadMbit(): number {
    let sum = 0;
    for (const task of this.tasks) sum += task.residualMbit;
    return sum;
  }

  leave(slot: number): void {
    this.isThere = false;
    for (const task of this.tasks) task.lostInSlot = slot;
    this.tasks = [];
  }

  serve(slot: number, scenario: Scenario): void {
    const served = this.tasks.filter((task) => task.decidedInSlot < slot);
    if (served.length > 0) {
      let work = serviceMbit(this.cpuGHz, served.length, scenario);
      let unfinished = served;
      for (;;) {
        const share = work / unfinished.length;
        const left: Task[] = [];
        for (const task of unfinished) {
          if (task.residualMbit - share <= TOLERANCE_MBIT) {
            work = Math.max(0, work - task.residualMbit);
            task.finish(slot);
          } else {
            left.push(task);
          }
        }
        const someWereDone = left.length < unfinished.length;
        unfinished = left;
        if (someWereDone && unfinished.length > 0) continue;
        for (const task of unfinished) task.residualMbit -= share;
        break;
      }
    }
    this.tasks = this.tasks.filter((task) => task.finishedInSlot === undefined);
    this.history.shift();
    this.history.push(this.workloadMbit);
  }
}

/** Work that a server with n tasks does in a slot. */
function serviceMbit(cpuGHz: number, n: number, scenario: Scenario): number {
  const { slotSeconds, densityGcyclesPerMbit } = scenario;
  return scenario.service === "shared-rate"
    ? (cpuGHz * slotSeconds) / (densityGcyclesPerMbit * (n + 1))
    : (cpuGHz * slotSeconds) / densityGcyclesPerMbit;
}

/** A user's device: first come, first served. */
export class Device {
  /** Work that was there when the slot began, and work that the slot added, Mbit. */
  oldWorkMbit = 0;
  newWorkMbit = 0;
  queue: Task[] = [];

  get backlogMbit(): number {
    return this.oldWorkMbit + this.newWorkMbit;
  }

  add(task: Task): void {
    this.queue.push(task);
    this.newWorkMbit += task.sizeMbit;
  }

  serve(slot: number, scenario: Scenario): void {
    let work = (scenario.localCpuGHz * scenario.slotSeconds) / scenario.densityGcyclesPerMbit;
    this.oldWorkMbit -= work;
    if (this.oldWorkMbit <= TOLERANCE_MBIT) this.oldWorkMbit = 0;
    this.oldWorkMbit += this.newWorkMbit;
    this.newWorkMbit = 0;

    while (this.queue.length > 0 && this.queue[0].decidedInSlot < slot) {
      const task = this.queue[0];
      if (task.residualMbit - work > TOLERANCE_MBIT) {
        task.residualMbit -= work;
        break;
      }
      work = Math.max(0, work - task.residualMbit);
      task.finish(slot);
      this.queue.shift();
    }
  }

  /** The slot in which each queued task will be done, for those that are before slot `endSlot`; it is slot `slot`. */
  finishedBefore(endSlot: number, slot: number, scenario: Scenario): (number | undefined)[] {
    const ahead = new Device();
    const copies = this.queue.map((task) => {
      const copy = new Task(task.sizeMbit, task.decidedInSlot, 0, false);
      copy.residualMbit = task.residualMbit;
      return copy;
    });
    ahead.queue = [...copies];
    for (let t = slot; t < endSlot && ahead.queue.length > 0; t++) ahead.serve(t, scenario);
    return copies.map(({ finishedInSlot }) => finishedInSlot);
  }
}

/** State of one of Alea's streams: s0, s1, s2 and the carry. */
export type StreamState = readonly number[];

export interface ReferenceDecision {
  readonly userIndex: number;
  readonly sizeMbit: number;
  readonly rateMbps: readonly number[];
  /** Further tasks of the same user in this slot. */
  readonly numFurther: number;
  /** The streams that the task was drawn from, after its draws. */
  readonly streams: { readonly arrivals: StreamState; readonly sizes: StreamState; readonly fading: StreamState };
}

/** What the futures of a rollout are drawn from (`RolloutRequest`). */
export interface ReferenceFuture {
  readonly keys: ArrayLike<number>;
  readonly sample: number;
  readonly busyProbability: number;
  readonly tasksSeen: number;
}

/** The draw of item j of future k at a decision, in [0, 1). */
export function futureDraw(keys: ArrayLike<number>, decisionIndex: number, k: number, item: number): number {
  const mix = (value: number) => {
    let h = value >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) >>> 0;
  };
  // BigInt, so that no intermediate sum loses a bit
  const wrap = (value: bigint) => Number(BigInt.asUintN(32, value));
  const first = mix((keys[0] ^ wrap(BigInt(decisionIndex + 1) * 0x9e3779b1n)) >>> 0);
  const sum = BigInt(first) + BigInt(keys[1]) + BigInt(k + 1) * 0x85ebca77n + BigInt(item) * 0xc2b2ae3dn;
  return mix(wrap(sum)) / 4294967296;
}

type Stream = seedrandom.StatefulPRNG<seedrandom.State.Alea>;

function stateOf(stream: Stream): StreamState {
  const { s0, s1, s2, c } = stream.state();
  return [s0, s1, s2, c];
}

export interface ReferenceStep {
  readonly action: number;
  readonly latencySlots: number;
  /** J, and the penalty of each task in `lostOnTimeTasks`. */
  readonly costSlots: number;
  readonly isLate: boolean;
  readonly truncated: boolean;
  readonly lostTasks: number;
  readonly lostOnTimeTasks: number;
}

/** What a policy could know from memory and the scenario. */
export interface ReferenceFacts {
  readonly usersLeft: number;
  readonly slot: number;
  readonly decisionIndex: number;
  readonly meanSizeMbit: number;
  /** Of each server, in this slot. */
  readonly assignedTasks: readonly number[];
  readonly assignedMbit: readonly number[];
}

export interface ReferenceLookAhead {
  readonly latencySlots: number[];
  readonly costSlots: number[];
  readonly impactSlots: number[];
  readonly reward: number[];
}

/** The virtual state of the look-ahead: sums only, no tasks. */
interface VirtualState {
  readonly workloadMbit: number[];
  readonly activeTasks: number[];
  backlogMbit: number;
}

/** One episode, from its seed to its end. */
export class ReferenceEpisode {
  readonly servers: Server[] = [];
  readonly devices: Device[] = [];
  readonly tasks: Task[] = [];
  slot = 0;
  decisionIndex = 0;
  decision: ReferenceDecision;
  truncated = false;
  /** The first slot that is not scored. */
  readonly endSlot: number;
  readonly seed: number;
  /** The actions asked for so far: an episode is its seed and these. */
  readonly #asked: number[] = [];
  readonly #scenario: Scenario;
  #arrivals: Stream;
  #bursts: Stream;
  #isBusy: boolean | undefined;
  #fading: Stream;
  #sizes: Stream;
  #churn: Stream;
  readonly #futureKeys: readonly [number, number];
  readonly #world: { readonly meanSnr: number; readonly bandwidthOverLn2: number };
  /** Tasks of the running slot that still wait for a decision. */
  #pending: ReferenceDecision[];
  readonly #sizesBefore: number[] = [];

  constructor(scenario: Scenario, seed: number) {
    const stream = (purpose: string) => seedrandom.alea(`mecgym/v1/${purpose}/${seed}`, { state: true });
    this.seed = seed;
    this.#scenario = scenario;
    const topology = stream("topology");
    const numServers = drawNumServers(scenario.numServers, topology);
    for (let e = 0; e < numServers; e++) {
      this.servers.push(new Server(drawCapacity(scenario.serverCpuGHz, e, topology), scenario.historySlots));
    }
    const numUsers = "count" in scenario.users ? scenario.users.count : scenario.users.perServer * numServers;
    for (let u = 0; u < numUsers; u++) this.devices.push(new Device());
    this.#arrivals = stream("arrivals");
    this.#bursts = stream("bursts");
    this.#fading = stream("fading");
    this.#sizes = stream("sizes");
    this.#churn = stream("churn");
    const future = stream("future");
    this.#futureKeys = [future.int32(), future.int32()];
    const { meanRateMbps, meanSnrDb } = scenario.uplink;
    const meanSnr = exp(meanSnrDb * (ln(10) / 10));
    this.#world = {
      meanSnr,
      bandwidthOverLn2: meanRateMbps / (exp(1 / meanSnr) * expIntegralE1(1 / meanSnr)),
    };
    this.#stepBursts();
    this.#pending = this.#drawTasksFrom(0);
    this.decision = this.#nextDecision();
    // outcomes are counted after the last slot, in an extended episode after that of its one task
    this.endSlot = Math.max(scenario.episodeSlots, this.slot + 1);
  }

  /** Eq. 2-8. */
  latencySlots(action: number): number {
    if (!this.actions().includes(action)) return Number.POSITIVE_INFINITY;
    const { sizeMbit, userIndex, rateMbps } = this.decision;
    const e = action - 1;
    return this.#latency(
      sizeMbit,
      action,
      this.devices[userIndex].backlogMbit,
      action === 0 ? 0 : this.servers[e].workloadMbit,
      action === 0 ? 0 : this.servers[e].activeTasks,
      rateMbps,
    );
  }

  /** Eq. 11. */
  costSlots(action: number): number {
    return this.#cost(this.latencySlots(action));
  }

  /** The actions that can be taken: 0 and the available servers. */
  actions(): number[] {
    return [0, ...this.servers.flatMap((server, e) => (server.isThere ? [e + 1] : []))];
  }

  /** Carries out an action, or the costliest one if it cannot be taken. */
  step(asked: number): ReferenceStep {
    this.#asked.push(asked);
    const action = this.actions().includes(asked) ? asked : this.#costliestAction();
    const { deadlineSlots, deadlinePenaltySlots, slotSeconds } = this.#scenario;
    const { sizeMbit, userIndex, rateMbps } = this.decision;
    const latencySlots = this.latencySlots(action);
    const decisionCostSlots = this.costSlots(action);
    const isLate = latencySlots > deadlineSlots;
    const uploadSlots = action === 0 ? 0 : sizeMbit / rateMbps[action - 1] / slotSeconds;
    const task = new Task(sizeMbit, this.slot, uploadSlots, isLate);
    const lostBefore = this.#lost();
    this.tasks.push(task);
    this.#sizesBefore.push(sizeMbit);
    if (action === 0) this.devices[userIndex].add(task);
    else this.servers[action - 1].tasks.push(task);
    this.decisionIndex++;
    this.decision = this.#nextDecision();
    this.truncated = this.slot >= this.#scenario.episodeSlots;
    const lost = this.#lost().filter((one) => !lostBefore.includes(one));
    const lostOnTimeTasks = lost.filter((one) => !one.hasPaid).length;
    return {
      action,
      latencySlots,
      costSlots: decisionCostSlots + deadlinePenaltySlots * lostOnTimeTasks,
      isLate,
      truncated: this.truncated,
      lostTasks: lost.length,
      lostOnTimeTasks,
    };
  }

  /** Tasks lost so far in slots that are scored. */
  #lost(): Task[] {
    return this.tasks.filter(({ lostInSlot }) => lostInSlot !== undefined && lostInSlot < this.endSlot);
  }

  /** The action with the smallest J; the lowest index wins ties (eq. 15). */
  oracleAction(): number {
    let best = 0;
    for (const action of this.actions()) if (this.costSlots(action) < this.costSlots(best)) best = action;
    return best;
  }

  /** The facts of the current decision. Sums are added up in the order in which tasks came. */
  facts(): ReferenceFacts {
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    const assigned = this.servers.map(({ tasks }) => tasks.filter((task) => task.decidedInSlot === this.slot));
    const sizes = [...this.#sizesBefore, this.decision.sizeMbit];
    return {
      usersLeft: this.devices.length - this.decision.userIndex - 1,
      slot: this.slot,
      decisionIndex: this.decisionIndex,
      meanSizeMbit: sum(sizes) / sizes.length,
      assignedTasks: assigned.map((tasks) => tasks.length),
      assignedMbit: assigned.map((tasks) => sum(tasks.map((task) => task.residualMbit))),
    };
  }

  /** What became of the tasks decided so far, at the end of the last slot that is scored. */
  stats() {
    const { deadlineSlots } = this.#scenario;
    let numFinished = 0;
    let numLate = 0;
    let numUnfinished = 0;
    let numUnfinishedLate = 0;
    let realisedSum = 0;
    const lost = this.#lost();
    for (const task of this.tasks) {
      if (lost.includes(task)) continue;
      if (task.finishedInSlot !== undefined && task.finishedInSlot < this.endSlot) {
        const realised = task.uploadSlots + (task.finishedInSlot - task.decidedInSlot);
        numFinished++;
        realisedSum += realised;
        if (realised > deadlineSlots) numLate++;
      } else {
        numUnfinished++;
        if (task.uploadSlots + (this.endSlot - task.decidedInSlot) > deadlineSlots) numUnfinishedLate++;
      }
    }
    return { numFinished, numLate, numUnfinished, numUnfinishedLate, realisedSum, numLost: lost.length };
  }

  /** The same episode at the same decision: it is played again. */
  copy(): ReferenceEpisode {
    const copy = new ReferenceEpisode(this.#scenario, this.seed);
    for (const action of this.#asked) copy.step(action);
    return copy;
  }

  /** Puts new streams in the place of the episode's, and draws again what a policy cannot know of this slot. */
  takeFuture({ keys, sample, busyProbability, tasksSeen }: ReferenceFuture): void {
    const { arrivals } = this.#scenario;
    const draw = (item: number) => futureDraw(keys, this.decisionIndex, sample, item);
    const streams = [0, 3, 6, 9, 12].map((item) =>
      seedrandom.alea("", { state: { s0: draw(item), s1: draw(item + 1), s2: draw(item + 2), c: 1 } }),
    );
    [this.#arrivals, this.#sizes, this.#fading, this.#bursts, this.#churn] = streams;
    if (arrivals.process === "bursty") this.#isBusy = draw(15) < busyProbability;
    const { userIndex, rateMbps } = this.decision;
    const numFurther = arrivals.process === "poisson" ? furtherTasks(draw(16), arrivals.ratePerSlot, tasksSeen) : 0;
    this.#pending = [...this.#drawTasksOf(userIndex, rateMbps, numFurther), ...this.#drawTasksFrom(userIndex + 1)];
  }

  /** J, and ρ for tasks lost on time, over the decisions of slots before `endSlot`; `choose` takes all but one. */
  playOn(first: number, endSlot: number, choose: (episode: ReferenceEpisode) => number): number {
    let sum = 0;
    const paidOnTime = () => this.#lost().filter((task) => !task.hasPaid).length;
    const before = paidOnTime();
    for (let action = first; ; action = choose(this)) {
      sum += this.costSlots(action);
      this.step(action);
      if (this.slot >= endSlot) return sum + this.#scenario.deadlinePenaltySlots * (paidOnTime() - before);
    }
  }

  /** The numbers of a snapshot that belong to the episode, in the order of docs/model.md; each with its name. */
  state(): [name: string, value: number][] {
    const numbers: [string, number][] = [];
    const put = (name: string, ...values: readonly number[]) => {
      for (const value of values) numbers.push([name, value]);
    };
    const hasChurn = this.#scenario.churn !== undefined;
    const isBursty = this.#scenario.arrivals.process === "bursty";
    const { decision, servers, devices } = this;
    const listed = this.tasks.filter((task) => servers.some((server) => server.tasks.includes(task)));
    put("phase", this.truncated ? 2 : 1);
    put("episodeSeed", this.seed);
    put("numServers", servers.length);
    put("numUsers", devices.length);
    put("slot", this.slot);
    put("endSlot", this.endSlot);
    put("decisionIndex", this.decisionIndex);
    put("userIndex", decision.userIndex);
    put("pendingTasks", decision.numFurther);
    put("sizeMbit", decision.sizeMbit);
    put("numTasks", listed.length);
    put("numTasksAtSlotStart", listed.filter((task) => task.decidedInSlot < this.slot).length);
    const outcomes = this.truncated ? this.stats() : this.#outcomesSoFar();
    put("finishedTasks", outcomes.numFinished);
    put("finishedLateTasks", outcomes.numLate);
    put("realisedLatencySumSlots", outcomes.realisedSum);
    put("unfinishedTasks", outcomes.numUnfinished);
    put("unfinishedLateTasks", outcomes.numUnfinishedLate);
    put("isBusy", this.#isBusy === true ? 1 : 0);
    put("arrivalStream", ...decision.streams.arrivals);
    put("sizeStream", ...decision.streams.sizes);
    put("fadingStream", ...decision.streams.fading);
    put("burstStream", ...(isBursty ? stateOf(this.#bursts) : [0, 0, 0, 0]));
    put("futureKeys", ...this.#futureKeys);
    put("rateMbps", ...decision.rateMbps);
    put("cpuGHz", ...servers.map(({ cpuGHz }) => cpuGHz));
    put("activeTasks", ...servers.map(({ activeTasks }) => activeTasks));
    put("workloadMbit", ...servers.map(({ workloadMbit }) => workloadMbit));
    const { historySlots } = this.#scenario;
    for (let row = 0; row < historySlots; row++) {
      // the oldest entry is that of slot t − W, which stands in row t mod W
      const at = (row - (this.slot % historySlots) + historySlots) % historySlots;
      put("historyMbit", ...servers.map(({ history }) => history[at]));
    }
    put("backlogMbit", ...devices.map(({ oldWorkMbit }) => oldWorkMbit));
    put("addedBacklogMbit", ...devices.map(({ newWorkMbit }) => newWorkMbit));
    if (hasChurn) {
      const lost = this.#lost();
      put("lostTasks", lost.length);
      put("lostOnTimeTasks", lost.filter((task) => !task.hasPaid).length);
      put("churnStream", ...stateOf(this.#churn));
      put("isAvailable", ...servers.map(({ isThere }) => (isThere ? 1 : 0)));
    }
    for (const task of listed) {
      put("residualMbit", task.residualMbit);
      put(
        "serverIndex",
        servers.findIndex((server) => server.tasks.includes(task)),
      );
      put("decisionSlot", task.decidedInSlot);
      put("uploadSlots", task.uploadSlots);
      if (hasChurn) put("wasLate", task.hasPaid ? 1 : 0);
    }
    return numbers;
  }

  /** Outcomes in the middle of an episode: edge tasks as they are done, local ones as soon as they are decided. */
  #outcomesSoFar() {
    const { deadlineSlots } = this.#scenario;
    const realised = this.tasks.flatMap(({ finishedInSlot, uploadSlots, decidedInSlot }) =>
      finishedInSlot === undefined ? [] : [uploadSlots + (finishedInSlot - decidedInSlot)],
    );
    let numUnfinished = 0;
    let numUnfinishedLate = 0;
    for (const device of this.devices) {
      const finishedIn = device.finishedBefore(this.endSlot, this.slot, this.#scenario);
      for (const [i, task] of device.queue.entries()) {
        if (finishedIn[i] !== undefined) realised.push(finishedIn[i] - task.decidedInSlot);
        else {
          numUnfinished++;
          if (this.endSlot - task.decidedInSlot > deadlineSlots) numUnfinishedLate++;
        }
      }
    }
    return {
      numFinished: realised.length,
      numLate: realised.filter((slots) => slots > deadlineSlots).length,
      numUnfinished,
      numUnfinishedLate,
      realisedSum: realised.reduce((sum, slots) => sum + slots, 0),
    };
  }

  /** Eq. 22-26 for every action; each builds its own virtual state. */
  lookAhead(options: Partial<LookAheadFields> = {}): ReferenceLookAhead {
    const fields = { ...this.#scenario.lookAhead, ...options };
    const result: ReferenceLookAhead = { latencySlots: [], costSlots: [], impactSlots: [], reward: [] };
    for (let action = 0; action <= this.servers.length; action++) {
      const costSlots = this.costSlots(action);
      const impactSlots = this.#impact(action, fields);
      result.latencySlots.push(this.latencySlots(action));
      result.costSlots.push(costSlots);
      result.impactSlots.push(impactSlots);
      result.reward.push(-(costSlots + fields.weight * impactSlots));
    }
    return result;
  }

  #impact(action: number, fields: LookAheadFields): number {
    const state = this.#virtualState(action);
    let sum = 0;
    for (let k = 0; k < fields.numSamples; k++) {
      const { min, max } = fields.sizeFactor;
      const sizeMbit = this.decision.sizeMbit * (min + (max - min) * this.#futureDraw(k, 0));
      const rateMbps =
        fields.rates === "frozen"
          ? this.decision.rateMbps
          : this.servers.map((_, e) => this.#rate(this.#futureDraw(k, e + 1)));
      const actions = this.actions();
      const costs = actions.map((a) =>
        this.#cost(
          this.#latency(sizeMbit, a, state.backlogMbit, state.workloadMbit[a - 1], state.activeTasks[a - 1], rateMbps),
        ),
      );
      const smallest = Math.min(...costs);
      sum += smallest;
      if (fields.mode === "sequential") {
        this.#drain(state);
        join(state, actions[costs.indexOf(smallest)], sizeMbit);
      }
    }
    return sum / fields.numSamples;
  }

  #virtualState(action: number): VirtualState {
    const state = {
      workloadMbit: this.servers.map((server) => server.workloadMbit),
      activeTasks: this.servers.map((server) => server.activeTasks),
      backlogMbit: this.devices[this.decision.userIndex].backlogMbit,
    };
    this.#drain(state);
    join(state, action, this.decision.sizeMbit);
    return state;
  }

  #drain(state: VirtualState): void {
    const { localCpuGHz, slotSeconds, densityGcyclesPerMbit } = this.#scenario;
    this.servers.forEach((server, e) => {
      const service = serviceMbit(server.cpuGHz, state.activeTasks[e], this.#scenario);
      state.workloadMbit[e] = Math.max(0, state.workloadMbit[e] - service);
    });
    state.backlogMbit = Math.max(0, state.backlogMbit - (localCpuGHz * slotSeconds) / densityGcyclesPerMbit);
  }

  #futureDraw(k: number, item: number): number {
    return futureDraw(this.#futureKeys, this.decisionIndex, k, item);
  }

  #latency(
    sizeMbit: number,
    action: number,
    backlogMbit: number,
    workloadMbit: number,
    activeTasks: number,
    rateMbps: readonly number[],
  ): number {
    const { densityGcyclesPerMbit: density, localCpuGHz, slotSeconds } = this.#scenario;
    if (action === 0) {
      return ((backlogMbit * density) / localCpuGHz + (sizeMbit * density) / localCpuGHz) / slotSeconds;
    }
    const { cpuGHz } = this.servers[action - 1];
    const upload = sizeMbit / rateMbps[action - 1];
    const wait = (workloadMbit * density * (activeTasks + 1)) / cpuGHz;
    const compute = (sizeMbit * density * (activeTasks + 1)) / cpuGHz;
    return (upload + wait + compute) / slotSeconds;
  }

  #cost(latencySlots: number): number {
    const { deadlineSlots, deadlinePenaltySlots } = this.#scenario;
    return latencySlots > deadlineSlots ? latencySlots + deadlinePenaltySlots : latencySlots;
  }

  #costliestAction(): number {
    let worst = 0;
    for (const action of this.actions()) if (this.costSlots(action) > this.costSlots(worst)) worst = action;
    return worst;
  }

  /** The next task; slots pass until there is one. */
  #nextDecision(): ReferenceDecision {
    for (;;) {
      const next = this.#pending.shift();
      if (next !== undefined) return next;
      for (const server of this.servers) server.serve(this.slot, this.#scenario);
      for (const device of this.devices) device.serve(this.slot, this.#scenario);
      this.slot++;
      this.#changeServers();
      this.#stepBursts();
      this.#pending = this.#drawTasksFrom(0);
    }
  }

  /** At the start of every slot except the first: a draw for each server decides whether it changes. */
  #changeServers(): void {
    const { churn } = this.#scenario;
    if (churn === undefined) return;
    for (const server of this.servers) {
      const u = this.#churn();
      if (server.isThere && u < churn.leaveProbability) server.leave(this.slot);
      else if (!server.isThere && u < churn.returnProbability) server.isThere = true;
    }
  }

  /** The chain of bursty arrivals: a first draw for the first slot, then one for every later slot. */
  #stepBursts(): void {
    const { arrivals } = this.#scenario;
    if (arrivals.process !== "bursty") return;
    const { meanBusySlots, meanQuietSlots } = arrivals;
    const u = this.#bursts();
    if (this.#isBusy === undefined) this.#isBusy = u < meanBusySlots / (meanBusySlots + meanQuietSlots);
    else if (this.#isBusy) this.#isBusy = !(u < 1 / meanBusySlots);
    else this.#isBusy = u < 1 / meanQuietSlots;
  }

  /** The tasks of the slot from user `firstUser` on. */
  #drawTasksFrom(firstUser: number): ReferenceDecision[] {
    const tasks: ReferenceDecision[] = [];
    for (let userIndex = firstUser; userIndex < this.devices.length; userIndex++) {
      const numTasks = drawNumTasks(this.#scenario.arrivals, this.#arrivals(), this.#isBusy === true);
      if (numTasks === 0) continue;
      const rateMbps = this.servers.map(({ isThere }) => {
        const rate = this.#rate(this.#fading());
        return isThere ? rate : 0;
      });
      tasks.push(...this.#drawTasksOf(userIndex, rateMbps, numTasks));
    }
    return tasks;
  }

  #drawTasksOf(userIndex: number, rateMbps: readonly number[], numTasks: number): ReferenceDecision[] {
    const { min, max } = this.#scenario.taskSizeMbit;
    return Array.from({ length: numTasks }, (_, i) => ({
      userIndex,
      sizeMbit: min + (max - min) * this.#sizes(),
      rateMbps,
      numFurther: numTasks - 1 - i,
      streams: {
        arrivals: stateOf(this.#arrivals),
        sizes: stateOf(this.#sizes),
        fading: stateOf(this.#fading),
      },
    }));
  }

  /** Eq. 1. */
  #rate(u: number): number {
    const gain = -ln(u + 1 / 8589934592);
    const rate = this.#world.bandwidthOverLn2 * ln(1 + this.#world.meanSnr * gain);
    return Math.max(rate, this.#scenario.uplink.minRateMbps);
  }
}

function join(state: VirtualState, action: number, sizeMbit: number): void {
  if (action === 0) {
    state.backlogMbit += sizeMbit;
  } else {
    state.workloadMbit[action - 1] += sizeMbit;
    state.activeTasks[action - 1] += 1;
  }
}

function drawNumServers(numServers: Scenario["numServers"], draw: () => number): number {
  if (typeof numServers === "number") return numServers;
  if (Array.isArray(numServers)) return numServers[Math.floor(draw() * numServers.length)];
  return numServers.min + Math.floor(draw() * (numServers.max - numServers.min + 1));
}

function drawCapacity(serverCpuGHz: Scenario["serverCpuGHz"], e: number, draw: () => number): number {
  if (Array.isArray(serverCpuGHz)) return serverCpuGHz[e];
  return serverCpuGHz.min + (serverCpuGHz.max - serverCpuGHz.min) * draw();
}

function drawNumTasks(arrivals: Scenario["arrivals"], u: number, isBusy: boolean): number {
  if (arrivals.process === "bursty") return u < (isBusy ? arrivals.busyProbability : arrivals.quietProbability) ? 1 : 0;
  if (arrivals.process === "bernoulli") return u < arrivals.probability ? 1 : 0;
  let k = 0;
  let probability = exp(-arrivals.ratePerSlot);
  let cumulative = probability;
  while (cumulative <= u) {
    k++;
    probability = (probability * arrivals.ratePerSlot) / k;
    cumulative += probability;
  }
  return k;
}

/**
 * The number of tasks still to come that belongs to the uniform `u`, if a Poisson count X is known to be at least
 * `seen`: the smallest j with P(X − seen ≤ j | X ≥ seen) > u.
 */
function furtherTasks(u: number, mean: number, seen: number): number {
  // P(X = seen + j) relative to P(X = seen); far more terms than a sum of doubles can tell apart
  const weights = [1];
  for (let j = 1; j < 400; j++) weights.push((weights[j - 1] * mean) / (seen + j));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let count = 0;
  for (let cumulative = 1; u * total >= cumulative && weights[count] > 0; cumulative += weights[count]) count++;
  return count;
}
