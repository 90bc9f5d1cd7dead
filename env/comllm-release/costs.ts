/** What actions cost in the profile `comllm-release`, now and for the tasks that may follow: all in slots. */

import { MecgymError } from "../errors.js";
import { createStream, streamName } from "../random.js";
import type { ReleaseServer, ReleaseState } from "./state.js";

/** Charged for a server that does not exist, slots. */
export const MISSING_SERVER_SLOTS = 5;
/** A task is dropped where its cost is above this, slots, whatever deadline the prompt names. */
export const DROP_ABOVE_SLOTS = 12.5;
/** Charged for the servers where there is none, in the look-ahead, slots. */
const NO_SERVER_SLOTS = 100;
/** Future sizes are uniform between these, times the current task's. */
const SIZE_FACTOR = { min: 0.5, max: 1.5 };

/**
 * Cost of an action, slots: waiting and computing, and for a server the upload before. No penalty is ever added; a server
 * that does not exist costs 5.
 *
 * @param action 0, or the id of a server
 * @throws MecgymError `invalidAction` for what is no integer of 0 or more
 */
export function releaseCostSlots(state: ReleaseState, action: number): number {
  if (!Number.isSafeInteger(action) || action < 0) {
    throw new MecgymError("invalidAction", { path: "action", got: action, expected: "an integer of 0 or more" });
  }
  if (action === 0) return localSlots(state, state.sizeMbit, state.localWaitSlots);
  const server = state.servers.find(({ id }) => id === action);
  if (server === undefined) return MISSING_SERVER_SLOTS;
  return edgeSlots(state, server, state.sizeMbit, server.workloadMbit, server.activeTasks);
}

/**
 * What an action leaves for the next task: the mean, over future sizes, of the cheapest action's cost, slots.
 *
 * Nothing is served in between. Local execution lengthens the device's wait by the task's computation; a server's queue
 * grows by the task, and its tasks by one; a server that does not exist changes nothing.
 *
 * @param futureSizesMbit sizes of the future tasks; the same for all actions that are compared
 */
export function releaseImpactSlots(state: ReleaseState, action: number, futureSizesMbit: readonly number[]): number {
  const addedWait = action === 0 ? state.sizeMbit / localMbitPerSlot(state) : 0;
  const localWaitSlots = state.localWaitSlots + addedWait;
  let sum = 0;
  for (const sizeMbit of futureSizesMbit) {
    let cheapestServer = state.servers.length === 0 ? NO_SERVER_SLOTS : Number.POSITIVE_INFINITY;
    for (const server of state.servers) {
      const isChosen = server.id === action;
      const workloadMbit = isChosen ? server.workloadMbit + state.sizeMbit : server.workloadMbit;
      const activeTasks = isChosen ? server.activeTasks + 1 : server.activeTasks;
      const cost = edgeSlots(state, server, sizeMbit, workloadMbit, activeTasks);
      if (cost < cheapestServer) cheapestServer = cost;
    }
    const local = localSlots(state, sizeMbit, localWaitSlots);
    sum += local < cheapestServer ? local : cheapestServer;
  }
  return sum / futureSizesMbit.length;
}

/**
 * Sizes of the future tasks of a state, Mbit: uniform on [0.5·D, 1.5·D].
 *
 * They follow from the state and the seed alone, so all answers to one state face the same futures. The stream is
 * `mecgym/v1/release-future/{seed}/{the state's numbers}`.
 */
export function releaseFutureSizes(state: ReleaseState, seed: number, count: number): number[] {
  const servers = state.servers.flatMap(({ id, cpuGHz, activeTasks, workloadMbit }) => [
    id,
    cpuGHz,
    activeTasks,
    workloadMbit,
  ]);
  const { sizeMbit, localWaitSlots, networkWaitSlots, rateMbitPerSlot, slotSeconds } = state;
  const { localCpuGHz, densityGcyclesPerMbit } = state;
  const device = [sizeMbit, localWaitSlots, networkWaitSlots, rateMbitPerSlot, slotSeconds];
  const uniform = createStream(
    streamName("release-future", seed, ...device, localCpuGHz, densityGcyclesPerMbit, ...servers),
  );
  const [min, max] = [sizeMbit * SIZE_FACTOR.min, sizeMbit * SIZE_FACTOR.max];
  return Array.from({ length: count }, () => min + (max - min) * uniform());
}

function localMbitPerSlot({ localCpuGHz, slotSeconds, densityGcyclesPerMbit }: ReleaseState): number {
  return (localCpuGHz * slotSeconds) / densityGcyclesPerMbit;
}

function localSlots(state: ReleaseState, sizeMbit: number, waitSlots: number): number {
  return waitSlots + sizeMbit / localMbitPerSlot(state);
}

/** The server shares its capacity among its tasks and the new one. */
function edgeSlots(
  { networkWaitSlots, rateMbitPerSlot, slotSeconds, densityGcyclesPerMbit }: ReleaseState,
  { cpuGHz }: ReleaseServer,
  sizeMbit: number,
  workloadMbit: number,
  activeTasks: number,
): number {
  const mbitPerSlot = (cpuGHz * slotSeconds) / (activeTasks + 1) / densityGcyclesPerMbit;
  return networkWaitSlots + sizeMbit / rateMbitPerSlot + workloadMbit / mbitPerSlot + sizeMbit / mbitPerSlot;
}
