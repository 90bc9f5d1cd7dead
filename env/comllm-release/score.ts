/** Scores an answer to a given state in the profile `comllm-release`: its cost and the reward of the published training. */

import { checkNames, MecgymError } from "../errors.js";
import { checkSeed } from "../scenario/seeds.js";
import { readReleaseAnswer, releaseFormatReward } from "./answer.js";
import { releaseCostSlots, releaseFutureSizes, releaseImpactSlots } from "./costs.js";
import { checkReleaseState, type ReleaseState } from "./state.js";

export interface ReleaseOptions {
  /** λ: weight of what an action leaves behind; 0.3 where left out. */
  readonly weight?: number;
  /** K: future tasks; 3 where left out. */
  readonly numSamples?: number;
  /** Seed of the future tasks' sizes; 0 where left out. */
  readonly seed?: number;
}

/** An answer's figures, which no figure of another profile may be compared with. */
export interface ReleaseScore {
  readonly profile: "comllm-release";
  /** 0, or the id of a server, which need not exist; null where the answer names none. */
  readonly action: number | null;
  /** null where there is no action or no state. */
  readonly costSlots: number | null;
  /** What the action leaves behind; null where it is not counted. */
  readonly impactSlots: number | null;
  readonly taskReward: number | null;
  readonly formatReward: number | null;
  readonly reward: number;
}

const TASK_WEIGHT = 0.8;
const FORMAT_WEIGHT = 0.2;
/** Reward of an answer to a prompt that cannot be read, task reward of an answer that cannot, and what is taken off. */
const FAILURE = -10;
/** From this cost on the future is not counted, and above this total more is taken off, slots. */
const LIMIT_SLOTS = 10;

/**
 * What the published training gives an answer: 0.8 times its task reward and 0.2 times the mark for its form.
 *
 * A pure function: all answers to one state face the same future tasks (the published code draws them anew each time).
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
  const isWeight = typeof weight === "number" && weight >= 0 && weight <= 1000;
  if (!isWeight) fail("weight", weight, "a number from 0 to 1000");
  const isCount = Number.isInteger(numSamples) && numSamples >= 1 && numSamples <= 64;
  if (!isCount) fail("numSamples", numSamples, "an integer from 1 to 64");
  checkSeed(seed, "release/seed");
  return { weight, numSamples, seed };
}

function fail(path: string, got: unknown, expected: string): never {
  throw new MecgymError("invalidOption", { path: `release/${path}`, got, expected });
}
