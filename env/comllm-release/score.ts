/** Scores an answer in the profile `comllm-release`: its cost and the reward of the published training. */

import { checkInteger, checkNames, checkNumber } from "../checks.js";
import { checkSeed } from "../scenario/seeds.js";
import { readReleaseAnswer, releaseFormatReward } from "./answer.js";
import { releaseCostSlots, releaseFutureSizes, releaseImpactSlots } from "./costs.js";
import { checkReleaseState, type ReleaseState } from "./state.js";

export interface ReleaseOptions {
  /** λ: weight of an action's impact; 0.3 by default. */
  readonly weight?: number;
  /** K: future tasks; 3 by default. */
  readonly numSamples?: number;
  /** Seed of the future tasks' sizes; 0 by default. */
  readonly seed?: number;
}

/** The figures of an answer. They cannot be compared with those of other profiles. */
export interface ReleaseScore {
  readonly profile: "comllm-release";
  /** 0, or the id of a server, which need not exist; null if the answer names none. */
  readonly action: number | null;
  /** null without an action or a state. */
  readonly costSlots: number | null;
  /** The action's impact on future tasks; null if it is not counted. */
  readonly impactSlots: number | null;
  readonly taskReward: number | null;
  readonly formatReward: number | null;
  readonly reward: number;
}

const TASK_WEIGHT = 0.8;
const FORMAT_WEIGHT = 0.2;
/** Reward if the prompt cannot be read, task reward if the answer cannot, and the deduction above the limit. */
const FAILURE = -10;
/** From this cost up the future is not counted, and above this total there is a deduction, slots. */
const LIMIT_SLOTS = 10;

/**
 * The published training's reward of an answer: 0.8 times its task reward plus 0.2 times the mark for its form.
 *
 * A pure function: all answers to one state face the same future tasks (the published code draws new ones each time).
 *
 * @param state null for a prompt that cannot be read
 * @throws MecgymError `invalidOption`, `invalidSeed`, `unsupportedState`
 */
export function scoreRelease(state: ReleaseState | null, answer: string, options: ReleaseOptions = {}): ReleaseScore {
  const settings = checkReleaseOptions(options);
  const profile = "comllm-release";
  if (state === null) {
    const nothing = { action: null, costSlots: null, impactSlots: null, taskReward: null, formatReward: null };
    return { profile, ...nothing, reward: FAILURE };
  }
  checkReleaseState(state);
  const action = readReleaseAnswer(answer);
  const formatReward = releaseFormatReward(answer);
  const task =
    action === null
      ? { costSlots: null, impactSlots: null, taskReward: FAILURE }
      : scoreAction(state, action, settings);
  const reward = task.taskReward * TASK_WEIGHT + formatReward * FORMAT_WEIGHT;
  return { profile, action, ...task, formatReward, reward };
}

function scoreAction(state: ReleaseState, action: number, { weight, numSamples, seed }: Required<ReleaseOptions>) {
  const costSlots = releaseCostSlots(state, action);
  const isCounted = costSlots < LIMIT_SLOTS;
  const impactSlots = isCounted ? releaseImpactSlots(state, action, releaseFutureSizes(state, seed, numSamples)) : null;
  const totalSlots = costSlots + weight * (impactSlots ?? 0);
  const taskReward = 1 - totalSlots + (totalSlots > LIMIT_SLOTS ? FAILURE : 0);
  return { costSlots, impactSlots, taskReward };
}

/**
 * The options with their defaults.
 *
 * @throws MecgymError `invalidOption`, `invalidSeed`
 */
export function checkReleaseOptions(options: ReleaseOptions): Required<ReleaseOptions> {
  checkNames(options, ["weight", "numSamples", "seed"], "release");
  const { weight = 0.3, numSamples = 3, seed = 0 } = options;
  checkNumber(weight, "release/weight", 0, 1000);
  checkInteger(numSamples, "release/numSamples", 1, 64);
  checkSeed(seed, "release/seed");
  return { weight, numSamples, seed };
}
