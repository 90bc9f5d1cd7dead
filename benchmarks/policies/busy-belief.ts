/** How likely it is that a slot is busy, from the arrivals seen: the forward filter of a hidden chain of two states. */

import type { Scenario } from "../../env/index.js";

/** Follows one episode of bursty arrivals; always 0 for other arrivals. */
export class BusyBelief {
  readonly #arrivals: Scenario["arrivals"];
  #probability = 0;
  #slot = 0;
  /** Last user of the slot that is known to have been asked. */
  #user = -1;

  constructor(arrivals: Scenario["arrivals"]) {
    this.#arrivals = arrivals;
    if (arrivals.process !== "bursty") return;
    this.#probability = arrivals.meanBusySlots / (arrivals.meanBusySlots + arrivals.meanQuietSlots);
  }

  /**
   * Takes in the next task: users and slots that were passed over had none.
   *
   * @returns the probability that `slot` is busy, given all tasks so far
   */
  see(slot: number, userIndex: number, numUsers: number): number {
    const { process } = this.#arrivals;
    if (process !== "bursty") return 0;
    const { meanBusySlots, meanQuietSlots } = this.#arrivals;
    for (; this.#slot < slot; this.#slot++, this.#user = -1) {
      while (++this.#user < numUsers) this.#weigh(false);
      const busy = this.#probability;
      this.#probability = busy * (1 - 1 / meanBusySlots) + (1 - busy) * (1 / meanQuietSlots);
    }
    while (++this.#user < userIndex) this.#weigh(false);
    this.#weigh(true);
    return this.#probability;
  }

  /** Bayes' rule for one user's answer. */
  #weigh(hasTask: boolean): void {
    if (this.#arrivals.process !== "bursty") return;
    const { busyProbability, quietProbability } = this.#arrivals;
    const busy = this.#probability * (hasTask ? busyProbability : 1 - busyProbability);
    const quiet = (1 - this.#probability) * (hasTask ? quietProbability : 1 - quietProbability);
    if (busy + quiet > 0) this.#probability = busy / (busy + quiet);
  }
}
