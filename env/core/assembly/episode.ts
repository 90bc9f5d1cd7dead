/** The start of an episode, and its way from one decision to the next. */

import { drawUniform } from "./alea";
import { beginArrivals, changeBurst, findTask } from "./arrivals";
import { theBatch } from "./batch";
import { changeServers } from "./churn";
import { appendHistory, serveDevices } from "./devices";
import { drawFading, hideRates, takeGains, takeRates } from "./fading";
import {
  arrivalStream,
  burstStream,
  churnStream,
  fadingStream,
  firstServer,
  Lane,
  RUNNING,
  SERVER_PAIR,
  serverOf,
  sizeStream,
  Stream,
  USER_PAIR,
} from "./lane";
import { LIST, RANGE, Scenario } from "./scenario";
import { drawFutureKeys, seedEpisodeStream } from "./seeding";
import { countUnfinished, serveServers } from "./service";
import { ARRIVALS, FADING, FUTURE, seededStream, seedStreams, SIZES, TOPOLOGY } from "./stream-group";

/**
 * Sets a lane to the first decision of episode `seed`: queues empty, capacities drawn, slots played until a task
 * comes.
 */
export function startEpisode(lane: Lane, seed: f64): void {
  const batch = theBatch();
  const scenario = lane.scenario;
  memory.fill(firstServer(lane), 0, SERVER_PAIR * <usize>((batch.maxServers + 1) >> 1));
  memory.fill(lane.users, 0, USER_PAIR * <usize>((batch.maxUsers + 1) >> 1));
  memory.fill(lane.history, 0, batch.historyRowBytes * <usize>scenario.historySlots);
  seedStreams(seed);
  copyStream(arrivalStream(lane), seededStream(ARRIVALS));
  copyStream(sizeStream(lane), seededStream(SIZES));
  copyStream(fadingStream(lane), seededStream(FADING));
  drawFutureKeys(lane, seededStream(FUTURE));
  startBursts(lane, seed);
  drawTopology(lane, scenario);
  startChurn(lane, seed);
  lane.episodeSeed = seed;
  lane.slot = 0;
  lane.historyRow = 0;
  lane.endSlot = scenario.episodeSlots;
  lane.decisionIndex = 0;
  lane.pendingTasks = 0;
  lane.numTasks = 0;
  lane.numServedTasks = 0;
  lane.finishedTasks = 0;
  lane.finishedLateTasks = 0;
  lane.realisedLatencySumSlots = 0;
  lane.unfinishedTasks = 0;
  lane.unfinishedLateTasks = 0;
  lane.sizeSumMbit = 0;
  lane.numSizesSummed = 0;
  lane.phase = RUNNING;
  beginArrivals(lane);
  advance(lane);
  // an episode without a task in its slots is extended to its first one
  if (lane.slot >= scenario.episodeSlots) lane.endSlot = lane.slot + 1;
}

function copyStream(to: Stream, from: Stream): void {
  memory.copy(changetype<usize>(to), changetype<usize>(from), offsetof<Stream>());
}

function startBursts(lane: Lane, seed: f64): void {
  const stream = burstStream(lane);
  lane.isBusy = 0;
  memory.fill(changetype<usize>(stream), 0, offsetof<Stream>());
  if (!lane.scenario.isBursty) return;
  seedEpisodeStream(stream, "bursts", seed);
  lane.isBusy = <i32>(drawUniform(stream) < lane.scenario.busyShare);
}

/** Every server is there at first. */
function startChurn(lane: Lane, seed: f64): void {
  const stream = churnStream(lane);
  memory.fill(lane.availability, 0, theBatch().maxServers);
  memory.fill(lane.availability, 1, lane.numServers);
  memory.fill(changetype<usize>(stream), 0, offsetof<Stream>());
  lane.lostTasks = 0;
  lane.lostOnTimeTasks = 0;
  if (lane.scenario.hasChurn) seedEpisodeStream(stream, "churn", seed);
}

/** E, U and the capacities. */
function drawTopology(lane: Lane, scenario: Scenario): void {
  const stream = seededStream(TOPOLOGY);
  let count = scenario.minServers;
  if (scenario.numServersKind == LIST) {
    const choice = <usize>floor<f64>(drawUniform(stream) * <f64>scenario.numServersChoices);
    count = load<i32>(scenario.serverChoices + 4 * choice);
  } else if (scenario.numServersKind == RANGE) {
    count += <i32>floor<f64>(drawUniform(stream) * <f64>(scenario.maxServers - scenario.minServers + 1));
  }
  lane.numServers = count;
  lane.numUsers = scenario.numUsers > 0 ? scenario.numUsers : scenario.usersPerServer * count;
  for (let e = 0; e < count; e++) {
    serverOf(lane, e).cpuGHz = scenario.hasCpuList
      ? load<f64>(scenario.cpuGHz + 8 * e)
      : scenario.minCpuGHz + scenario.cpuSpanGHz * drawUniform(stream);
  }
}

/** The service of the lane's slot, and what happens between it and the arrivals of the next. */
// @ts-ignore: decorator
@inline
export function endSlot(lane: Lane): void {
  serveServers(lane);
  serveDevices(lane);
  appendHistory(lane);
  const scenario = lane.scenario;
  lane.slot += 1;
  const row = lane.historyRow + 1;
  lane.historyRow = row == scenario.historySlots ? 0 : row;
  if (scenario.isBursty) changeBurst(lane);
  if (lane.slot == lane.endSlot) countUnfinished(lane);
  if (scenario.hasChurn) changeServers(lane);
  beginArrivals(lane);
}

/** D of the current task. */
// @ts-ignore: decorator
@inline
export function drawSize(lane: Lane): void {
  const scenario = lane.scenario;
  lane.sizeMbit = scenario.minSizeMbit + scenario.sizeSpanMbit * drawUniform(sizeStream(lane));
}

/** Moves one lane to its next task, through as many slots as it takes. */
export function advance(lane: Lane): void {
  if (lane.pendingTasks > 0) {
    // a further task of the same user and slot: the same rates
    lane.pendingTasks -= 1;
  } else {
    while (!findTask(lane)) endSlot(lane);
    drawFading(lane);
    takeGains(lane);
    takeRates(lane);
    if (lane.scenario.hasChurn) hideRates(lane);
  }
  drawSize(lane);
}
