/** The lanes of a session, group by group, and what requests do with them: in the socket's thread or in another. */

import { BatchEnv } from "../../env/batch/batch-env.js";
import { episodeStatsFields } from "../../env/batch/lane-player.js";
import type { BatchEnvOptions } from "../../env/batch/options.js";
import { observationHeader, observationServerFields } from "../../env/core/observation-rows.js";
import type { OutputName } from "../../env/core/outputs.js";
import { PHASE_UNUSED } from "../../env/core/phases.js";
import type { PromptOptions } from "../../env/language/prompt.js";
import { type Scenario, scenarioHash } from "../../env/scenario/scenario.js";
import {
  checkBody,
  checkNoBody,
  joinPieces,
  layoutsOf,
  type Outcome,
  type SessionLayouts,
} from "../wire/array-layout.js";
import type { Limits } from "../wire/limits.js";
import { type ArraySpec, BridgeError, bodyBytes, readArray } from "../wire/protocol.js";
import type { LaneRequest } from "../wire/requests.js";
import { forkLanes, noFinals, playPolicy, restoreLanes } from "./mutations.js";
import type { PolicyBook } from "./policy-provider.js";
import { LanePrompts, lookAheadOutcome, promptOutcome, snapshotOutcome, tooLarge } from "./queries.js";
import { ReplySlots, type StepParts, stepParts } from "./reply-buffers.js";

/** What a session plays: plain data, for any thread. */
export interface LaneOptions {
  /** Options of a group, but for its place among all lanes. */
  readonly batch: Omit<BatchEnvOptions, "scenarios" | "numLanes" | "laneScenario" | "firstLane"> & {
    readonly scenarios: readonly Scenario[];
  };
  readonly numLanes: number;
  readonly numGroups: number;
  readonly laneScenario: readonly number[] | undefined;
  /** How prompts come with every observation; none where left out. */
  readonly prompts: PromptOptions | undefined;
  readonly limits: Pick<Limits, "maxReplyBytes" | "maxSessionBytes">;
}

/** The lanes' whole state as plain data: how a session moves to another thread. */
export interface LaneState {
  /** For each group: which lanes are in use, their snapshots, and what the last step brought. */
  readonly groups: readonly {
    readonly lanes: Int32Array;
    readonly snapshots: readonly Uint8Array[];
    readonly outputs: Readonly<Record<string, Float32Array | Float64Array | Int32Array | Uint8Array | Uint32Array>>;
  }[];
}

interface Group {
  readonly env: BatchEnv;
  readonly slots: ReplySlots;
  readonly prompts: LanePrompts | undefined;
}

export class SessionLanes {
  readonly #options: LaneOptions;
  readonly #policies: PolicyBook | undefined;
  readonly #isShared: boolean;
  readonly #layouts: SessionLayouts;
  readonly #groups: readonly Group[];
  /** Memory of all groups, but for task lists and slots, bytes. */
  readonly #fixedBytes: number;

  /**
   * @param isShared whether replies lie in memory that threads share
   * @throws MecgymError, BridgeError `replyTooLarge`
   */
  constructor(
    options: LaneOptions,
    policies: PolicyBook | undefined,
    isShared: boolean,
    envs: readonly BatchEnv[] = makeEnvs(options),
  ) {
    this.#options = options;
    this.#policies = policies;
    this.#isShared = isShared;
    this.#layouts = layoutsOf(envs[0]);
    const { maxReplyBytes } = options.limits;
    this.#groups = envs.map((env) => ({
      env,
      slots: new ReplySlots(env, this.#layouts.stepReply, isShared),
      prompts: options.prompts === undefined ? undefined : new LanePrompts(env, options.prompts),
    }));
    const textBytes = options.prompts === undefined ? 0 : envs[0].numLanes * promptBytes(envs[0]);
    const replyBytes = this.#groups[0].slots.slotBytes + textBytes;
    if (replyBytes > maxReplyBytes) throw tooLarge(maxReplyBytes, replyBytes);
    this.#fixedBytes = envs.reduce((sum, env) => sum + env.fixedBytes, 0);
  }

  /** A copy of all lanes as they are. */
  fork(): SessionLanes {
    const envs = this.#groups.map(({ env }) => env.forkAll());
    return new SessionLanes(this.#options, this.#policies, this.#isShared, envs);
  }

  /** The state, to go on from elsewhere. */
  save(): LaneState {
    return {
      groups: this.#groups.map(({ env }) => {
        const all = Int32Array.from({ length: env.numLanes }, (_, lane) => lane);
        const lanes = all.filter((lane) => env.lanes.phaseOf(lane) !== PHASE_UNUSED);
        const outputs = Object.fromEntries(layoutNames(this.#layouts).map((name) => [name, env.outputs[name].slice()]));
        return { lanes, snapshots: Array.from(lanes, (lane) => env.snapshot(lane)), outputs };
      }),
    };
  }

  /** Goes on from a state of lanes with the same options that were not played yet. */
  load({ groups }: LaneState): void {
    for (const [g, { lanes, snapshots, outputs }] of groups.entries()) {
      const { env } = this.#groups[g];
      env.restoreLanes(lanes, snapshots);
      env.setOutputs(outputs);
    }
  }

  /** Memory that the lanes take now, bytes. */
  get numBytes(): number {
    const growing = this.#groups.reduce((sum, { env, slots }) => sum + env.grownBytes + slots.numBytes, 0);
    return this.#fixedBytes + growing;
  }

  /** What `open` says of the lanes. */
  describe(): Record<string, unknown> {
    const { env } = this.#groups[0];
    const { numLanes, numGroups } = this.#options;
    return {
      numEnvs: numLanes,
      groups: numGroups,
      maxServers: env.maxServers,
      maxUsers: env.maxUsers,
      observationSize: env.observationSize,
      historySlots: env.historySlots,
      observationHeader,
      observationServerFields,
      episodeStatsFields,
      bytesPerLane: Math.ceil(this.numBytes / numLanes),
      scenarios: env.scenarios.map((scenario) => ({ id: scenario.id, hash: scenarioHash(scenario), scenario })),
      layouts: this.#layouts,
    };
  }

  /**
   * Carries out one request.
   *
   * @throws MecgymError, BridgeError; no lane is changed
   */
  execute(index: number, request: LaneRequest, body: Uint8Array | undefined): Outcome {
    const group = this.#groups[index];
    const { env } = group;
    const layouts = this.#layouts;
    const { maxReplyBytes } = this.#options.limits;
    switch (request.op) {
      case "step": {
        this.#checkMemory();
        const actions = readArray(checkBody(body, layouts.stepRequest), layouts.stepRequest[0]);
        return this.#fill(group, () => {
          env.step(actions);
          return stepParts(env);
        });
      }
      case "reset": {
        if (body === undefined) return this.#change(group, () => env.reset());
        const [seedSpec, maskSpec] = layouts.resetRequest;
        const bytes = checkBody(body, layouts.resetRequest);
        return this.#change(group, () => env.reset(readSeeds(bytes, seedSpec), readArray(bytes, maskSpec)));
      }
      case "restore":
        return this.#change(group, () => restoreLanes(env, request, body));
      case "fork": {
        const { layout } = request;
        if (layout === undefined) throw new Error("a session is forked by its host");
        return this.#change(group, () => forkLanes(env, layout, body));
      }
      case "policy": {
        checkNoBody(request.op, body);
        this.#checkMemory();
        if (this.#policies === undefined) throw new Error("a policy without a book of policies");
        const policies = this.#policies;
        const room = maxReplyBytes - bodyBytes(layouts.stepReply);
        return this.#fill(group, () => playPolicy(env, policies, request, room));
      }
      case "lookahead":
        return lookAheadOutcome(env, layouts, request, body, maxReplyBytes);
      case "prompt":
        return promptOutcome(env, layouts, request, body, maxReplyBytes);
      case "snapshot":
        return snapshotOutcome(env, layouts, request, body, maxReplyBytes);
    }
  }

  /** A reply was acknowledged: its memory is free again, unless someone may still be reading it. */
  release(group: number, slot: number, isReusable: boolean): void {
    this.#groups[group].slots.release(slot, isReusable);
  }

  #change(group: Group, change: () => void): Outcome {
    return this.#fill(group, () => {
      change();
      return noFinals;
    });
  }

  /** Plays into a slot; in a text session with the prompts behind all else. */
  #fill({ env, slots, prompts }: Group, play: () => StepParts): Outcome {
    if (prompts === undefined) return slots.fill(play);
    return slots.fill(() => {
      const { result, sections } = play();
      const texts = Array.from({ length: env.numLanes }, (_, lane) =>
        env.lanes.phaseOf(lane) === PHASE_UNUSED ? new Uint8Array(0) : prompts.of(lane),
      );
      const { offsets, bytes } = joinPieces(texts);
      const arrays = [
        { name: "promptOffsets", values: offsets },
        { name: "promptBytes", values: bytes },
      ];
      return { result, sections: [...sections, { name: "textLayout", arrays }] };
    });
  }

  /** @throws BridgeError `sessionMemory` */
  #checkMemory(): void {
    const { maxSessionBytes } = this.#options.limits;
    const { numBytes } = this;
    if (numBytes <= maxSessionBytes) return;
    const expected = `at most ${maxSessionBytes} bytes (maxSessionBytes); lists of tasks have grown, and the lanes are as they were`;
    throw new BridgeError("sessionMemory", { path: "session", expected, got: `${numBytes} bytes` });
  }
}

function layoutNames({ stepReply }: SessionLayouts): OutputName[] {
  return stepReply.map(({ name }) => name as OutputName);
}

function makeEnvs({ batch, numLanes, numGroups, laneScenario }: LaneOptions): BatchEnv[] {
  const perGroup = numLanes / numGroups;
  return Array.from({ length: numGroups }, (_, g) => {
    const firstLane = g * perGroup;
    return new BatchEnv({
      ...batch,
      numLanes: perGroup,
      firstLane,
      ...(laneScenario === undefined ? {} : { laneScenario: laneScenario.slice(firstLane, firstLane + perGroup) }),
    });
  });
}

/** Bytes of a prompt at most, reckoned generously: a step must not play what its reply has no room for. */
function promptBytes({ maxServers, maxHistorySlots }: BatchEnv): number {
  return 4096 + maxServers * (256 + 32 * maxHistorySlots);
}

/** Seeds of a reset, NaN for the 2^64 − 1 that asks for the next episode: all bits are set in it alone. */
function readSeeds(body: Uint8Array, spec: ArraySpec): Float64Array {
  const seeds = readArray(body, spec) as Float64Array;
  for (let i = 0; i < seeds.length; i++) {
    const at = spec.offset + 8 * i;
    if (body.subarray(at, at + 8).every((byte) => byte === 0xff)) seeds[i] = Number.NaN;
  }
  return seeds;
}
