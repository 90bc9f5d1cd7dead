/** The simulator's public names. */

export { BatchEnv } from "./batch-env.js";
export type { AutoresetMode, BatchEnvOptions } from "./batch-options.js";
export {
  BatchOutputs,
  FLAG_INVALID_ACTION,
  FLAG_LATE,
  FLAG_RESET,
  FLAG_TRUNCATED,
  type OutputMemory,
  type OutputName,
  type OutputSpec,
  outputSpecs,
} from "./batch-outputs.js";
export { TrajectoryDigest } from "./digest.js";
export { Env, type EnvOptions, type EpisodeStats, makeEnv, type Step } from "./env.js";
export { type ErrorCode, MecgymError } from "./errors.js";
export { episodeStatsFields } from "./lane-player.js";
export {
  allocateLookAhead,
  type LookAheadOptions,
  type LookAheadRequest,
  type LookAheadResult,
  lookAheadOfState,
} from "./look-ahead.js";
export {
  copyObservation,
  isObservedActionAvailable,
  isServerAvailable,
  LaneView,
  type Observation,
  type ObservationData,
  observedCostSlots,
  observedLatencySlots,
} from "./observation.js";
export { observationHeader, observationServerFields } from "./observation-rows.js";
export { type ParseFailure, type ParseResult, parseCompletion } from "./parser.js";
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
} from "./prompt.js";
export { createStream, MAX_SEED, streamName, type Uniform } from "./random.js";
export { readReleaseAnswer, releaseFormatReward } from "./release/answer.js";
export { DROP_ABOVE_SLOTS, releaseCostSlots, releaseFutureSizes, releaseImpactSlots } from "./release/costs.js";
export { readReleaseInput, readReleasePrompt } from "./release/reader.js";
export { type ReleaseOptions, type ReleaseScore, scoreRelease } from "./release/score.js";
export { type ReleaseServer, type ReleaseState, releaseStateOf } from "./release/state.js";
export { type RolloutRequest, Rollouts, rolloutKeys } from "./rollout.js";
export {
  listScenarios,
  maxServersOf,
  maxUsersOf,
  resolveScenario,
  type Scenario,
  type ScenarioInput,
  scenarioHash,
} from "./scenario.js";
export { type ScoredState, type Scores, score } from "./score.js";
export { checkSeed, nextEpisodeSeed, type Split, splits } from "./seeds.js";
