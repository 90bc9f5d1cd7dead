/** Options and saved state of a session's lanes: plain data that can be sent to any thread. */

import { BatchEnv } from "../../env/batch/batch-env.js";
import type { BatchEnvOptions } from "../../env/batch/options.js";
import type { PromptOptions } from "../../env/language/prompt.js";
import type { Scenario } from "../../env/scenario/scenario.js";
import { definedFields } from "../wire/requests.js";

/** The limits that lanes keep. The server's table of limits describes each of them. */
export interface LaneLimits {
  readonly maxReplyBytes: number;
  readonly maxSessionBytes: number;
  readonly maxCompletionBytes: number;
  readonly maxRequestWork: number;
}

/** What a session simulates. */
export interface LaneOptions {
  /** Options of every group, except its place among all lanes. */
  readonly batch: Omit<BatchEnvOptions, "scenarios" | "numLanes" | "laneScenario" | "firstLane"> & {
    readonly scenarios: readonly Scenario[];
  };
  readonly numLanes: number;
  readonly numGroups: number;
  readonly laneScenario: readonly number[] | undefined;
  /** How to write the prompt that comes with every observation; undefined in a numeric session. */
  readonly prompts: PromptOptions | undefined;
  readonly limits: Pick<LaneLimits, "maxReplyBytes" | "maxSessionBytes">;
}

/** The whole state of a session's lanes: how a session moves to another thread. */
export interface LaneState {
  /** For each group: the lanes in use, their snapshots, and the outputs of the last step. */
  readonly groups: readonly {
    readonly lanes: Int32Array;
    readonly snapshots: readonly Uint8Array[];
    readonly outputs: Readonly<Record<string, Float32Array | Float64Array | Int32Array | Uint8Array | Uint32Array>>;
  }[];
}

/** One batch for each group. */
export function makeEnvs({ batch, numLanes, numGroups, laneScenario }: LaneOptions): BatchEnv[] {
  const perGroup = numLanes / numGroups;
  return Array.from({ length: numGroups }, (_, group) => {
    const firstLane = group * perGroup;
    return new BatchEnv({
      ...batch,
      numLanes: perGroup,
      firstLane,
      ...(laneScenario === undefined ? {} : { laneScenario: laneScenario.slice(firstLane, firstLane + perGroup) }),
    });
  });
}

/** The fields of a request that say how to write prompts, as far as they are given. */
export function promptOptionsOf({ template, perturbation, instruction, system }: PromptFields): PromptOptions {
  return definedFields({ template, perturbation, instruction, system }) as PromptOptions;
}

type PromptFields = { readonly [Name in "template" | "perturbation" | "instruction" | "system"]?: unknown };
