/** The simulator's public names. */

export { BatchEnv } from "./batch/batch-env.js";
export { Env, type EnvOptions, type EpisodeStats, makeEnv, type Step } from "./batch/env.js";
export { episodeStatsFields } from "./batch/episode-stats.js";
export { allocateLookAhead, type LookAheadResult } from "./batch/look-ahead.js";
export type { LookAheadOptions, LookAheadRequest } from "./batch/look-ahead-options.js";
export {
  copyObservation,
  isObservedActionAvailable,
  isServerAvailable,
  LaneView,
  type Observation,
  type ObservationData,
  observedCostSlots,
  observedLatencySlots,
} from "./batch/observation.js";
export { observationHeader, observationServerFields } from "./batch/observation-row.js";
export type { AutoresetMode, BatchEnvOptions } from "./batch/options.js";
export {
  BatchOutputs,
  type OutputMemory,
  type OutputName,
  type OutputSpec,
  outputSpecs,
} from "./batch/outputs.js";
export { lookAheadOfState } from "./batch/recorded-states.js";
export { type CoreBase, type RolloutRequest, Rollouts, rolloutKeys } from "./batch/rollout.js";
export { type ScoredState, type Scores, score } from "./batch/score.js";
export { readReleaseAnswer, releaseFormatReward } from "./comllm-release/answer.js";
export { DROP_ABOVE_SLOTS, releaseCostSlots, releaseFutureSizes, releaseImpactSlots } from "./comllm-release/costs.js";
export { readReleaseInput, readReleasePrompt } from "./comllm-release/reader.js";
export { type ReleaseOptions, type ReleaseScore, scoreRelease } from "./comllm-release/score.js";
export { type ReleaseServer, type ReleaseState, releaseStateOf } from "./comllm-release/state.js";
export { FLAG_INVALID_ACTION, FLAG_LATE, FLAG_RESET, FLAG_TRUNCATED } from "./core/flags.js";
export { coreSha256 } from "./core/generated/core-module.js";
export { TrajectoryDigest } from "./digest.js";
export { type ErrorCode, MecgymError } from "./errors.js";
export { type ParseFailure, type ParseResult, parseCompletion } from "./language/parser/parser.js";
export {
  type Message,
  type OutputInstruction,
  type PerturbationId,
  type Prompt,
  type PromptOptions,
  perturbationIds,
  renderAction,
  renderPrompt,
  type TemplateId,
  templateIds,
} from "./language/prompt.js";
export { createStream, MAX_SEED, streamName, type Uniform } from "./random.js";
export {
  listScenarios,
  maxServersOf,
  maxUsersOf,
  resolveScenario,
  type Scenario,
  type ScenarioInput,
  scenarioHash,
} from "./scenario/scenario.js";
export { checkSeed, nextEpisodeSeed, type Split, splits } from "./scenario/seeds.js";
