/** `learned-price`: the smallest J plus the price of `adaptive` plus a learned one; trained by benchmarks/training. */

// benchmarks/training/price_policy.py does the same in NumPy. All numbers are those of a float32 observation with
// facts, every operation is exactly rounded, and sums are added up in the same order: so both decide alike to the bit,
// and whoever changes one of the two changes the other.

import type { Observation, Scenario } from "../../env/index.js";
import { ln } from "../../env/math.js";
import kept from "./learned-price.json" with { type: "json" };
import type { Policy, PolicyParameters } from "./policy.js";
import { cheapestBy, type Prices } from "./prices.js";
import { SlotFacts } from "./slot-facts.js";

const WIDTH = 32;
const NUM_SERVER_INPUTS = 13;
const NUM_DEVICE_INPUTS = 4;
const NUM_SHARED_INPUTS = 12;

/** What `adaptive` takes the load to be before it has seen anything. */
const PRIOR_TASKS = 10;
const PRIOR_WORK_MBIT = 35;
const PRIOR_SLOTS = 10;
const PRIOR_TASKS_PER_SERVER = 6;

/** e^(−k/4) for k slots to the end of the episode, 0 from the last entry on. */
const END_DECAY = 0.7788007830714049;
const END_SLOTS = 40;
const endRamp = new Float64Array(END_SLOTS + 1);
endRamp[0] = 1;
for (let k = 1; k < END_SLOTS; k++) endRamp[k] = endRamp[k - 1] * END_DECAY;

const MEAN_CPU_GHZ = 34;

const adaptive = Float64Array.from(kept.adaptive);
const weights = Object.fromEntries(
  Object.entries(kept.weights).map(([name, values]) => [name, Float64Array.from(values)]),
) as Record<keyof typeof kept.weights, Float64Array>;

/** x·(1 + x/(1 + |x|))/2: like SiLU, of operations that round alike everywhere. */
function act(x: number): number {
  return x * (x / (Math.abs(x) + 1) + 1) * 0.5;
}

function ln1p(x: number): number {
  return ln(x + 1);
}

/** Writes inputs times a matrix with a row of `WIDTH` numbers for each input; sums begin with the first input. */
function multiply(inputs: Float64Array, matrix: Float64Array, out: Float64Array): void {
  const first = inputs[0];
  for (let j = 0; j < WIDTH; j++) out[j] = first * matrix[j];
  for (let k = 1; k < inputs.length; k++) {
    const value = inputs[k];
    const row = WIDTH * k;
    for (let j = 0; j < WIDTH; j++) out[j] += value * matrix[row + j];
  }
}

/** Adds the entries of `other` to those of `out`. */
function add(out: Float64Array, other: Float64Array): void {
  for (let j = 0; j < WIDTH; j++) out[j] += other[j];
}

/** Adds the entries of `other`, and puts every sum through `act`. */
function activate(out: Float64Array, other: Float64Array): void {
  for (let j = 0; j < WIDTH; j++) out[j] = act(out[j] + other[j]);
}

function dot(inputs: Float64Array, vector: Float64Array): number {
  let sum = inputs[0] * vector[0];
  for (let k = 1; k < inputs.length; k++) sum += inputs[k] * vector[k];
  return sum;
}

/** The prices of one episode's decisions. */
export class LearnedPrices implements Prices {
  readonly #facts: SlotFacts;
  readonly #episodeSlots: number;
  readonly #shared = new Float64Array(NUM_SHARED_INPUTS);
  readonly #device = new Float64Array(NUM_DEVICE_INPUTS);
  readonly #mean = new Float64Array(WIDTH);
  readonly #common = new Float64Array(WIDTH);
  readonly #hidden = new Float64Array(WIDTH);
  readonly #product = new Float64Array(WIDTH);
  /** Of each server: its inputs, and its first layer. */
  #servers: { readonly inputs: Float64Array; readonly hidden: Float64Array; isThere: boolean }[] = [];

  /** @param scenario the scenario of the episode, which is public knowledge */
  constructor(scenario: Scenario) {
    this.#facts = new SlotFacts(scenario);
    this.#episodeSlots = scenario.episodeSlots;
  }

  see(observation: Observation): void {
    this.#facts.see(observation);
  }

  priceAll(observation: Observation, out: Float64Array): void {
    while (this.#servers.length < observation.numServers) {
      const inputs = new Float64Array(NUM_SERVER_INPUTS);
      this.#servers.push({ inputs, hidden: new Float64Array(WIDTH), isThere: false });
    }
    const numThere = this.#readInputs(observation, out);
    this.#addLearned(observation.numServers, numThere, out);
  }

  /** Fills the inputs of the network, and `out` with J + the price of `adaptive`. How many servers are there, or 1. */
  #readInputs(observation: Observation, out: Float64Array): number {
    const { numServers, slotSeconds, penaltySlots } = observation;
    const facts = this.#facts;
    const sizeMbit = Math.fround(observation.sizeMbit);
    const density = Math.fround(observation.densityGcyclesPerMbit);
    const deadline = Math.fround(observation.deadlineSlots);
    const localWait = Math.fround(observation.localWaitSlots);
    let count = 0;
    let sumTasks = 0;
    let sumGHz = 0;
    for (let e = 0; e < numServers; e++) {
      const isThere = observation.rateMbps[e] > 0;
      this.#servers[e].isThere = isThere;
      if (!isThere) continue;
      count += 1;
      sumTasks += observation.activeTasks[e];
      sumGHz += Math.fround(observation.cpuGHz[e]);
    }
    const there = count > 0 ? count : 1;
    const slotsGHzPerMbit = density / slotSeconds;
    const deviceSlotsPerMbit = slotsGHzPerMbit / Math.fround(observation.localCpuGHz);
    const deviceWork = sizeMbit * deviceSlotsPerMbit;
    const mean = sumTasks / there;
    const decisions = observation.decisionIndex;
    const seen = decisions + 1;
    const meanSeen = (PRIOR_WORK_MBIT + Math.fround(facts.meanSizeMbit) * seen) / (PRIOR_TASKS + seen);
    const tasksPerSlot = (decisions / there + PRIOR_TASKS_PER_SERVER) / (observation.slot + PRIOR_SLOTS);
    const load = (tasksPerSlot * meanSeen * slotsGHzPerMbit * there) / (count > 0 ? sumGHz : 1);

    // J and the price of `adaptive`; see adaptive.ts
    const w = adaptive;
    const deviceLatency = localWait + deviceWork;
    out[0] =
      (deviceLatency > deadline ? deviceLatency + penaltySlots : deviceLatency) +
      (localWait * (w[15] + w[16] * load + w[17] * mean) +
        deviceWork * w[18] * load +
        w[19] * mean +
        load * (w[20] + w[21] * mean + w[22] * load));
    const perTask = w[0] + w[4] * mean + load * (w[5] + w[9] * load + w[11] * mean);
    const perTaskSquared = w[1] + w[8] * mean + load * (w[6] + w[10] * load);
    const perTaskWork = w[3] + w[7] * load;
    const perWork = w[12] * mean + w[13] * load;
    const perWait = w[14] * load;
    let sumWait = 0;
    let sumAssignedTasks = 0;
    let sumAssignedWork = 0;
    for (let e = 0; e < numServers; e++) {
      const { inputs, isThere } = this.#servers[e];
      if (!isThere) {
        out[e + 1] = Number.POSITIVE_INFINITY;
        continue;
      }
      const ghz = Math.fround(observation.cpuGHz[e]);
      const tasks = observation.activeTasks[e];
      const slotsPerMbit = slotsGHzPerMbit / ghz;
      const work = sizeMbit * slotsPerMbit;
      const queue = Math.fround(observation.workloadMbit[e]) * slotsPerMbit;
      const wait = queue * (tasks + 1);
      const upload = sizeMbit / Math.fround(observation.rateMbps[e]) / slotSeconds;
      const assignedWork = Math.fround(facts.assignedMbit[e]) * slotsPerMbit;
      const latency = upload + wait + work * (tasks + 1);
      const added =
        tasks * (perTask + tasks * perTaskSquared + w[2] * wait + work * perTaskWork) + work * perWork + wait * perWait;
      out[e + 1] = (latency > deadline ? latency + penaltySlots : latency) + added;
      sumWait += wait;
      sumAssignedTasks += facts.assignedTasks[e];
      sumAssignedWork += assignedWork;
      inputs[0] = tasks;
      inputs[1] = tasks * load;
      inputs[2] = tasks * tasks * 0.3;
      inputs[3] = ln1p(wait);
      inputs[4] = ln1p(wait * tasks);
      inputs[5] = work * 3;
      inputs[6] = tasks * work * 2;
      inputs[7] = facts.assignedTasks[e];
      inputs[8] = assignedWork * 3;
      inputs[9] = upload * 0.3;
      inputs[10] = queue * 2;
      inputs[11] = MEAN_CPU_GHZ / ghz - 1;
      inputs[12] = load * work * 3;
    }
    const device = this.#device;
    device[0] = ln1p(localWait);
    device[1] = deviceWork * 0.3;
    device[2] = load * deviceWork * 0.3;
    device[3] = localWait * 0.1;
    const usersLeft = facts.usersLeft;
    const perServerLeft = usersLeft / there;
    const slotsLeft = this.#episodeSlots - observation.slot;
    const shared = this.#shared;
    shared[0] = mean;
    shared[1] = mean * load;
    shared[2] = load;
    shared[3] = ln1p(sumWait / there);
    shared[4] = perServerLeft;
    shared[5] = perServerLeft * load;
    shared[6] = sumAssignedTasks / there;
    shared[7] = (sumAssignedWork * 3) / there;
    shared[8] = ln1p(localWait);
    shared[9] = endRamp[Math.min(Math.max(slotsLeft, 0), END_SLOTS)];
    shared[10] = sizeMbit * 0.3;
    shared[11] = observation.userIndex / (observation.userIndex + usersLeft + 1);
    return there;
  }

  /** Adds the network's price of every action. */
  #addLearned(numServers: number, numThere: number, out: Float64Array): void {
    const shared = this.#shared;
    const device = this.#device;
    const mean = this.#mean;
    const common = this.#common;
    const hidden = this.#hidden;
    const product = this.#product;
    multiply(shared, weights.shared1, common);
    add(common, weights.bias1);
    mean.fill(0);
    for (let e = 0; e < numServers; e++) {
      const server = this.#servers[e];
      if (!server.isThere) continue;
      multiply(server.inputs, weights.server1, server.hidden);
      activate(server.hidden, common);
      add(mean, server.hidden);
    }
    for (let j = 0; j < WIDTH; j++) mean[j] /= numThere;
    multiply(mean, weights.mean2, common);
    multiply(shared, weights.shared2, product);
    add(common, product);
    add(common, weights.bias2);
    const offset = dot(shared, weights.sharedSkip) + weights.biasOut[0];
    for (let e = 0; e < numServers; e++) {
      const server = this.#servers[e];
      if (!server.isThere) continue;
      multiply(server.hidden, weights.server2, hidden);
      activate(hidden, common);
      out[e + 1] += dot(hidden, weights.serverOut) + dot(server.inputs, weights.serverSkip) + offset;
    }
    multiply(device, weights.device1, hidden);
    multiply(shared, weights.deviceShared1, product);
    add(hidden, product);
    multiply(mean, weights.deviceMean1, product);
    add(hidden, product);
    activate(hidden, weights.deviceBias1);
    out[0] +=
      dot(hidden, weights.deviceOut) +
      dot(device, weights.deviceSkip) +
      dot(shared, weights.deviceSharedSkip) +
      weights.deviceBiasOut[0];
  }
}

/** @param scenario the scenario of the episode */
export function makeLearnedPrice(scenario: Scenario): Policy {
  return cheapestBy(new LearnedPrices(scenario));
}

/** How the weights were trained, which results name. */
export const learnedPriceParameters: PolicyParameters = kept.about;
