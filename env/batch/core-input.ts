/** Hands a batch's scenarios and options to the core, and has it laid out. */

import { type CoreModule, coreStatus } from "../core/module.js";
import { hashOfScenario, type Scenario } from "../scenario/scenario.js";
import type { BatchSettings } from "./options.js";

const kinds = { fixed: 0, list: 1, range: 2 } as const;
const processes = { bernoulli: 0, poisson: 1, bursty: 2 } as const;
const autoresets = { disabled: 0, "next-step": 1, "same-step": 2 } as const;
const splitCodes = { train: 0, validation: 1, test: 2 } as const;

/** Hands in one scenario; its index. */
export function addScenario(core: CoreModule, scenario: Scenario): number {
  for (const name of core.fields.keys()) if (name.startsWith("scenario.")) core.view(name).fill(0);
  writeServers(core, scenario);
  writeArrivals(core, scenario.arrivals);
  const { users, uplink, taskSizeMbit, churn, lookAhead } = scenario;
  const numbers: Record<string, number> = {
    numUsers: "count" in users ? users.count : 0,
    usersPerServer: "count" in users ? 0 : users.perServer,
    localCpuGHz: scenario.localCpuGHz,
    slotSeconds: scenario.slotSeconds,
    densityGcyclesPerMbit: scenario.densityGcyclesPerMbit,
    minSizeMbit: taskSizeMbit.min,
    maxSizeMbit: taskSizeMbit.max,
    meanRateMbps: uplink.meanRateMbps,
    meanSnrDb: uplink.meanSnrDb,
    minRateMbps: uplink.minRateMbps,
    hasChurn: churn === undefined ? 0 : 1,
    leaveProbability: churn?.leaveProbability ?? 0,
    returnProbability: churn?.returnProbability ?? 0,
    deadlineSlots: scenario.deadlineSlots,
    deadlinePenaltySlots: scenario.deadlinePenaltySlots,
    isWorkConserving: scenario.service === "work-conserving" ? 1 : 0,
    historySlots: scenario.historySlots,
    episodeSlots: scenario.episodeSlots,
    numSamples: lookAhead.numSamples,
    weight: lookAhead.weight,
    minSizeFactor: lookAhead.sizeFactor.min,
    maxSizeFactor: lookAhead.sizeFactor.max,
    isSequential: lookAhead.mode === "sequential" ? 1 : 0,
    isResampled: lookAhead.rates === "resampled" ? 1 : 0,
  };
  for (const [name, value] of Object.entries(numbers)) core.set(`scenario.${name}`, value);
  const hash = hashOfScenario(scenario);
  const hashBytes = core.view("scenario.contentHash");
  for (let i = 0; i < hashBytes.length; i++) hashBytes[i] = Number.parseInt(hash.slice(2 * i, 2 * i + 2), 16);
  return core.call(() => core.calls.addScenario());
}

function writeServers(core: CoreModule, { numServers, serverCpuGHz }: Scenario): void {
  if (typeof numServers === "number") {
    core.set("scenario.numServersKind", kinds.fixed);
    core.set("scenario.minServers", numServers);
  } else if (Array.isArray(numServers)) {
    core.set("scenario.numServersKind", kinds.list);
    core.set("scenario.minServers", 1);
    core.set("scenario.numServersChoices", numServers.length);
    core.view("scenario.serverChoices").set(numServers);
  } else {
    core.set("scenario.numServersKind", kinds.range);
    core.set("scenario.minServers", numServers.min);
    core.set("scenario.maxServers", numServers.max);
  }
  if (Array.isArray(serverCpuGHz)) {
    core.set("scenario.cpuKind", kinds.list);
    core.set("scenario.numCpus", serverCpuGHz.length);
    core.view("scenario.serverCpuGHz").set(serverCpuGHz);
  } else {
    core.set("scenario.cpuKind", kinds.range);
    core.set("scenario.minCpuGHz", serverCpuGHz.min);
    core.set("scenario.maxCpuGHz", serverCpuGHz.max);
  }
}

function writeArrivals(core: CoreModule, arrivals: Scenario["arrivals"]): void {
  core.set("scenario.arrivalProcess", processes[arrivals.process]);
  if (arrivals.process === "bernoulli") core.set("scenario.arrivalProbability", arrivals.probability);
  else if (arrivals.process === "poisson") core.set("scenario.ratePerSlot", arrivals.ratePerSlot);
  else {
    core.set("scenario.arrivalProbability", arrivals.busyProbability);
    core.set("scenario.quietProbability", arrivals.quietProbability);
    core.set("scenario.meanBusySlots", arrivals.meanBusySlots);
    core.set("scenario.meanQuietSlots", arrivals.meanQuietSlots);
  }
}

/**
 * Has a batch laid out.
 *
 * @returns 0, or the status that says why not
 */
export function layOutBatch(core: CoreModule, settings: BatchSettings, numOutputSets = 1): number {
  for (const scenario of settings.scenarios) {
    const index = addScenario(core, scenario);
    if (index < 0) return index;
  }
  const options: Record<string, number> = {
    numLanes: settings.numLanes,
    maxServers: settings.maxServers,
    showsHistory: settings.history ? 1 : 0,
    autoreset: autoresets[settings.autoreset],
    replacesInvalidActions: settings.invalidActions === "costliest" ? 1 : 0,
    split: splitCodes[settings.split],
    numOutputSets,
    seed: settings.seed,
    firstLane: settings.firstLane,
  };
  for (const [name, value] of Object.entries(options)) core.set(`options.${name}`, value);
  const numBytes = core.calls.requiredBytes();
  if (numBytes < 0) return coreStatus.invalidOption;
  core.growTo(numBytes);
  const status = core.calls.create();
  if (status < 0) return status;
  core.readMap();
  core.view("laneScenario").set(settings.laneScenario);
  return core.calls.assignScenarios();
}
