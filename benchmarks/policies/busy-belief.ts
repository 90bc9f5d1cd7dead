/** The probability that a slot is busy, given the arrivals so far: the forward filter of a hidden two-state chain. */

import type { Scenario } from "../../env/index.js";

/** Follows one episode of bursty arrivals; always 0 for other arrivals. */
export class BusyBelief {
  readonly #arrivals: Scenario["arrivals"];
  #probability = 0;
  #slot = 0;
  /** The last user of the slot whose answer is known. */
  #user = -1;

  constructor(arrivals: Scenario["arrivals"]) {
    this.#arrivals = arrivals;
    if (arrivals.process !== "bursty") return;
    this.#probability = arrivals.meanBusySlots / (arrivals.meanBusySlots + arrivals.meanQuietSlots);
  }

  /**
   * Takes in the next task. Users and slots that it skips had no task.
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
