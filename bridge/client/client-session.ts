/** A session of a client: numbers its requests, and reads the arrays of its replies. */

import { type ArraySpec, bodyBytes, readArray, type Values, writeArray } from "../wire/array-layout.js";
import { PROTOCOL_VERSION, type Request } from "../wire/protocol.js";
import type { Client, ClientReply } from "./client.js";

/** The arrays of a reset or a step, and those of the lanes whose episode ended. */
export interface StepArrays {
  readonly observation: Float32Array;
  readonly reward: Float64Array;
  readonly latencySlots: Float64Array;
  readonly costSlots: Float64Array;
  readonly episodeSeed: Float64Array;
  readonly executedAction: Int32Array;
  readonly decisionIndex: Int32Array;
  readonly slot: Int32Array;
  readonly numServers: Int32Array;
  readonly lostTasks: Int32Array;
  readonly lostOnTimeTasks: Int32Array;
  readonly flags: Uint8Array;
  readonly actionMask: Uint8Array;
  readonly numFinal: number;
  readonly finalLane?: Int32Array;
  readonly finalStats?: Float64Array;
  readonly finalSlot?: Int32Array;
  readonly finalObservation?: Float32Array;
}

/** A page of a snapshot, with its own layout. */
export interface Page {
  readonly layout: readonly ArraySpec[];
  readonly body: Uint8Array;
}

interface SessionInfo {
  readonly session: string;
  readonly epoch: number;
  readonly numEnvs: number;
  readonly groups: number;
  readonly maxServers: number;
  readonly observationSize: number;
  readonly layouts: Readonly<Record<"resetRequest" | "stepRequest" | "stepReply", readonly ArraySpec[]>>;
}

/** All bits set in both words of a seed asks for the next episode. */
const NO_SEED = 0xffff_ffff;

/**
 * An open session. Requests are numbered in the order of their calls, and carried out in that order. A group may have
 * as many requests in flight as `hello` says (`maxInFlight`). Groups do not wait for each other.
 */
export class ClientSession {
  readonly info: SessionInfo & Record<string, unknown>;
  readonly #client: Client;
  readonly #groups: readonly { nextSeq: number; acked: number; readonly answered: Set<number> }[];

  constructor(client: Client, info: Record<string, unknown>) {
    this.#client = client;
    this.info = info as unknown as SessionInfo & Record<string, unknown>;
    this.#groups = Array.from({ length: this.info.groups }, () => ({ nextSeq: 1, acked: 0, answered: new Set() }));
  }

  async #request(group: number, fields: Record<string, unknown>, body?: Uint8Array): Promise<ClientReply> {
    const sequence = this.#groups[group];
    const seq = sequence.nextSeq++;
    const { session, epoch } = this.info;
    const ids = { v: PROTOCOL_VERSION, session, epoch, group, seq, ack: sequence.acked };
    try {
      return await this.#client.request({ ...ids, ...fields } as unknown as Request, body);
    } finally {
      // a refusal answers the request, too
      sequence.answered.add(seq);
      while (sequence.answered.delete(sequence.acked + 1)) sequence.acked += 1;
    }
  }

  /** Starts episodes with the given seeds or the next ones of the split, in all lanes of a group or the masked ones. */
  async reset(seeds?: readonly number[], mask?: readonly number[], group = 0): Promise<StepArrays> {
    const layout = this.info.layouts.resetRequest;
    if (seeds === undefined && mask === undefined) return this.#arrays(await this.#request(group, { op: "reset" }));
    const [seedSpec, maskSpec] = layout;
    const numLanes = seedSpec.shape[0];
    const body = new Uint8Array(bodyBytes(layout));
    const words = new Int32Array(2 * numLanes).fill(NO_SEED);
    seeds?.forEach((seed, lane) => {
      words[2 * lane] = seed % 4_294_967_296;
      words[2 * lane + 1] = Math.floor(seed / 4_294_967_296);
    });
    writeArray(body, seedSpec, words);
    writeArray(body, maskSpec, mask === undefined ? new Uint8Array(numLanes).fill(1) : Uint8Array.from(mask));
    return this.#arrays(await this.#request(group, { op: "reset" }, body));
  }

  async step(actions: ArrayLike<number>, group = 0): Promise<StepArrays> {
    const layout = this.info.layouts.stepRequest;
    const body = new Uint8Array(bodyBytes(layout));
    writeArray(body, layout[0], Int32Array.from(actions));
    return this.#arrays(await this.#request(group, { op: "step" }, body));
  }

  /** C, J, C_impact and r of all actions, [lanes, maxServers + 1] each. */
  async lookAhead(options: Record<string, unknown> = {}, group = 0): Promise<Record<string, Float64Array>> {
    const { result, body } = await this.#request(group, { op: "lookahead", ...options });
    const layout = result.layout as ArraySpec[];
    return readArrays(layout, body) as Record<string, Float64Array>;
  }

  /** The state of all lanes of a group, in pages. */
  async snapshot(group = 0): Promise<Page[]> {
    const pages: Page[] = [];
    const numLanes = this.info.layouts.stepRequest[0].shape[0];
    for (let firstLane = 0; firstLane < numLanes; ) {
      const { result, body } = await this.#request(group, { op: "snapshot", firstLane });
      pages.push({ layout: result.layout as ArraySpec[], body: body as Uint8Array });
      firstLane = result.nextLane as number;
    }
    return pages;
  }

  /** Puts lanes back into the state of a snapshot. */
  async restore(pages: readonly Page[], group = 0): Promise<StepArrays> {
    let last: StepArrays | undefined;
    for (const { layout, body } of pages) {
      const own = layout.filter(({ name }) => name !== "stateHash");
      last = this.#arrays(await this.#request(group, { op: "restore", layout: own }, body));
    }
    if (last === undefined) throw new TypeError("a restore of no snapshots");
    return last;
  }

  /** Opens a session with a copy of all lanes. */
  async fork(): Promise<ClientSession> {
    return new ClientSession(this.#client, (await this.#request(0, { op: "fork" })).result);
  }

  /** Plays with a native policy of the server. Returns the arrays of the last step, and those of the whole run. */
  async runPolicy(policy: string, steps: number, group = 0): Promise<StepArrays & Record<string, unknown>> {
    const answer = await this.#request(group, { op: "policy", policy, steps });
    const run = readArrays(answer.result.policyLayout as ArraySpec[], answer.body);
    return { ...this.#arrays(answer), ...run, steps: answer.result.steps };
  }

  async close(): Promise<void> {
    await this.#request(0, { op: "close" });
  }

  #arrays({ result, body }: ClientReply): StepArrays {
    const layout = [...this.info.layouts.stepReply, ...((result.finalLayout ?? []) as ArraySpec[])];
    return { numFinal: result.numFinal, ...readArrays(layout, body) } as unknown as StepArrays;
  }
}

function readArrays(layout: readonly ArraySpec[], body: Uint8Array | undefined): Record<string, Values> {
  return Object.fromEntries(layout.map((spec) => [spec.name, readArray(body as Uint8Array, spec)]));
}
