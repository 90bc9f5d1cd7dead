/** The physics core as a host sees it: an instance of the WebAssembly module, its calls, and views of its memory. */

import { coreBase64 } from "./generated/core-module.js";

/** What a call answers when it could not do what was asked. */
export const coreStatus = {
  needsRoom: -1,
  needsReset: -2,
  invalidAction: -3,
  invalidSeed: -4,
  invalidOption: -5,
  invalidScenario: -6,
  invalidSnapshot: -7,
} as const;

/** The calls of the module; docs/embedding.md describes each. */
export interface CoreCalls {
  readonly memory: WebAssembly.Memory;
  interfaceVersion(): number;
  fieldTable(): number;
  numFields(): number;
  neededBytes(): number;
  addScenario(): number;
  requiredBytes(): number;
  create(): number;
  assignScenarios(): number;
  checkCanaries(): number;
  reset(flags: number): number;
  step(): number;
  useOutputs(index: number): number;
  chooseCheapest(): number;
  chooseLookAhead(isOwn: number): number;
  phaseOf(lane: number): number;
  readDecision(lane: number): number;
  readDecisionNow(lane: number): number;
  lookAhead(lane: number, isOwn: number, numActions: number): number;
  lookAheadOfState(scenario: number, isOwn: number, numActions: number): number;
  borrow(numBytes: number): number;
  snapshotBytes(lane: number): number;
  snapshot(lane: number, address: number): number;
  checkSnapshot(lane: number, address: number, numBytes: number): number;
  restore(lane: number, address: number, numBytes: number): number;
  stateHash(lane: number): number;
  fork(from: number, to: number): number;
  forgetStep(): number;
  rollout(lane: number): number;
  beginRollout(lane: number, future: number): number;
  playRollout(action: number): number;
  seedStream(length: number): number;
  drawStream(): number;
  lnInPlace(address: number, count: number): void;
  nextEpisodeSeed(split: number, seed: number, lane: number, episode: number): number;
}

/** Where a field stands, and what it is: an entry of the memory map. */
export interface CoreField {
  readonly address: number;
  /** As NumPy writes it: <f8, <f4, <i4, <u8 or |u1. */
  readonly type: string;
  /** Shape: `columns` is 0 for a list, `rows` too for a single number. */
  readonly rows: number;
  readonly columns: number;
}

export type CoreView = Float64Array | Float32Array | Int32Array | Uint32Array | Uint8Array;

const FIELD_BYTES = 64;
const NAME_BYTES = 40;
const INTERFACE_VERSION = 1;
const PAGE_BYTES = 65536;

let compiled: WebAssembly.Module | undefined;
/** Names and types of a module's fields: those of an entry are the same in every instance. */
const fieldTexts = new WeakMap<WebAssembly.Module, { readonly name: string; readonly type: string }[]>();

/** The bytes of the module. */
export function coreBytes(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(coreBase64), (character) => character.charCodeAt(0));
}

/** One instance of the module, with a memory of its own: room for one batch. */
export class CoreModule {
  readonly calls: CoreCalls;
  readonly #fields = new Map<string, CoreField>();
  #views = new Map<string, CoreView>();
  #buffer: ArrayBuffer | undefined;
  readonly #module: WebAssembly.Module;
  /** Changes when views that were made before are of no use any more: memory grew, or the map was read again. */
  generation = 0;

  /** @param module another build of the same sources; the one that comes with the package if left out */
  constructor(module?: WebAssembly.Module) {
    compiled ??= new WebAssembly.Module(coreBytes());
    this.#module = module ?? compiled;
    const { exports } = new WebAssembly.Instance(this.#module);
    this.calls = exports as unknown as CoreCalls;
    const version = this.calls.interfaceVersion();
    if (version !== INTERFACE_VERSION) throw new Error(`the core has interface ${version}, not ${INTERFACE_VERSION}`);
    this.readMap();
  }

  /** Reads the memory map; again after the batch is laid out, since there are more fields then. */
  readMap(): void {
    const { memory } = this.calls;
    const table = this.calls.fieldTable();
    const count = this.calls.numFields();
    const bytes = new Uint8Array(memory.buffer);
    const numbers = new DataView(memory.buffer);
    const text = (at: number, length: number) => {
      const end = bytes.indexOf(0, at);
      return String.fromCharCode(...bytes.subarray(at, end < at || end > at + length ? at + length : end));
    };
    let known = fieldTexts.get(this.#module);
    if (known === undefined) {
      known = [];
      fieldTexts.set(this.#module, known);
    }
    for (let i = 0; i < count; i++) {
      const at = table + i * FIELD_BYTES;
      known[i] ??= { name: text(at, NAME_BYTES), type: text(at + NAME_BYTES + 4, 4) };
      const { name, type } = known[i];
      const address = numbers.getUint32(at + NAME_BYTES, true);
      const rows = numbers.getUint32(at + NAME_BYTES + 8, true);
      const columns = numbers.getUint32(at + NAME_BYTES + 12, true);
      this.#fields.set(name, { address, type, rows, columns });
    }
    this.#views.clear();
    this.generation += 1;
  }

  get fields(): ReadonlyMap<string, CoreField> {
    return this.#fields;
  }

  /** A view of a field, good until memory grows. A <u8 field is seen as pairs of words, the low one first. */
  view<View extends CoreView>(name: string): View {
    const { buffer } = this.calls.memory;
    if (buffer !== this.#buffer) {
      this.#buffer = buffer as ArrayBuffer;
      this.#views = new Map();
    }
    let view = this.#views.get(name);
    if (view === undefined) {
      view = this.#cut(name);
      this.#views.set(name, view);
    }
    return view as View;
  }

  #cut(name: string): CoreView {
    const { buffer } = this.calls.memory;
    const field = this.#fields.get(name);
    if (field === undefined) throw new Error(`the core has no field ${name}`);
    const { address, type, rows, columns } = field;
    const length = columns > 0 ? rows * columns : rows > 0 ? rows : 1;
    switch (type) {
      case "<f8":
        return new Float64Array(buffer, address, length);
      case "<f4":
        return new Float32Array(buffer, address, length);
      case "<i4":
        return new Int32Array(buffer, address, length);
      case "<u8":
        return new Uint32Array(buffer, address, 2 * length);
      default:
        return new Uint8Array(buffer, address, length);
    }
  }

  /** Writes a field of one number. */
  set(name: string, value: number): void {
    this.view(name)[0] = value;
  }

  get(name: string): number {
    return this.view(name)[0];
  }

  /** Grows memory to at least `numBytes`. @throws RangeError if there is no such memory */
  growTo(numBytes: number): void {
    const { memory } = this.calls;
    const numPages = Math.ceil(numBytes / PAGE_BYTES) - memory.buffer.byteLength / PAGE_BYTES;
    if (numPages <= 0) return;
    memory.grow(numPages);
    this.generation += 1;
  }

  /** Makes a call, and makes it again with the room that it asks for. */
  call(run: () => number): number {
    for (;;) {
      const status = run();
      if (status !== coreStatus.needsRoom) return status;
      // more than is asked for, so that a batch whose lists grow step by step does not move its views each time
      const { byteLength } = this.calls.memory.buffer;
      this.growTo(Math.max(this.calls.neededBytes(), byteLength + Math.min(byteLength >> 2, 16 << 20)));
    }
  }

  /** Room for bytes that a call reads or writes; good until the next call that is no part of the same exchange. */
  borrow(numBytes: number): { readonly address: number; readonly bytes: Uint8Array } {
    let address = 0;
    this.call(() => {
      address = this.calls.borrow(numBytes);
      return address === 0 ? coreStatus.needsRoom : 0;
    });
    return { address, bytes: new Uint8Array(this.calls.memory.buffer, address, numBytes) };
  }

  /** A lane's snapshot. */
  snapshot(lane: number): Uint8Array<ArrayBuffer> {
    const { address, bytes } = this.borrow(this.calls.snapshotBytes(lane));
    this.calls.snapshot(lane, address);
    return bytes.slice() as Uint8Array<ArrayBuffer>;
  }

  /** Whether bytes are a snapshot of a lane's scenario: 0, or the status that says why not. */
  checkSnapshot(lane: number, snapshot: Uint8Array): number {
    const { address, bytes } = this.borrow(snapshot.length);
    bytes.set(snapshot);
    return this.call(() => this.calls.checkSnapshot(lane, address, snapshot.length));
  }

  /** Puts a lane into the state of a snapshot; 0, or the status that says why not. */
  restore(lane: number, snapshot: Uint8Array): number {
    const { address, bytes } = this.borrow(snapshot.length);
    bytes.set(snapshot);
    return this.call(() => this.calls.restore(lane, address, snapshot.length));
  }

  /** Another instance with a copy of this one's memory: the same batch, from now on apart. */
  copy(): CoreModule {
    return this.copyTo(new CoreModule(this.#module));
  }

  /** Makes another instance of the same module a copy of this one. */
  copyTo(copy: CoreModule): CoreModule {
    const { memory } = this.calls;
    copy.growTo(memory.buffer.byteLength);
    new Uint8Array(copy.calls.memory.buffer).set(new Uint8Array(memory.buffer));
    copy.readMap();
    copy.calls.forgetStep();
    return copy;
  }

  /** Why the last call answered less than zero. */
  get failure() {
    const bytes = this.view<Uint8Array>("failure.name");
    const end = bytes.indexOf(0);
    return {
      code: this.get("failure.code"),
      index: this.get("failure.index"),
      value: this.get("failure.value"),
      low: this.get("failure.low"),
      high: this.get("failure.high"),
      name: String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end)),
    };
  }
}
