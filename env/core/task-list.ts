/** The active tasks of every lane, in arrival order: one pool of typed arrays, one growing block for each lane. */

const INITIAL_CAPACITY = 16;
const NUM_SIZE_CLASSES = 32;

/**
 * Tasks that edge servers hold. A lane's block starts at `offset[lane]` and has room for `capacity[lane]` tasks; how
 * many stand there is the lane's `numTasks`. Blocks double when they are full (the only allocation while playing) and
 * given-up blocks are used again, so memory follows what the lanes hold, not the worst lane times their number.
 */
export class TaskLists {
  readonly offset: Int32Array;
  readonly capacity: Int32Array;
  /** Residual work of a task, Mbit. */
  residualMbit: Float64Array;
  /** Server that holds it, from 0. */
  serverIndex: Int32Array;
  /** Slot of the decision. */
  decisionSlot: Int32Array;
  /** Upload time, slots. */
  uploadSlots: Float64Array;
  /** 1 where its latency exceeded the deadline at the decision; kept under churn alone. */
  wasLate: Uint8Array;
  #used: number;
  readonly #freeBlocks: number[][] = Array.from({ length: NUM_SIZE_CLASSES }, () => []);

  constructor(numLanes: number) {
    const length = numLanes * INITIAL_CAPACITY;
    this.offset = new Int32Array(numLanes);
    this.capacity = new Int32Array(numLanes).fill(INITIAL_CAPACITY);
    for (let lane = 0; lane < numLanes; lane++) this.offset[lane] = lane * INITIAL_CAPACITY;
    this.residualMbit = new Float64Array(length);
    this.serverIndex = new Int32Array(length);
    this.decisionSlot = new Int32Array(length);
    this.uploadSlots = new Float64Array(length);
    this.wasLate = new Uint8Array(length);
    this.#used = length;
  }

  /** Bytes the pool takes. */
  get numBytes(): number {
    return this.residualMbit.length * 25;
  }

  /** Gives `lane` a block with room for at least `numTasks`, its tasks moved along. */
  reserve(lane: number, numTasks: number): void {
    const oldCapacity = this.capacity[lane];
    if (numTasks <= oldCapacity) return;
    let newCapacity = oldCapacity;
    while (newCapacity < numTasks) newCapacity *= 2;
    const oldOffset = this.offset[lane];
    const newOffset = this.#take(newCapacity);
    const end = oldOffset + oldCapacity;
    this.residualMbit.copyWithin(newOffset, oldOffset, end);
    this.serverIndex.copyWithin(newOffset, oldOffset, end);
    this.decisionSlot.copyWithin(newOffset, oldOffset, end);
    this.uploadSlots.copyWithin(newOffset, oldOffset, end);
    this.wasLate.copyWithin(newOffset, oldOffset, end);
    this.#freeBlocks[sizeClass(oldCapacity)].push(oldOffset);
    this.offset[lane] = newOffset;
    this.capacity[lane] = newCapacity;
  }

  #take(capacity: number): number {
    const free = this.#freeBlocks[sizeClass(capacity)].pop();
    if (free !== undefined) return free;
    const start = this.#used;
    this.#used += capacity;
    if (this.#used > this.residualMbit.length) {
      const length = Math.max(this.#used, 2 * this.residualMbit.length);
      this.residualMbit = grown(this.residualMbit, new Float64Array(length));
      this.serverIndex = grown(this.serverIndex, new Int32Array(length));
      this.decisionSlot = grown(this.decisionSlot, new Int32Array(length));
      this.uploadSlots = grown(this.uploadSlots, new Float64Array(length));
      this.wasLate = grown(this.wasLate, new Uint8Array(length));
    }
    return start;
  }
}

function sizeClass(capacity: number): number {
  return 31 - Math.clz32(capacity);
}

function grown<A extends Float64Array | Int32Array | Uint8Array>(old: A, larger: A): A {
  larger.set(old);
  return larger;
}
