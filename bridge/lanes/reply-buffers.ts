/** Memory for the replies of a group of lanes: the batch writes into it, and it is used again when a reply is done with. */

import type { BatchEnv } from "../../env/batch/batch-env.js";
import { episodeStatsFields } from "../../env/batch/lane-player.js";
import type { BatchOutputs, OutputMemory } from "../../env/core/outputs.js";
import { type Outcome, packArrays, type ReplyArray } from "../wire/array-layout.js";
import { type ArraySpec, bodyBytes } from "../wire/protocol.js";

interface ReplySlot {
  readonly index: number;
  readonly memory: ArrayBuffer | SharedArrayBuffer;
  readonly outputs: BatchOutputs;
}

/** What stands behind the step's arrays: the result names each section's layout. */
export interface StepParts {
  readonly result: Readonly<Record<string, unknown>>;
  readonly sections: readonly { readonly name: string; readonly arrays: readonly ReplyArray[] }[];
}

/**
 * Slots for replies with the layout `stepReply`, each with room for the rows of ended lanes behind it. A slot lies in
 * memory that threads share, where the lanes play in another thread than the socket's: nothing is copied.
 */
export class ReplySlots {
  readonly #env: BatchEnv;
  readonly #stepBytes: number;
  readonly #slotBytes: number;
  readonly #offsets: OutputMemory["offsets"];
  readonly #isShared: boolean;
  readonly #free: ReplySlot[] = [];
  readonly #taken = new Map<number, ReplySlot>();
  #numMade = 0;

  constructor(env: BatchEnv, stepReply: readonly ArraySpec[], isShared: boolean) {
    this.#env = env;
    this.#isShared = isShared;
    this.#stepBytes = bodyBytes(stepReply);
    this.#slotBytes = this.#stepBytes + roomForFinals(env);
    this.#offsets = Object.fromEntries(stepReply.map(({ name, offset }) => [name, offset])) as OutputMemory["offsets"];
  }

  /** Bytes of a reply's body at most, prompts aside. */
  get slotBytes(): number {
    return this.#slotBytes;
  }

  /** Bytes of all slots there are. */
  get numBytes(): number {
    return (this.#free.length + this.#taken.size) * this.#slotBytes;
  }

  /** Makes the batch write into a slot of its own while `play` runs; gives the reply's outcome. */
  fill(play: () => StepParts): Outcome {
    const slot = this.#free.pop() ?? this.#make();
    try {
      this.#env.useOutputs(slot.outputs);
      const { result: plain, sections } = play();
      const result: Record<string, unknown> = { ...plain };
      let end = this.#stepBytes;
      const packed = sections.map(({ name, arrays }) => {
        const { layout, write } = packArrays(arrays, end);
        result[name] = layout;
        end = bodyBytes(layout);
        return write;
      });
      const isRoom = end <= this.#slotBytes;
      const body = isRoom ? new Uint8Array(slot.memory, 0, end) : new Uint8Array(end);
      if (!isRoom) body.set(new Uint8Array(slot.memory, 0, this.#stepBytes));
      // a reply is the same bytes whatever its slot was used for before, those between two arrays among them
      body.fill(0, this.#stepBytes);
      for (const write of packed) write(body);
      if (!isRoom) {
        this.#free.push(slot);
        return { result, body };
      }
      this.#taken.set(slot.index, slot);
      return { result, body, slot: slot.index };
    } catch (error) {
      this.#free.push(slot);
      throw error;
    }
  }

  /** A reply is done with: its slot may be used again, unless someone may still be reading it. */
  release(index: number, isReusable: boolean): void {
    const slot = this.#taken.get(index);
    if (slot === undefined) return;
    this.#taken.delete(index);
    if (isReusable) this.#free.push(slot);
  }

  #make(): ReplySlot {
    const memory = this.#isShared ? new SharedArrayBuffer(this.#slotBytes) : new ArrayBuffer(this.#slotBytes);
    const outputs = this.#env.createOutputs({ buffer: memory, offsets: this.#offsets });
    return { index: this.#numMade++, memory, outputs };
  }
}

/** What a reset or a step brought. */
export function stepParts(env: BatchEnv): StepParts {
  const k = env.numFinal;
  if (k === 0) return { result: { numFinal: 0 }, sections: [] };
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

/** Bytes of the rows of ended lanes where all end at once. */
function roomForFinals({ numLanes, observationSize, autoreset }: BatchEnv): number {
  const observation = autoreset === "same-step" ? 4 * observationSize : 0;
  return numLanes * (4 + 8 * episodeStatsFields.length + 4 + observation) + 4 * 8;
}
