/** Plays the core and the TypeScript kernel side by side, and finds the first bit in which they differ. */

import { layOutBatch } from "../../../env/batch/core-input.js";
import { KernelBatch } from "../../../env/batch/kernel-batch.js";
import { resolveBatchOptions } from "../../../env/batch/options.js";
import { CoreModule } from "../../../env/core/module.js";
import type { BatchEnvOptions } from "../../../env/index.js";

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

type Numbers = ArrayLike<number> & { readonly BYTES_PER_ELEMENT: number } & ArrayBufferView;

/** The core laid out for a batch's options. */
export function makeCore(options: BatchEnvOptions, module?: WebAssembly.Module, numOutputSets = 1): CoreModule {
  const core = new CoreModule(module);
  const status = layOutBatch(core, resolveBatchOptions(options), numOutputSets);
  if (status < 0) throw new Error(`status ${status}: ${JSON.stringify(core.failure)}`);
  return core;
}

/** Where two arrays differ in a bit, in words; undefined if they do not. */
export function difference(name: string, core: Numbers, kernel: Numbers, length = kernel.length): string | undefined {
  const bytes = (view: Numbers) => new Uint8Array(view.buffer, view.byteOffset, length * view.BYTES_PER_ELEMENT);
  const a = bytes(core);
  const b = bytes(kernel);
  if (core.BYTES_PER_ELEMENT !== kernel.BYTES_PER_ELEMENT || core.length < length) return `${name}: other shapes`;
  for (let i = 0; i < b.length; i++) {
    if (a[i] === b[i]) continue;
    const at = Math.floor(i / kernel.BYTES_PER_ELEMENT);
    return `${name}[${at}]: the core has ${core[at]}, the kernel ${kernel[at]}`;
  }
  return undefined;
}

/** A batch of each, in step. */
export class Pair {
  readonly kernel: KernelBatch;
  readonly core: CoreModule;

  constructor(options: BatchEnvOptions, module?: WebAssembly.Module) {
    this.kernel = new KernelBatch(options);
    this.core = makeCore(options, module);
  }

  reset(seeds?: readonly number[], mask?: readonly number[]): void {
    const { core } = this;
    this.kernel.reset(seeds, mask);
    if (seeds !== undefined) core.view("seeds").set(seeds);
    if (mask !== undefined) core.view("mask").set(mask);
    this.#expect(
      core.call(() => core.calls.reset((seeds ? 1 : 0) | (mask ? 2 : 0))),
      0,
    );
  }

  step(actions: ArrayLike<number>): void {
    const { core, kernel } = this;
    kernel.step(actions);
    core.view("actions").set(actions);
    this.#expect(
      core.call(() => core.calls.step()),
      kernel.numFinal,
    );
  }

  #expect(status: number, expected: number): void {
    if (status === expected) return;
    throw new Error(`the core answers ${status}, not ${expected}: ${JSON.stringify(this.core.failure)}`);
  }

  /** The first difference between what the two brought; undefined if there is none. */
  difference(): string | undefined {
    const { core, kernel } = this;
    for (const name of outputNames) {
      const found = difference(name, core.view(`outputs.${name}`), kernel.outputs[name]);
      if (found !== undefined) return found;
    }
    const { numFinal, observationSize } = kernel;
    return (
      difference("finalLane", core.view("final.lane"), kernel.finalLane, numFinal) ??
      difference("finalSlot", core.view("final.slot"), kernel.finalSlot, numFinal) ??
      difference("finalStats", core.view("final.stats"), kernel.finalStats, 8 * numFinal) ??
      (kernel.autoreset === "same-step"
        ? difference(
            "finalObservation",
            core.view("final.observation"),
            kernel.finalObservation,
            numFinal * observationSize,
          )
        : undefined)
    );
  }
}
