/** Plays the core and the slow model side by side, and finds the first bit in which they differ. */

import { layOutBatch } from "../../../env/batch/core-input.js";
import { resolveBatchOptions } from "../../../env/batch/options.js";
import { CoreModule } from "../../../env/core/module.js";
import type { BatchEnvOptions } from "../../../env/index.js";
import { ReferenceBatch } from "../../reference/reference-batch.js";

/** Outputs of a step, by the names that both sides have. */
export const outputNames = [
  "observation",
  "reward",
  "latencySlots",
  "costSlots",
  "episodeSeed",
  "executedAction",
  "decisionIndex",
  "slot",
  "numServers",
  "lostTasks",
  "lostOnTimeTasks",
  "flags",
  "actionMask",
] as const;

/** The column of `final.stats` whose order of summation is not that of the slow model, and how near it must be. */
const REALISED_SUM = 4;
const SUM_TOLERANCE = 1e-12;

type Numbers = ArrayLike<number> & { readonly BYTES_PER_ELEMENT: number } & ArrayBufferView;

/** The core laid out for a batch's options. */
export function makeCore(options: BatchEnvOptions, module?: WebAssembly.Module, numOutputSets = 1): CoreModule {
  const core = new CoreModule(module);
  const status = layOutBatch(core, resolveBatchOptions(options), numOutputSets);
  if (status < 0) throw new Error(`status ${status}: ${JSON.stringify(core.failure)}`);
  return core;
}

/** Where two arrays differ in a bit, in words; undefined if they do not. */
export function difference(name: string, core: Numbers, other: Numbers, length = other.length): string | undefined {
  const bytes = (view: Numbers) => new Uint8Array(view.buffer, view.byteOffset, length * view.BYTES_PER_ELEMENT);
  const a = bytes(core);
  const b = bytes(other);
  if (core.BYTES_PER_ELEMENT !== other.BYTES_PER_ELEMENT || core.length < length) return `${name}: other shapes`;
  for (let i = 0; i < b.length; i++) {
    if (a[i] === b[i]) continue;
    const at = Math.floor(i / other.BYTES_PER_ELEMENT);
    return `${name}[${at}]: the core has ${core[at]}, not ${other[at]}`;
  }
  return undefined;
}

function isNear(sum: number, expected: number): boolean {
  return Math.abs(sum - expected) <= SUM_TOLERANCE * expected;
}

/** Makes both sides for the same options. */
export function makePair(options: BatchEnvOptions, module?: WebAssembly.Module): Pair {
  return new Pair(new ReferenceBatch(options), makeCore(options, module));
}

/** A batch of each, in step. */
export class Pair {
  readonly reference: ReferenceBatch;
  readonly core: CoreModule;

  constructor(reference: ReferenceBatch, core: CoreModule) {
    this.reference = reference;
    this.core = core;
  }

  /** Both sides copied. */
  fork(): Pair {
    return new Pair(this.reference.forkAll(), this.core.copy());
  }

  reset(seeds?: readonly number[], mask?: readonly number[]): void {
    const { core } = this;
    this.reference.reset(seeds, mask);
    if (seeds !== undefined) core.view("seeds").set(seeds);
    if (mask !== undefined) core.view("mask").set(mask);
    this.#expect(
      core.call(() => core.calls.reset((seeds ? 1 : 0) | (mask ? 2 : 0))),
      0,
    );
  }

  step(actions: ArrayLike<number>): void {
    const { core, reference } = this;
    reference.step(actions);
    core.view("actions").set(actions);
    this.#expect(
      core.call(() => core.calls.step()),
      reference.finals.length,
    );
  }

  #expect(status: number, expected: number): void {
    if (status === expected) return;
    throw new Error(`the core answers ${status}, not ${expected}: ${JSON.stringify(this.core.failure)}`);
  }

  /** The first difference between what the two brought; undefined if there is none. */
  difference(): string | undefined {
    const { core, reference } = this;
    for (const name of outputNames) {
      const found = difference(name, core.view(`outputs.${name}`), reference.outputs[name]);
      if (found !== undefined) return found;
    }
    return this.#finalDifference();
  }

  #finalDifference(): string | undefined {
    const { core, reference } = this;
    const { finals, observationSize } = reference;
    for (const [row, { lane, slot, stats, observation }] of finals.entries()) {
      const place = `end ${row}`;
      if (core.view("final.lane")[row] !== lane) return `${place}: lane ${core.view("final.lane")[row]}, not ${lane}`;
      if (core.view("final.slot")[row] !== slot) return `${place}: slot ${core.view("final.slot")[row]}, not ${slot}`;
      for (const [i, expected] of stats.entries()) {
        const value = core.view("final.stats")[stats.length * row + i];
        if (i === REALISED_SUM ? isNear(value, expected) : Object.is(value, expected)) continue;
        return `${place}: statistic ${i} is ${value}, not ${expected}`;
      }
      if (reference.autoreset !== "same-step") continue;
      const shown = core.view<Float32Array>("final.observation");
      const width = observationSize;
      const found = difference(`${place} observation`, shown.subarray(row * width, (row + 1) * width), observation);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The first difference between a snapshot of the core and the state of the slow model; undefined if none. */
  stateDifference(lane: number, snapshot: Uint8Array): string | undefined {
    const expected = this.reference.stateOf(lane);
    const numbers = new Float64Array(snapshot.slice(HEADER_BYTES).buffer);
    if (numbers.length !== expected.length) return `${numbers.length} numbers, not ${expected.length}`;
    for (const [i, [name, value]] of expected.entries()) {
      const isSame = name === "realisedLatencySumSlots" ? isNear(numbers[i], value) : Object.is(numbers[i], value);
      if (!isSame) return `${name} (number ${i}) is ${numbers[i]}, not ${value}`;
    }
    return undefined;
  }
}

/** Magic, version, the scenario's hash and the checksum. */
export const HEADER_BYTES = 72;
