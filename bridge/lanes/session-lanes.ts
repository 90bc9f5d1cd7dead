/** The lanes of a session, group by group, and what requests do with them. */

import type { BatchEnv } from "../../env/batch/batch-env.js";
import { episodeStatsFields } from "../../env/batch/episode-stats.js";
import { observationHeader, observationServerFields } from "../../env/batch/observation-row.js";
import type { OutputName } from "../../env/batch/outputs.js";
import { PHASE_UNUSED } from "../../env/core/phases.js";
import { scenarioHash } from "../../env/scenario/scenario.js";
import { type ArraySpec, bodyBytes, checkBody, checkNoBody, readArray } from "../wire/array-layout.js";
import { byteListArrays } from "../wire/byte-lists.js";
import type { LaneRequest } from "../wire/requests.js";
import type { Outcome } from "./answer.js";
import { Cancellation } from "./cancellation.js";
import { type LaneOptions, type LaneState, makeEnvs } from "./lane-options.js";
import { LanePrompts } from "./lane-prompts.js";
import { forkLanes, restoreLanes } from "./mutations.js";
import type { PolicyProvider } from "./policy-provider.js";
import { runPolicy } from "./policy-run.js";
import { lookAheadOutcome, promptOutcome, type QueriedGroup, snapshotOutcome } from "./queries.js";
import { finalParts, noFinals, ReplyBuffers, type StepParts } from "./reply-buffers.js";
import { checkReplyBytes, checkSessionBytes } from "./request-limits.js";
import { layoutsOf, type SessionLayouts } from "./session-layouts.js";

interface Group extends QueriedGroup {
  readonly buffers: ReplyBuffers;
  /** Prompts that come with every observation; undefined in a numeric session. */
  readonly prompts: LanePrompts | undefined;
}

export class SessionLanes {
  readonly #options: LaneOptions;
  readonly #policies: PolicyProvider | undefined;
  readonly #isShared: boolean;
  readonly #cancellation: Cancellation;
  readonly #layouts: SessionLayouts;
  readonly #groups: readonly Group[];
  /** Memory of all groups except task lists and reply buffers, bytes. */
  readonly #fixedBytes: number;

  /**
   * @param isShared whether replies lie in memory that threads share
   * @throws MecgymError, BridgeError `replyTooLarge`
   */
  constructor(
    options: LaneOptions,
    policies: PolicyProvider | undefined,
    isShared: boolean,
    cancellation = new Cancellation(),
    envs: readonly BatchEnv[] = makeEnvs(options),
  ) {
    this.#options = options;
    this.#policies = policies;
    this.#isShared = isShared;
    this.#cancellation = cancellation;
    const layouts = layoutsOf(envs[0]);
    this.#layouts = layouts;
    const { maxReplyBytes } = options.limits;
    this.#groups = envs.map((env) => ({
      env,
      layouts,
      maxReplyBytes,
      cancellation,
      buffers: new ReplyBuffers(env, layouts.stepReply, isShared),
      prompts: options.prompts === undefined ? undefined : new LanePrompts(env, options.prompts),
    }));
    const { buffers, prompts } = this.#groups[0];
    checkReplyBytes(buffers.bufferBytes + (prompts?.maxBytes ?? 0), options.limits);
    this.#fixedBytes = envs.reduce((sum, env) => sum + env.fixedBytes, 0);
  }

  /** A copy of all lanes. */
  fork(cancellation = new Cancellation()): SessionLanes {
    const envs = this.#groups.map(({ env }) => env.forkAll());
    return new SessionLanes(this.#options, this.#policies, this.#isShared, cancellation, envs);
  }

  /** The state of all lanes, for `load`. */
  save(): LaneState {
    return {
      groups: this.#groups.map(({ env }) => {
        const all = Int32Array.from({ length: env.numLanes }, (_, lane) => lane);
        const lanes = all.filter((lane) => env.lanes.phaseOf(lane) !== PHASE_UNUSED);
        const outputs = Object.fromEntries(outputNames(this.#layouts).map((name) => [name, env.outputs[name].slice()]));
        return { lanes, snapshots: Array.from(lanes, (lane) => env.snapshot(lane)), outputs };
      }),
    };
  }

  /** Takes on the saved state of lanes with the same options. These lanes must not have been played yet. */
  load({ groups }: LaneState): void {
    for (const [g, { lanes, snapshots, outputs }] of groups.entries()) {
      const { env } = this.#groups[g];
      env.restoreLanes(lanes, snapshots);
      env.setOutputs(outputs);
    }
  }

  /** Memory that the lanes take now, bytes. */
  get numBytes(): number {
    const growing = this.#groups.reduce((sum, { env, buffers }) => sum + env.grownBytes + buffers.numBytes, 0);
    return this.#fixedBytes + growing;
  }

  /** What `open` replies about the lanes. */
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
   * @throws MecgymError, BridgeError; then no lane is changed
   */
  execute(index: number, request: LaneRequest, body: Uint8Array | undefined): Outcome {
    const group = this.#groups[index];
    const { env, layouts } = group;
    this.#cancellation.begin();
    switch (request.op) {
      case "step": {
        this.#checkMemory();
        const actions = readArray(checkBody(body, layouts.stepRequest), layouts.stepRequest[0]);
        return fill(group, () => {
          env.step(actions);
          return finalParts(env);
        });
      }
      case "reset": {
        if (body === undefined) return change(group, () => env.reset());
        const [seedSpec, maskSpec] = layouts.resetRequest;
        const bytes = checkBody(body, layouts.resetRequest);
        return change(group, () => env.reset(readSeeds(bytes, seedSpec), readArray(bytes, maskSpec)));
      }
      case "restore":
        return change(group, () => restoreLanes(env, request, body));
      case "fork": {
        const { layout } = request;
        if (layout === undefined) throw new Error("a fork of a whole session reached its lanes");
        return change(group, () => forkLanes(env, layout, body));
      }
      case "policy": {
        checkNoBody(request.op, body);
        this.#checkMemory();
        const policies = this.#policies;
        if (policies === undefined) throw new Error("a policy request without a policy provider");
        const room = group.maxReplyBytes - bodyBytes(layouts.stepReply);
        return fill(group, () => runPolicy(env, policies, request, room, this.#cancellation));
      }
      case "lookahead":
        return lookAheadOutcome(group, request, body);
      case "prompt":
        return promptOutcome(group, request, body);
      case "snapshot":
        return snapshotOutcome(group, request, body);
    }
  }

  /** Frees the buffer of an acknowledged reply. It is not used again if someone may still be reading it. */
  release(group: number, buffer: number, isReusable: boolean): void {
    this.#groups[group].buffers.release(buffer, isReusable);
  }

  /** @throws BridgeError `sessionMemory` */
  #checkMemory(): void {
    checkSessionBytes(this.numBytes, this.#options.limits);
  }
}

/** Carries out a change that ends no episode. */
function change(group: Group, work: () => void): Outcome {
  return fill(group, () => {
    work();
    return noFinals;
  });
}

/** Plays into a reply buffer. In a text session the prompts follow everything else. */
function fill({ buffers, prompts }: Group, play: () => StepParts): Outcome {
  if (prompts === undefined) return buffers.fill(play);
  return buffers.fill(() => {
    const { result, sections } = play();
    const text = { name: "textLayout", arrays: byteListArrays("prompt", prompts.all()) };
    return { result, sections: [...sections, text] };
  });
}

function outputNames({ stepReply }: SessionLayouts): OutputName[] {
  return stepReply.map(({ name }) => name as OutputName);
}

/** Seeds of a reset. All bits set asks for the lane's next episode, and becomes NaN. */
function readSeeds(body: Uint8Array, spec: ArraySpec): Float64Array {
  const seeds = readArray(body, spec) as Float64Array;
  for (let i = 0; i < seeds.length; i++) {
    const at = spec.offset + 8 * i;
    if (body.subarray(at, at + 8).every((byte) => byte === 0xff)) seeds[i] = Number.NaN;
  }
  return seeds;
}
