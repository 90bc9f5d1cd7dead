/** What is logged of an episode or a state, in typed arrays that can move between threads. */

/** One decision and its costs. */
export interface Decision {
  /** Action that was carried out. */
  readonly action: number;
  /** J, and the penalty of each task in `lostOnTimeTasks`, slots. */
  readonly costSlots: number;
  /** C, slots. */
  readonly latencySlots: number;
  /** Smallest J of any action in the same state, slots (eq. 31). */
  readonly cheapestCostSlots: number;
  readonly isLate: boolean;
  /** Whether the policy named an action that cannot be taken, and was charged the costliest one. */
  readonly isInvalid: boolean;
  /** Whether no decision could be read in its answer, and it was charged the costliest one; false if left out. */
  readonly isUnread?: boolean;
  /** Tasks lost after this decision that were not late at their own decision; 0 if left out. */
  readonly lostOnTimeTasks?: number;
}

const LATE = 1;
const INVALID = 2;
const UNREAD = 4;
/** J, C and the cheapest J of a decision are adjacent. */
const SLOT_FIELDS = 3;

/** Decisions in the order they were taken, in typed arrays: an overload run has millions of them. */
export class DecisionLog {
  length: number;
  /** All lost tasks that were not late at their decision. */
  lostOnTimeTasks = 0;
  #actions: Uint16Array;
  #marks: Uint8Array;
  #slots: Float64Array;

  /** An empty log, or a log that takes over the given arrays. */
  constructor(
    actions: Uint16Array = new Uint16Array(16),
    marks: Uint8Array = new Uint8Array(16),
    slots: Float64Array = new Float64Array(16 * SLOT_FIELDS),
    length = 0,
  ) {
    this.length = length;
    this.#actions = actions;
    this.#marks = marks;
    this.#slots = slots;
  }

  add(decision: Decision): void {
    const i = this.length++;
    if (i === this.#actions.length) this.#grow();
    this.#actions[i] = decision.action;
    this.#marks[i] =
      (decision.isLate ? LATE : 0) | (decision.isInvalid ? INVALID : 0) | (decision.isUnread ? UNREAD : 0);
    this.#slots[SLOT_FIELDS * i] = decision.costSlots;
    this.#slots[SLOT_FIELDS * i + 1] = decision.latencySlots;
    this.#slots[SLOT_FIELDS * i + 2] = decision.cheapestCostSlots;
    this.lostOnTimeTasks += decision.lostOnTimeTasks ?? 0;
  }

  #grow(): void {
    const grown = <A extends Uint16Array | Uint8Array | Float64Array>(old: A, larger: A): A => {
      larger.set(old);
      return larger;
    };
    const room = Math.max(16, 2 * this.#actions.length);
    this.#actions = grown(this.#actions, new Uint16Array(room));
    this.#marks = grown(this.#marks, new Uint8Array(room));
    this.#slots = grown(this.#slots, new Float64Array(SLOT_FIELDS * room));
  }

  action(i: number): number {
    return this.#actions[i];
  }
  costSlots(i: number): number {
    return this.#slots[SLOT_FIELDS * i];
  }
  latencySlots(i: number): number {
    return this.#slots[SLOT_FIELDS * i + 1];
  }
  cheapestCostSlots(i: number): number {
    return this.#slots[SLOT_FIELDS * i + 2];
  }
  isLate(i: number): boolean {
    return (this.#marks[i] & LATE) !== 0;
  }
  isInvalid(i: number): boolean {
    return (this.#marks[i] & INVALID) !== 0;
  }

  isUnread(i: number): boolean {
    return (this.#marks[i] & UNREAD) !== 0;
  }

  /** The actions, as plain numbers. */
  actions(): number[] {
    return Array.from(this.#actions.subarray(0, this.length));
  }

  /** Writes the decisions into packed arrays, from decision `at` on. */
  copyTo(packed: PackedUnits, at: number): void {
    packed.actions.set(this.#actions.subarray(0, this.length), at);
    packed.marks.set(this.#marks.subarray(0, this.length), at);
    packed.slots.set(this.#slots.subarray(0, SLOT_FIELDS * this.length), SLOT_FIELDS * at);
  }
}

/** A log of these decisions. */
export function logOf(decisions: Iterable<Decision>): DecisionLog {
  const log = new DecisionLog();
  for (const decision of decisions) log.add(decision);
  return log;
}

/** The outcome of an episode's tasks; the static protocol has none. */
export interface Realised {
  readonly finishedTasks: number;
  readonly finishedLateTasks: number;
  readonly realisedLatencySumSlots: number;
  readonly unfinishedTasks: number;
  readonly unfinishedLateTasks: number;
  /** Tasks lost with servers that left; left out if servers cannot leave. */
  readonly lostTasks?: number;
}

/** The order of a packed row; NaN stands for a field that is left out. */
const realisedFields: readonly (keyof Realised)[] = [
  "finishedTasks",
  "finishedLateTasks",
  "realisedLatencySumSlots",
  "unfinishedTasks",
  "unfinishedLateTasks",
  "lostTasks",
];

/** The unit of resampling: an episode with its decisions, or one state. */
export interface Unit {
  readonly decisions: DecisionLog;
  readonly numServers: number;
  readonly realised?: Realised;
}

/** Units as typed arrays, with the decisions of one unit after those of another. */
export interface PackedUnits {
  /** The number of decisions in each unit. */
  readonly lengths: Uint32Array;
  readonly numServers: Uint16Array;
  readonly lostOnTimeTasks: Uint32Array;
  readonly actions: Uint16Array;
  readonly marks: Uint8Array;
  readonly slots: Float64Array;
  /** A row of `realisedFields` for each unit; null in the static protocol. */
  readonly realised: Float64Array | null;
}

export function packUnits(units: readonly Unit[]): PackedUnits {
  const lengths = Uint32Array.from(units, (unit) => unit.decisions.length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const isRealised = units.some((unit) => unit.realised !== undefined);
  const packed: PackedUnits = {
    lengths,
    numServers: Uint16Array.from(units, (unit) => unit.numServers),
    lostOnTimeTasks: Uint32Array.from(units, (unit) => unit.decisions.lostOnTimeTasks),
    actions: new Uint16Array(total),
    marks: new Uint8Array(total),
    slots: new Float64Array(SLOT_FIELDS * total),
    realised: isRealised ? new Float64Array(realisedFields.length * units.length) : null,
  };
  let at = 0;
  for (const [u, { decisions, realised }] of units.entries()) {
    decisions.copyTo(packed, at);
    at += decisions.length;
    for (const [f, field] of realisedFields.entries()) {
      if (packed.realised !== null && realised !== undefined) {
        packed.realised[u * realisedFields.length + f] = realised[field] ?? Number.NaN;
      }
    }
  }
  return packed;
}

/** The units, as views of the packed arrays. */
export function unpackUnits(packed: PackedUnits): Unit[] {
  const { actions, marks, slots, realised } = packed;
  let at = 0;
  return Array.from(packed.lengths, (length, u) => {
    const end = at + length;
    const decisions = new DecisionLog(
      actions.subarray(at, end),
      marks.subarray(at, end),
      slots.subarray(SLOT_FIELDS * at, SLOT_FIELDS * end),
      length,
    );
    decisions.lostOnTimeTasks = packed.lostOnTimeTasks[u];
    at = end;
    const unit = { decisions, numServers: packed.numServers[u] };
    if (realised === null) return unit;
    const row = realisedFields.map((field, f) => [field, realised[u * realisedFields.length + f]] as const);
    const present = row.filter(([, value]) => !Number.isNaN(value));
    return { ...unit, realised: Object.fromEntries(present) as unknown as Realised };
  });
}
