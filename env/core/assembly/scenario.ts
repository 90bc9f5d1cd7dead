/** A scenario in the module: the numbers a host gives, and the constants that follow from them. */

import { exp, expIntegralE1, LN10 } from "./mathematics";
import { allocate } from "./heap";
import { fail, INVALID_SCENARIO } from "./status";

export const MAX_SERVERS: i32 = 512;

/** Kinds of a scenario's fields that can be given in several ways. */
export const FIXED: i32 = 0;
export const LIST: i32 = 1;
export const RANGE: i32 = 2;
export const BERNOULLI: i32 = 0;
export const POISSON: i32 = 1;
export const BURSTY: i32 = 2;

/** What a host writes before `addScenario`: the fields of the scenario schema, nothing derived. */
@unmanaged
export class ScenarioInput {
  /** E: fixed (the minimum), one of a list, or a range. */
  numServersKind: i32;
  minServers: i32;
  maxServers: i32;
  numServersChoices: i32;
  /** U: a count, or a number for each server; the other one is 0. */
  numUsers: i32;
  usersPerServer: i32;
  /** F_e: RANGE, or LIST with one for each server. */
  cpuKind: i32;
  numCpus: i32;
  arrivalProcess: i32;
  isWorkConserving: i32;
  historySlots: i32;
  episodeSlots: i32;
  hasChurn: i32;
  /** K, and whether future tasks come one after another and with rates drawn again. */
  numSamples: i32;
  isSequential: i32;
  isResampled: i32;
  minCpuGHz: f64;
  maxCpuGHz: f64;
  localCpuGHz: f64;
  slotSeconds: f64;
  densityGcyclesPerMbit: f64;
  minSizeMbit: f64;
  maxSizeMbit: f64;
  /** Bernoulli: λ_p; bursty: λ_p while busy. */
  arrivalProbability: f64;
  quietProbability: f64;
  /** Poisson: λ_p. */
  ratePerSlot: f64;
  meanBusySlots: f64;
  meanQuietSlots: f64;
  meanRateMbps: f64;
  meanSnrDb: f64;
  minRateMbps: f64;
  leaveProbability: f64;
  returnProbability: f64;
  deadlineSlots: f64;
  deadlinePenaltySlots: f64;
  /** λ, and the bounds of a future task's size relative to the current one's. */
  weight: f64;
  minSizeFactor: f64;
  maxSizeFactor: f64;
}

export const SCENARIO_INPUT: usize = memory.data(offsetof<ScenarioInput>(), 8);
/** i32 [512]: the choices of E. */
export const SERVER_CHOICES: usize = memory.data(4 * 512, 8);
/** f64 [512]: F_e, if they are given one by one. */
export const CPU_LIST: usize = memory.data(8 * 512, 8);
/** u8 [32]: the scenario's content hash; stands in snapshots. */
export const SCENARIO_HASH: usize = memory.data(32, 8);

/** A scenario's constants. Their order keeps what a step reads close together. */
@unmanaged
export class Scenario {
  /** γ, Gcycles/Mbit. */
  densityGcyclesPerMbit: f64;
  /** Δt, s. */
  slotSeconds: f64;
  /** f_loc, GHz. */
  localCpuGHz: f64;
  /** τ, slots. */
  deadlineSlots: f64;
  /** ρ, slots. */
  penaltySlots: f64;
  /** f_loc·Δt/γ: work a device serves in a slot, Mbit. */
  localServiceMbit: f64;
  /** The negative of the mean SNR as a ratio. */
  negativeSnr: f64;
  /** B/ln 2: Mbit/s for each unit of ln(1 + SNR·|h|²). */
  rateScaleMbps: f64;
  minRateMbps: f64;
  minSizeMbit: f64;
  sizeSpanMbit: f64;
  /** A user has a task where its draw is below: ⌈p·2³²⌉, for draws as integers. While busy, and while quiet. */
  arrivalLimit: u64;
  quietLimit: u64;
  /** Poisson: e^(−λ_p), the probability of no task, and λ_p. */
  probabilityOfNone: f64;
  arrivalRate: f64;
  /** Bursty: how likely a busy slot is followed by a quiet one and the other way round, and is at the start. */
  leaveBusyProbability: f64;
  leaveQuietProbability: f64;
  busyShare: f64;
  leaveProbability: f64;
  returnProbability: f64;
  minCpuGHz: f64;
  cpuSpanGHz: f64;
  weight: f64;
  minSizeFactor: f64;
  maxSizeFactor: f64;
  /** T, slots. */
  episodeSlots: i32;
  /** W, slots. */
  historySlots: i32;
  isPoisson: bool;
  isBursty: bool;
  isWorkConserving: bool;
  hasChurn: bool;
  numServersKind: i32;
  minServers: i32;
  maxServers: i32;
  numServersChoices: i32;
  numUsers: i32;
  usersPerServer: i32;
  /** K. */
  numSamples: i32;
  isSequential: bool;
  isResampled: bool;
  /** Whether capacities are given one by one. */
  hasCpuList: bool;
  isReserved: bool;
  /** i32 [numServersChoices], f64 [maxServers] and u8 [32]. */
  serverChoices: usize;
  cpuGHz: usize;
  contentHash: usize;
  index: i32;
  // Room for what is planned: a task's class and the fields of classes, energy, positions and rate files.
  planned0: f64;
  planned1: f64;
}

/** How many servers and users an episode can have at most. */
export function mostServers(scenario: Scenario): i32 {
  return scenario.maxServers;
}

export function mostUsers(scenario: Scenario): i32 {
  return scenario.numUsers > 0 ? scenario.numUsers : scenario.usersPerServer * scenario.maxServers;
}

let isWrong: bool = false;

function check(name: string, value: f64, low: f64, high: f64): void {
  if (isWrong || (value >= low && value <= high)) return;
  isWrong = true;
  fail(INVALID_SCENARIO, name, -1, value, low, high);
}

/** Holds every number against the bounds of the scenario schema. */
function isValid(input: ScenarioInput): bool {
  isWrong = false;
  check("numServersKind", input.numServersKind, FIXED, RANGE);
  check("minServers", input.minServers, 1, MAX_SERVERS);
  if (input.numServersKind == RANGE) check("maxServers", input.maxServers, input.minServers, MAX_SERVERS);
  if (input.numServersKind == LIST) {
    check("numServersChoices", input.numServersChoices, 1, MAX_SERVERS);
    if (isWrong) return false;
    for (let i = 0; i < input.numServersChoices; i++) {
      check("numServersChoices", load<i32>(SERVER_CHOICES + 4 * i), 1, MAX_SERVERS);
    }
  }
  check("usersPerServer", input.usersPerServer, input.numUsers > 0 ? 0 : 1, input.numUsers > 0 ? 0 : 64);
  check("numUsers", input.numUsers, 0, 4096);
  check("cpuKind", input.cpuKind, LIST, RANGE);
  if (input.cpuKind == RANGE) {
    check("minCpuGHz", input.minCpuGHz, 1, 10000);
    check("maxCpuGHz", input.maxCpuGHz, input.minCpuGHz, 10000);
  } else {
    const most = maxOfServers(input);
    check("numCpus", input.numCpus, most, most);
    if (isWrong) return false;
    for (let e = 0; e < most; e++) check("serverCpuGHz", load<f64>(CPU_LIST + 8 * e), 1, 10000);
  }
  check("localCpuGHz", input.localCpuGHz, 0.01, 1000);
  check("slotSeconds", input.slotSeconds, 0.0001, 100);
  check("densityGcyclesPerMbit", input.densityGcyclesPerMbit, 0.0001, 1000);
  check("minSizeMbit", input.minSizeMbit, 1e-9, 1e9);
  check("maxSizeMbit", input.maxSizeMbit, input.minSizeMbit, 1e9);
  check("arrivalProcess", input.arrivalProcess, BERNOULLI, BURSTY);
  if (input.arrivalProcess == POISSON) check("ratePerSlot", input.ratePerSlot, 0.001, 20);
  else check("arrivalProbability", input.arrivalProbability, 0.001, 1);
  if (input.arrivalProcess == BURSTY) {
    check("quietProbability", input.quietProbability, 0.001, 1);
    check("meanBusySlots", input.meanBusySlots, 1, 1000000);
    check("meanQuietSlots", input.meanQuietSlots, 1, 1000000);
  }
  check("meanRateMbps", input.meanRateMbps, 0.001, 1000000);
  check("meanSnrDb", input.meanSnrDb, -20, 80);
  check("minRateMbps", input.minRateMbps, 0, 1000000);
  check("hasChurn", input.hasChurn, 0, 1);
  if (input.hasChurn) {
    check("leaveProbability", input.leaveProbability, 0, 1);
    check("returnProbability", input.returnProbability, 0, 1);
  }
  check("deadlineSlots", input.deadlineSlots, 0.01, 100000);
  check("deadlinePenaltySlots", input.deadlinePenaltySlots, 0, 100000);
  check("isWorkConserving", input.isWorkConserving, 0, 1);
  check("historySlots", input.historySlots, 1, 100);
  check("episodeSlots", input.episodeSlots, 1, 1000000);
  check("numSamples", input.numSamples, 1, 64);
  check("weight", input.weight, 0, 1000);
  check("minSizeFactor", input.minSizeFactor, 0.001, 1000);
  check("maxSizeFactor", input.maxSizeFactor, input.minSizeFactor, 1000);
  check("isSequential", input.isSequential, 0, 1);
  check("isResampled", input.isResampled, 0, 1);
  return !isWrong;
}

function maxOfServers(input: ScenarioInput): i32 {
  if (input.numServersKind == FIXED) return input.minServers;
  if (input.numServersKind == RANGE) return input.maxServers;
  let most = 0;
  for (let i = 0; i < input.numServersChoices; i++) most = max(most, load<i32>(SERVER_CHOICES + 4 * i));
  return most;
}

/** Copies what a host has written, and derives the constants. 0 if there is no room, or a number is out of its bounds. */
export function makeScenario(index: i32): usize {
  const input = changetype<ScenarioInput>(SCENARIO_INPUT);
  if (!isValid(input)) return 0;
  const numServers = maxOfServers(input);
  const fixedBytes = (offsetof<Scenario>() + 7) & ~7;
  const address = allocate(fixedBytes + 8 * <usize>(input.numServersChoices + 1) + 8 * <usize>numServers + 32);
  if (address == 0) return 0;
  const scenario = changetype<Scenario>(address);
  scenario.index = index;
  scenario.contentHash = address + fixedBytes;
  scenario.cpuGHz = scenario.contentHash + 32;
  scenario.serverChoices = scenario.cpuGHz + 8 * <usize>numServers;
  memory.copy(scenario.contentHash, SCENARIO_HASH, 32);
  memory.copy(scenario.cpuGHz, CPU_LIST, 8 * <usize>numServers);
  memory.copy(scenario.serverChoices, SERVER_CHOICES, 4 * <usize>input.numServersChoices);
  copyCounts(scenario, input, numServers);
  deriveConstants(scenario, input);
  deriveArrivals(scenario, input);
  return address;
}

function copyCounts(scenario: Scenario, input: ScenarioInput, numServers: i32): void {
  scenario.numServersKind = input.numServersKind;
  scenario.minServers = input.minServers;
  scenario.maxServers = numServers;
  scenario.numServersChoices = input.numServersChoices;
  scenario.numUsers = input.numUsers;
  scenario.usersPerServer = input.usersPerServer;
  scenario.hasCpuList = input.cpuKind == LIST;
  scenario.isWorkConserving = input.isWorkConserving != 0;
  scenario.hasChurn = input.hasChurn != 0;
  scenario.episodeSlots = input.episodeSlots;
  scenario.historySlots = input.historySlots;
  scenario.numSamples = input.numSamples;
  scenario.isSequential = input.isSequential != 0;
  scenario.isResampled = input.isResampled != 0;
  scenario.weight = input.weight;
  scenario.minSizeFactor = input.minSizeFactor;
  scenario.maxSizeFactor = input.maxSizeFactor;
}

function deriveConstants(scenario: Scenario, input: ScenarioInput): void {
  scenario.densityGcyclesPerMbit = input.densityGcyclesPerMbit;
  scenario.slotSeconds = input.slotSeconds;
  scenario.localCpuGHz = input.localCpuGHz;
  scenario.deadlineSlots = input.deadlineSlots;
  scenario.penaltySlots = input.deadlinePenaltySlots;
  scenario.localServiceMbit = (input.localCpuGHz * input.slotSeconds) / input.densityGcyclesPerMbit;
  scenario.minSizeMbit = input.minSizeMbit;
  scenario.sizeSpanMbit = input.maxSizeMbit - input.minSizeMbit;
  scenario.minCpuGHz = input.minCpuGHz;
  scenario.cpuSpanGHz = input.maxCpuGHz - input.minCpuGHz;
  scenario.leaveProbability = input.leaveProbability;
  scenario.returnProbability = input.returnProbability;
  scenario.minRateMbps = input.minRateMbps;
  const snrRatio = exp(input.meanSnrDb * (LN10 / 10));
  scenario.negativeSnr = -snrRatio;
  // eq. 1 has E[R] = (B/ln 2)·e^(1/s)·E1(1/s) for |h|² exponential of mean 1 and mean SNR s
  scenario.rateScaleMbps = input.meanRateMbps / (exp(1 / snrRatio) * expIntegralE1(1 / snrRatio));
}

function deriveArrivals(scenario: Scenario, input: ScenarioInput): void {
  scenario.isPoisson = input.arrivalProcess == POISSON;
  scenario.isBursty = input.arrivalProcess == BURSTY;
  const probabilityOfNone = exp(-input.ratePerSlot);
  scenario.probabilityOfNone = probabilityOfNone;
  scenario.arrivalRate = input.ratePerSlot;
  scenario.arrivalLimit = limitOf(scenario.isPoisson ? probabilityOfNone : input.arrivalProbability);
  scenario.quietLimit = scenario.isBursty ? limitOf(input.quietProbability) : scenario.arrivalLimit;
  scenario.leaveBusyProbability = 1 / input.meanBusySlots;
  scenario.leaveQuietProbability = 1 / input.meanQuietSlots;
  scenario.busyShare = input.meanBusySlots / (input.meanBusySlots + input.meanQuietSlots);
}

/** A draw is n·2⁻³²; it is below p exactly where n is below ⌈p·2³²⌉, and the product is exact. */
function limitOf(probability: f64): u64 {
  return <u64>ceil<f64>(probability * 4294967296.0);
}
