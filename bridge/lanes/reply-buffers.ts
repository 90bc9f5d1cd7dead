/** Reply buffers of a group of lanes: the batch writes into one, and acknowledged replies make them free again. */

import type { BatchEnv } from "../../env/batch/batch-env.js";
import { episodeStatsFields } from "../../env/batch/episode-stats.js";
import type { BatchOutputs, OutputMemory } from "../../env/batch/outputs.js";
import { type ArraySpec, bodyBytes } from "../wire/array-layout.js";
import { packArrays, type ReplyArray } from "../wire/reply-body.js";
import type { Outcome } from "./answer.js";

interface ReplyBuffer {
  readonly index: number;
  readonly memory: ArrayBuffer | SharedArrayBuffer;
  readonly outputs: BatchOutputs;
}

/** What follows the step's arrays in a reply. The result names the layout of each section. */
export interface StepParts {
  readonly result: Readonly<Record<string, unknown>>;
  readonly sections: readonly { readonly name: string; readonly arrays: readonly ReplyArray[] }[];
}

/**
 * Buffers for replies with the layout `stepReply`, each with room for the rows of ended lanes after it. If the lanes
 * are in another thread than the socket, the buffers are memory that threads share, and nothing is copied.
 */
export class ReplyBuffers {
  readonly #env: BatchEnv;
  readonly #stepBytes: number;
  readonly #bufferBytes: number;
  readonly #offsets: OutputMemory["offsets"];
  readonly #isShared: boolean;
  readonly #free: ReplyBuffer[] = [];
  readonly #taken = new Map<number, ReplyBuffer>();
  #numMade = 0;

  constructor(env: BatchEnv, stepReply: readonly ArraySpec[], isShared: boolean) {
    this.#env = env;
    this.#isShared = isShared;
    this.#stepBytes = bodyBytes(stepReply);
    this.#bufferBytes = this.#stepBytes + maxFinalBytes(env);
    this.#offsets = Object.fromEntries(stepReply.map(({ name, offset }) => [name, offset])) as OutputMemory["offsets"];
  }

  /** Bytes of the largest reply body without prompts. */
  get bufferBytes(): number {
    return this.#bufferBytes;
  }

  /** Bytes of all buffers. */
  get numBytes(): number {
    return (this.#free.length + this.#taken.size) * this.#bufferBytes;
  }

  /** Calls `play` with a buffer as the batch's outputs, and returns the outcome to reply with. */
  fill(play: () => StepParts): Outcome {
    const buffer = this.#free.pop() ?? this.#make();
    try {
      this.#env.useOutputs(buffer.outputs);
      const { result: plain, sections } = play();
      const result: Record<string, unknown> = { ...plain };
      let end = this.#stepBytes;
      const packed = sections.map(({ name, arrays }) => {
        const { layout, write } = packArrays(arrays, end);
        result[name] = layout;
        end = bodyBytes(layout);
        return write;
      });
      const isRoom = end <= this.#bufferBytes;
      const body = isRoom ? new Uint8Array(buffer.memory, 0, end) : new Uint8Array(end);
      if (!isRoom) body.set(new Uint8Array(buffer.memory, 0, this.#stepBytes));
      // a reply has the same bytes whatever the buffer held before, also in the gaps between two arrays
      body.fill(0, this.#stepBytes);
      for (const write of packed) write(body);
      if (!isRoom) {
        this.#free.push(buffer);
        return { result, body };
      }
      this.#taken.set(buffer.index, buffer);
      return { result, body, buffer: buffer.index };
    } catch (error) {
      this.#free.push(buffer);
      throw error;
    }
  }

  /** Takes back the buffer of an acknowledged reply. It is not used again if someone may still be reading it. */
  release(index: number, isReusable: boolean): void {
    const buffer = this.#taken.get(index);
    if (buffer === undefined) return;
    this.#taken.delete(index);
    if (isReusable) this.#free.push(buffer);
  }

  #make(): ReplyBuffer {
    const memory = this.#isShared ? new SharedArrayBuffer(this.#bufferBytes) : new ArrayBuffer(this.#bufferBytes);
    const outputs = this.#env.createOutputs({ buffer: memory, offsets: this.#offsets });
    return { index: this.#numMade++, memory, outputs };
  }
}

/** A reset, a restore and a fork end no episode. */
export const noFinals: StepParts = { result: { numFinal: 0 }, sections: [] };

/** The rows of the lanes whose episode ended in a step. */
export function finalParts(env: BatchEnv): StepParts {
  const k = env.numFinal;
  if (k === 0) return noFinals;
  const width = episodeStatsFields.length;
  const size = env.observationSize;
  const arrays: ReplyArray[] = [
    { name: "finalLane", values: env.finalLane.subarray(0, k) },
    { name: "finalStats", values: env.finalStats.subarray(0, k * width), shape: [k, width] },
    { name: "finalSlot", values: env.finalSlot.subarray(0, k) },
  ];
  if (env.autoreset === "same-step") {
    arrays.push({ name: "finalObservation", values: env.finalObservation.subarray(0, k * size), shape: [k, size] });
  }
  return { result: { numFinal: k }, sections: [{ name: "finalLayout", arrays }] };
}

/** Bytes of the rows of ended lanes if all lanes end at once. */
function maxFinalBytes({ numLanes, observationSize, autoreset }: BatchEnv): number {
  const observation = autoreset === "same-step" ? 4 * observationSize : 0;
  return numLanes * (4 + 8 * episodeStatsFields.length + 4 + observation) + 4 * 8;
}
