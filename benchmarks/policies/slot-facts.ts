/** What a policy may know although an observation does not show it: remembered from decision to decision. */

// The core can show the same numbers at the end of an observation (env/core/assembly/observation-facts.ts); they follow
// from what a policy has seen and from the scenario, so they tell it nothing new.

import type { Observation, Scenario } from "../../env/index.js";

/** The facts of one episode's current decision. */
export class SlotFacts {
  readonly #users: Scenario["users"];
  #slot = -1;
  #sizeMbit = 0;
  #sizeSumMbit = 0;
  #numSizes = 0;
  #tasksBefore = new Float64Array(0);
  /** Of each server, in this slot. */
  assignedTasks = new Float64Array(0);
  assignedMbit = new Float64Array(0);
  /** Users who are asked later in this slot. */
  usersLeft = 0;

  /** @param scenario the scenario of the episode, which is public knowledge */
  constructor(scenario: Scenario) {
    this.#users = scenario.users;
  }

  /** Mean size of the episode's tasks up to the current one, Mbit. */
  get meanSizeMbit(): number {
    return this.#sizeSumMbit / this.#numSizes;
  }

  /** Takes in a decision of the episode. Called once for each. */
  see(observation: Observation): void {
    const { numServers, activeTasks } = observation;
    if (this.assignedTasks.length !== numServers) {
      this.#tasksBefore = new Float64Array(numServers);
      this.assignedTasks = new Float64Array(numServers);
      this.assignedMbit = new Float64Array(numServers);
    }
    if (observation.slot !== this.#slot) {
      this.#slot = observation.slot;
      this.assignedTasks.fill(0);
      this.assignedMbit.fill(0);
    } else {
      // a task more than at the last decision of this slot is the task of that decision
      for (let e = 0; e < numServers; e++) {
        if (activeTasks[e] <= this.#tasksBefore[e]) continue;
        this.assignedTasks[e] += 1;
        this.assignedMbit[e] += this.#sizeMbit;
      }
    }
    for (let e = 0; e < numServers; e++) this.#tasksBefore[e] = activeTasks[e];
    this.#sizeMbit = observation.sizeMbit;
    this.#sizeSumMbit += observation.sizeMbit;
    this.#numSizes += 1;
    const users = this.#users;
    const numUsers = "count" in users ? users.count : users.perServer * numServers;
    this.usersLeft = numUsers - 1 - observation.userIndex;
  }
}
