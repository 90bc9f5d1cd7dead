/** One slot of service on the users' devices, and the workload history: the end of a slot besides its servers. */

// Two at a time; together with the observation and the edge latencies this makes a step 1.1 times as fast.

import { RESIDUAL_TOLERANCE_MBIT } from "./decision";
import { endOfServers, firstServer, Lane, Server, SERVER_PAIR, User, USER_PAIR } from "./lane";
import { Scenario } from "./scenario";
import { theBatch } from "./batch";
import { add, sub } from "./vectors";

/** What was there as the slot began falls by f_loc·Δt/γ; then what the slot added is added. */
export function serveDevices(lane: Lane): void {
  const service = v128.load_splat<f64>(changetype<usize>(lane.scenario), offsetof<Scenario>("localServiceMbit"));
  const tolerance = f64x2.splat(RESIDUAL_TOLERANCE_MBIT);
  const first = lane.users;
  const end = first + USER_PAIR * <usize>((lane.numUsers + 1) >> 1);
  for (let pair = first; pair < end; pair += USER_PAIR) {
    const left = sub(v128.load(pair, offsetof<User>("backlogMbit")), service);
    const kept = v128.and(left, f64x2.gt(left, tolerance));
    v128.store(pair, add(kept, v128.load(pair, offsetof<User>("addedMbit"))), offsetof<User>("backlogMbit"));
    v128.store(pair, f64x2.splat(0), offsetof<User>("addedMbit"));
  }
}

/** Writes L_e over the oldest row of the history. */
export function appendHistory(lane: Lane): void {
  let at = lane.history + theBatch().historyRowBytes * <usize>lane.historyRow;
  for (let pair = firstServer(lane), end = endOfServers(lane); pair < end; pair += SERVER_PAIR, at += 16) {
    v128.store(at, v128.load(pair, offsetof<Server>("workloadMbit")));
  }
}
