/** The results of a step: the arrays a batch writes into, in its own memory or in the caller's. */

import { checkOption } from "../checks.js";

/** Sizes that determine the shapes of a batch's outputs. */
export interface OutputSizes {
  readonly numLanes: number;
  readonly maxServers: number;
  /** Numbers in one lane's observation. */
  readonly observationSize: number;
}

/** One output: its name, its number type (little-endian in every reply) and its shape in row-major order. */
export interface OutputSpec {
  readonly name: OutputName;
  readonly dtype: "float32" | "float64" | "int32" | "uint8" | "uint64";
  readonly shape: readonly number[];
}

/** The caller's memory, and the byte offset of each output in it, a multiple of 8. */
export interface OutputMemory {
  readonly buffer: ArrayBufferLike;
  readonly offsets: Readonly<Record<OutputName, number>>;
}

/** Every output of a batch, in the order of the bridge's replies. */
export function outputSpecs({ numLanes, maxServers, observationSize }: OutputSizes): OutputSpec[] {
  const perLane = (dtype: OutputSpec["dtype"], ...names: OutputName[]): OutputSpec[] =>
    names.map((name) => ({ name, dtype, shape: [numLanes] }));
  return [
    { name: "observation", dtype: "float32", shape: [numLanes, observationSize] },
    ...perLane("float64", "reward", "latencySlots", "costSlots"),
    ...perLane("uint64", "episodeSeed"),
    ...perLane("int32", "executedAction", "decisionIndex", "slot", "numServers", "lostTasks", "lostOnTimeTasks"),
    ...perLane("uint8", "flags"),
    { name: "actionMask", dtype: "uint8", shape: [numLanes, maxServers + 1] },
  ];
}

/** One set of output arrays. A batch makes sets (`createOutputs`) and writes into one at a time. */
export class BatchOutputs {
  /** Observations, [numLanes, observationSize]; units as in `observationHeader` and `observationServerFields`. */
  readonly observation: Float32Array;
  /** Reward of the last step, −costSlots (eq. 14), [numLanes]. */
  readonly reward: Float64Array;
  /** Latency C of the last step, slots, [numLanes]. */
  readonly latencySlots: Float64Array;
  /** Cost of the last step: J, plus ρ for each of `lostOnTimeTasks`, slots, [numLanes]. */
  readonly costSlots: Float64Array;
  /** Seed of the running episode, [numLanes, 2]: the low 32 bits, then the high ones, as a little-endian uint64. */
  readonly episodeSeed: Uint32Array;
  /** Action that was carried out, [numLanes]. */
  readonly executedAction: Int32Array;
  /** Index of the decision to take now, and its slot, [numLanes]. */
  readonly decisionIndex: Int32Array;
  readonly slot: Int32Array;
  /** E of the running episode, [numLanes]. */
  readonly numServers: Int32Array;
  /** Tasks lost with servers that left after the last step and before the next one, [numLanes]; 0 without churn. */
  readonly lostTasks: Int32Array;
  /** Those of them that were not late at their decision, and so were not charged the penalty then, [numLanes]. */
  readonly lostOnTimeTasks: Int32Array;
  /** FLAG_… bits of the last step, [numLanes]. */
  readonly flags: Uint8Array;
  /** 1 if an action exists and its server is available, [numLanes, maxServers + 1]. */
  readonly actionMask: Uint8Array;

  /**
   * Makes views of `memory`, which is set to zero, or of new memory.
   *
   * @throws MecgymError `invalidOption` if an output does not begin at a multiple of 8 or reaches beyond the buffer
   */
  constructor(sizes: OutputSizes, memory?: OutputMemory) {
    const specs = outputSpecs(sizes);
    const place = (name: OutputName): [ArrayBufferLike, number, number] => {
      const { shape, dtype } = specs.find((spec) => spec.name === name) as OutputSpec;
      const length = shape.reduce((product, n) => product * n, 1) * (dtype === "uint64" ? 2 : 1);
      const bytes = length * BYTES[dtype];
      if (memory === undefined) return [new ArrayBuffer(bytes), 0, length];
      const offset = memory.offsets[name];
      if (!Number.isInteger(offset) || offset < 0 || offset % 8 !== 0 || offset + bytes > memory.buffer.byteLength) {
        const expected = `a multiple of 8 with ${bytes} bytes from there to the end of ${memory.buffer.byteLength}`;
        checkOption(false, `outputs/${name}`, offset, expected);
      }
      new Uint8Array(memory.buffer, offset, bytes).fill(0);
      return [memory.buffer, offset, length];
    };
    this.observation = new Float32Array(...place("observation"));
    this.reward = new Float64Array(...place("reward"));
    this.latencySlots = new Float64Array(...place("latencySlots"));
    this.costSlots = new Float64Array(...place("costSlots"));
    this.episodeSeed = new Uint32Array(...place("episodeSeed"));
    this.executedAction = new Int32Array(...place("executedAction"));
    this.decisionIndex = new Int32Array(...place("decisionIndex"));
    this.slot = new Int32Array(...place("slot"));
    this.numServers = new Int32Array(...place("numServers"));
    this.lostTasks = new Int32Array(...place("lostTasks"));
    this.lostOnTimeTasks = new Int32Array(...place("lostOnTimeTasks"));
    this.flags = new Uint8Array(...place("flags"));
    this.actionMask = new Uint8Array(...place("actionMask"));
  }
}

export type OutputName = keyof BatchOutputs;

/** Bytes of a number, or of one of the two words of a uint64. */
const BYTES = { float32: 4, float64: 8, int32: 4, uint8: 1, uint64: 4 } as const;
