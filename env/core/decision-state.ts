/** The state a look-ahead starts from, and how a lane's current decision becomes one. */

import type { ServerRows } from "./action-costs.js";
import type { Lanes } from "./kernel.js";

/** The state a look-ahead starts from. A lane and a recorded state both fit it. */
export interface DecisionState extends ServerRows {
  sizeMbit: number;
  backlogMbit: number;
  numServers: number;
  /** Where the servers begin in the arrays below. */
  firstServer: number;
  rateMbps: ArrayLike<number>;
  cpuGHz: ArrayLike<number>;
  activeTasks: ArrayLike<number>;
  workloadMbit: ArrayLike<number>;
  futureKey0: number;
  futureKey1: number;
  decisionIndex: number;
}

/** Points `state` at a lane's current decision. */
export function readDecision(lanes: Lanes, lane: number, state: DecisionState): void {
  const { arrays, size } = lanes;
  const user = lane * size.maxUsers + arrays.userIndex[lane];
  state.sizeMbit = arrays.sizeMbit[lane];
  state.backlogMbit = arrays.backlogMbit[user] + arrays.addedBacklogMbit[user];
  state.numServers = arrays.numServers[lane];
  state.firstServer = lane * size.maxServers;
  state.rateMbps = arrays.rateMbps;
  state.cpuGHz = arrays.cpuGHz;
  state.activeTasks = arrays.activeTasks;
  state.workloadMbit = arrays.workloadMbit;
  state.futureKey0 = arrays.futureKeys[2 * lane];
  state.futureKey1 = arrays.futureKeys[2 * lane + 1];
  state.decisionIndex = arrays.decisionIndex[lane];
}
