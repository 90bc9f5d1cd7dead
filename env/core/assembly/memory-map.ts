/** The memory map: a table that tells a host where every field that it reads or writes stands. */

import { BATCH, Batch, Options, OPTIONS, SAME_STEP } from "./batch";
import { Decision, DECISION, decisionArrays } from "./decision-block";
import { LookAheadInput, LOOK_AHEAD_INPUT } from "./look-ahead-input";
import { outputSet } from "./outputs";
import { MAX_SUMS, NUM_WEIGHTS, ROLLOUT_INPUT, rolloutInput, RolloutInput, WEIGHTS } from "./rollout-input";
import { CPU_LIST, SCENARIO_HASH, SCENARIO_INPUT, ScenarioInput, SERVER_CHOICES } from "./scenario";
import { NAME } from "./seeding";
import { DIGEST } from "./sha256";
import { Failure, FAILURE, FAILURE_NAME, writeName } from "./status";

/** One entry of the table. */
@unmanaged
class Field {
  /** ASCII name, filled up with zeros. */
  name0: u64;
  name1: u64;
  name2: u64;
  name3: u64;
  name4: u64;
  /** First byte; a multiple of the type's size. */
  address: u32;
  /** ASCII type as NumPy writes it, filled up with zeros: <f8, <f4, <i4, <u8, |u1. */
  type: u32;
  /** Shape: [rows, columns], the columns of a row side by side; columns 0 for a list [rows], rows 0 for one number. */
  rows: u32;
  columns: u32;
  reserved0: u32;
  reserved1: u32;
}

const FIELD_BYTES: usize = 64;
const NAME_BYTES: usize = 40;
const MAX_FIELDS: i32 = 256;
const TABLE: usize = memory.data(64 * 256, 8);
const COUNT: usize = memory.data(4, 4);

/** Address of the table. */
export function fieldTable(): usize {
  describe();
  return TABLE;
}

/** Entries of the table; it has more once the batch is laid out. */
export function numFields(): i32 {
  describe();
  return load<i32>(COUNT);
}

function field(name: string, address: usize, type: string, rows: i32, columns: i32): void {
  const index = load<i32>(COUNT);
  assert(index < MAX_FIELDS);
  store<i32>(COUNT, index + 1);
  const at = TABLE + FIELD_BYTES * <usize>index;
  const entry = changetype<Field>(at);
  writeName(at, NAME_BYTES, name);
  writeName(at + offsetof<Field>("type"), 4, type);
  entry.address = <u32>address;
  entry.rows = rows;
  entry.columns = columns;
}

function integer(name: string, address: usize): void {
  field(name, address, "<i4", 0, 0);
}
function double(name: string, address: usize): void {
  field(name, address, "<f8", 0, 0);
}

function describe(): void {
  store<i32>(COUNT, 0);
  describeFailure();
  describeOptions();
  describeScenario();
  describeDecision();
  describeLookAhead();
  describeRollout();
  field("digest", DIGEST, "|u1", 32, 0);
  field("name", NAME, "|u1", 256, 0);
  if (changetype<Batch>(BATCH).lanes != 0) describeBatch(changetype<Batch>(BATCH));
}

function describeFailure(): void {
  integer("failure.code", FAILURE + offsetof<Failure>("code"));
  integer("failure.index", FAILURE + offsetof<Failure>("index"));
  double("failure.value", FAILURE + offsetof<Failure>("value"));
  double("failure.low", FAILURE + offsetof<Failure>("low"));
  double("failure.high", FAILURE + offsetof<Failure>("high"));
  field("failure.name", FAILURE_NAME, "|u1", 40, 0);
}

function describeOptions(): void {
  integer("options.numLanes", OPTIONS + offsetof<Options>("numLanes"));
  integer("options.maxServers", OPTIONS + offsetof<Options>("maxServers"));
  integer("options.showsHistory", OPTIONS + offsetof<Options>("showsHistory"));
  integer("options.showsFacts", OPTIONS + offsetof<Options>("showsFacts"));
  integer("options.autoreset", OPTIONS + offsetof<Options>("autoreset"));
  integer("options.replacesInvalidActions", OPTIONS + offsetof<Options>("replacesInvalidActions"));
  integer("options.split", OPTIONS + offsetof<Options>("split"));
  integer("options.numOutputSets", OPTIONS + offsetof<Options>("numOutputSets"));
  double("options.seed", OPTIONS + offsetof<Options>("seed"));
  double("options.firstLane", OPTIONS + offsetof<Options>("firstLane"));
}

function describeScenario(): void {
  const at = SCENARIO_INPUT;
  integer("scenario.numServersKind", at + offsetof<ScenarioInput>("numServersKind"));
  integer("scenario.minServers", at + offsetof<ScenarioInput>("minServers"));
  integer("scenario.maxServers", at + offsetof<ScenarioInput>("maxServers"));
  integer("scenario.numServersChoices", at + offsetof<ScenarioInput>("numServersChoices"));
  field("scenario.serverChoices", SERVER_CHOICES, "<i4", 512, 0);
  integer("scenario.numUsers", at + offsetof<ScenarioInput>("numUsers"));
  integer("scenario.usersPerServer", at + offsetof<ScenarioInput>("usersPerServer"));
  integer("scenario.cpuKind", at + offsetof<ScenarioInput>("cpuKind"));
  integer("scenario.numCpus", at + offsetof<ScenarioInput>("numCpus"));
  field("scenario.serverCpuGHz", CPU_LIST, "<f8", 512, 0);
  integer("scenario.arrivalProcess", at + offsetof<ScenarioInput>("arrivalProcess"));
  integer("scenario.isWorkConserving", at + offsetof<ScenarioInput>("isWorkConserving"));
  integer("scenario.historySlots", at + offsetof<ScenarioInput>("historySlots"));
  integer("scenario.episodeSlots", at + offsetof<ScenarioInput>("episodeSlots"));
  integer("scenario.hasChurn", at + offsetof<ScenarioInput>("hasChurn"));
  integer("scenario.numSamples", at + offsetof<ScenarioInput>("numSamples"));
  integer("scenario.isSequential", at + offsetof<ScenarioInput>("isSequential"));
  integer("scenario.isResampled", at + offsetof<ScenarioInput>("isResampled"));
  double("scenario.minCpuGHz", at + offsetof<ScenarioInput>("minCpuGHz"));
  double("scenario.maxCpuGHz", at + offsetof<ScenarioInput>("maxCpuGHz"));
  double("scenario.localCpuGHz", at + offsetof<ScenarioInput>("localCpuGHz"));
  double("scenario.slotSeconds", at + offsetof<ScenarioInput>("slotSeconds"));
  double("scenario.densityGcyclesPerMbit", at + offsetof<ScenarioInput>("densityGcyclesPerMbit"));
  double("scenario.minSizeMbit", at + offsetof<ScenarioInput>("minSizeMbit"));
  double("scenario.maxSizeMbit", at + offsetof<ScenarioInput>("maxSizeMbit"));
  double("scenario.arrivalProbability", at + offsetof<ScenarioInput>("arrivalProbability"));
  double("scenario.quietProbability", at + offsetof<ScenarioInput>("quietProbability"));
  double("scenario.ratePerSlot", at + offsetof<ScenarioInput>("ratePerSlot"));
  double("scenario.meanBusySlots", at + offsetof<ScenarioInput>("meanBusySlots"));
  double("scenario.meanQuietSlots", at + offsetof<ScenarioInput>("meanQuietSlots"));
  double("scenario.meanRateMbps", at + offsetof<ScenarioInput>("meanRateMbps"));
  double("scenario.meanSnrDb", at + offsetof<ScenarioInput>("meanSnrDb"));
  double("scenario.minRateMbps", at + offsetof<ScenarioInput>("minRateMbps"));
  double("scenario.leaveProbability", at + offsetof<ScenarioInput>("leaveProbability"));
  double("scenario.returnProbability", at + offsetof<ScenarioInput>("returnProbability"));
  double("scenario.deadlineSlots", at + offsetof<ScenarioInput>("deadlineSlots"));
  double("scenario.deadlinePenaltySlots", at + offsetof<ScenarioInput>("deadlinePenaltySlots"));
  double("scenario.weight", at + offsetof<ScenarioInput>("weight"));
  double("scenario.minSizeFactor", at + offsetof<ScenarioInput>("minSizeFactor"));
  double("scenario.maxSizeFactor", at + offsetof<ScenarioInput>("maxSizeFactor"));
  field("scenario.contentHash", SCENARIO_HASH, "|u1", 32, 0);
}

function describeDecision(): void {
  double("decision.sizeMbit", DECISION + offsetof<Decision>("sizeMbit"));
  double("decision.backlogMbit", DECISION + offsetof<Decision>("backlogMbit"));
  double("decision.localWaitSlots", DECISION + offsetof<Decision>("localWaitSlots"));
  double("decision.episodeSeed", DECISION + offsetof<Decision>("episodeSeed"));
  integer("decision.slot", DECISION + offsetof<Decision>("slot"));
  integer("decision.decisionIndex", DECISION + offsetof<Decision>("decisionIndex"));
  integer("decision.userIndex", DECISION + offsetof<Decision>("userIndex"));
  integer("decision.numServers", DECISION + offsetof<Decision>("numServers"));
  integer("decision.numUsers", DECISION + offsetof<Decision>("numUsers"));
  integer("decision.scenario", DECISION + offsetof<Decision>("scenario"));
  integer("decision.phase", DECISION + offsetof<Decision>("phase"));
  integer("decision.historySlots", DECISION + offsetof<Decision>("historySlots"));
}

function describeLookAhead(): void {
  const at = LOOK_AHEAD_INPUT;
  integer("lookAhead.numSamples", at + offsetof<LookAheadInput>("numSamples"));
  integer("lookAhead.isSequential", at + offsetof<LookAheadInput>("isSequential"));
  integer("lookAhead.isResampled", at + offsetof<LookAheadInput>("isResampled"));
  double("lookAhead.weight", at + offsetof<LookAheadInput>("weight"));
  double("lookAhead.minSizeFactor", at + offsetof<LookAheadInput>("minSizeFactor"));
  double("lookAhead.maxSizeFactor", at + offsetof<LookAheadInput>("maxSizeFactor"));
}

function describeRollout(): void {
  const at = ROLLOUT_INPUT;
  integer("rollout.isSampled", at + offsetof<RolloutInput>("isSampled"));
  integer("rollout.key0", at + offsetof<RolloutInput>("key0"));
  integer("rollout.key1", at + offsetof<RolloutInput>("key1"));
  integer("rollout.tasksSeen", at + offsetof<RolloutInput>("tasksSeen"));
  integer("rollout.horizonSlots", at + offsetof<RolloutInput>("horizonSlots"));
  integer("rollout.firstFuture", at + offsetof<RolloutInput>("firstFuture"));
  integer("rollout.numFutures", at + offsetof<RolloutInput>("numFutures"));
  integer("rollout.numCandidates", at + offsetof<RolloutInput>("numCandidates"));
  integer("rollout.base", at + offsetof<RolloutInput>("base"));
  double("rollout.busyProbability", at + offsetof<RolloutInput>("busyProbability"));
  double("rollout.tollSlots", at + offsetof<RolloutInput>("tollSlots"));
  double("rollout.sizeSumMbit", at + offsetof<RolloutInput>("sizeSumMbit"));
  double("rollout.numSizes", at + offsetof<RolloutInput>("numSizes"));
  double("rollout.sum", at + offsetof<RolloutInput>("sum"));
  field("rollout.weights", WEIGHTS, "<f8", NUM_WEIGHTS, 0);
}

/** What there is once the batch is laid out. */
function describeBatch(batch: Batch): void {
  const lanes = batch.numLanes;
  integer("batch.numLanes", BATCH + offsetof<Batch>("numLanes"));
  integer("batch.maxServers", BATCH + offsetof<Batch>("maxServers"));
  integer("batch.maxUsers", BATCH + offsetof<Batch>("maxUsers"));
  integer("batch.maxHistorySlots", BATCH + offsetof<Batch>("maxHistorySlots"));
  integer("batch.shownHistorySlots", BATCH + offsetof<Batch>("shownHistorySlots"));
  integer("batch.showsFacts", BATCH + offsetof<Batch>("showsFacts"));
  integer("batch.observationSize", BATCH + offsetof<Batch>("observationSize"));
  integer("batch.numFinal", BATCH + offsetof<Batch>("numFinal"));
  field("actions", batch.actions, "<i4", lanes, 0);
  field("seeds", batch.seeds, "<f8", lanes, 0);
  field("mask", batch.mask, "|u1", lanes, 0);
  field("laneScenario", batch.laneScenario, "<i4", lanes, 0);
  field("final.lane", batch.finalLane, "<i4", lanes, 0);
  field("final.slot", batch.finalSlot, "<i4", lanes, 0);
  field("final.stats", batch.finalStats, "<f8", lanes, 8);
  const hasFinalRows = batch.autoreset == SAME_STEP;
  field("final.observation", batch.finalObservation, "<f4", hasFinalRows ? lanes : 0, batch.observationSize);
  describeArrays(batch);
  for (let i = 0; i < batch.numOutputSets; i++) describeOutputs(batch, i);
}

function describeArrays(batch: Batch): void {
  const arrays = decisionArrays();
  const numServers = batch.maxServers;
  field("decision.rateMbps", arrays.rateMbps, "<f8", numServers, 0);
  field("decision.cpuGHz", arrays.cpuGHz, "<f8", numServers, 0);
  field("decision.workloadMbit", arrays.workloadMbit, "<f8", numServers, 0);
  field("decision.activeTasks", arrays.activeTasks, "<f8", numServers, 0);
  field("decision.isAvailable", arrays.isAvailable, "|u1", numServers, 0);
  field("decision.workloadHistoryMbit", arrays.workloadHistoryMbit, "<f8", numServers, batch.maxHistorySlots);
  field("lookAhead.actions", arrays.actions, "<i4", numServers + 1, 0);
  field("lookAhead.latencySlots", arrays.latencySlots, "<f8", numServers + 1, 0);
  field("lookAhead.costSlots", arrays.costSlots, "<f8", numServers + 1, 0);
  field("lookAhead.impactSlots", arrays.impactSlots, "<f8", numServers + 1, 0);
  field("lookAhead.reward", arrays.reward, "<f8", numServers + 1, 0);
  field("rollout.candidates", rolloutInput().candidates, "<i4", numServers + 1, 0);
  field("rollout.costSlots", rolloutInput().costSlots, "<f8", MAX_SUMS, 0);
}

/** One set of outputs; the names of the first have no number, those of the others end with #1, #2 and so on. */
function describeOutputs(batch: Batch, index: i32): void {
  const set = outputSet(index);
  const lanes = batch.numLanes;
  const first = load<i32>(COUNT);
  field("outputs.observation", set.observation, "<f4", lanes, batch.observationSize);
  field("outputs.reward", set.reward, "<f8", lanes, 0);
  field("outputs.latencySlots", set.latencySlots, "<f8", lanes, 0);
  field("outputs.costSlots", set.costSlots, "<f8", lanes, 0);
  field("outputs.episodeSeed", set.episodeSeed, "<u8", lanes, 0);
  field("outputs.executedAction", set.executedAction, "<i4", lanes, 0);
  field("outputs.decisionIndex", set.decisionIndex, "<i4", lanes, 0);
  field("outputs.slot", set.slot, "<i4", lanes, 0);
  field("outputs.numServers", set.numServers, "<i4", lanes, 0);
  field("outputs.lostTasks", set.lostTasks, "<i4", lanes, 0);
  field("outputs.lostOnTimeTasks", set.lostOnTimeTasks, "<i4", lanes, 0);
  field("outputs.flags", set.flags, "|u1", lanes, 0);
  field("outputs.actionMask", set.actionMask, "|u1", lanes, batch.maxServers + 1);
  if (index == 0) return;
  for (let i = first; i < load<i32>(COUNT); i++) {
    let end = TABLE + FIELD_BYTES * <usize>i;
    while (load<u8>(end) != 0) end++;
    store<u8>(end, 35); // #
    store<u8>(end, 48 + <u8>index, 1);
  }
}
