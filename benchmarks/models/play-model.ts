/** Lets a model play the settings of a suite: states and episodes in as many lanes as it may be asked at a time. */

import {
  BatchEnv,
  copyObservation,
  FLAG_TRUNCATED,
  isObservedActionAvailable,
  LaneView,
  type ObservationData,
  type PromptOptions,
  parseCompletion,
  renderPrompt,
  resolveScenario,
} from "../../env/index.js";
import { EpisodePlayer } from "../play/episode-player.js";
import { costliestAction, type FailedAnswer, UNREAD } from "../play/failed-answers.js";
import type { ExternalPolicy } from "../runs/run-suite.js";
import type { Setting } from "../suites/suites.js";
import type { AnswerFile, KeptAnswer, Place } from "./answer-file.js";
import type { Endpoint } from "./endpoint.js";
import { addAnswer, noUsage, type Usage } from "./usage.js";

export interface ModelPlay {
  readonly settings: readonly Setting[];
  /** Seeds of each setting. */
  readonly counts: readonly number[];
  readonly firstSeed: number;
  /** How each decision is put into words. The seed of a perturbation is the episode's. */
  readonly prompt: Omit<PromptOptions, "seed">;
  /** Lanes in flight. */
  readonly concurrency: number;
  /** The first call has the answers that an earlier run has left. */
  readonly onProgress: (done: number, total: number, what: string) => void;
}

/** What a model did: the part of an external policy that its decisions make, and what asking took. */
export type ModelPlayed = Required<Pick<ExternalPolicy, "logs" | "failures">> & { readonly usage: Usage };

/** An episode or a state. */
interface Unit {
  readonly setting: Setting;
  readonly unit: number;
  readonly seed: number;
}

interface UnitLog {
  readonly actions: number[];
  readonly failures: FailedAnswer[];
}

/**
 * Asks the model for every decision.
 *
 * @param stop is aborted if a lane fails, so that the others end too
 * @throws ModelFailed if the model cannot be asked; MecgymError `unsupportedState` if the template has no words for a
 *   state
 */
export async function playModel(
  play: ModelPlay,
  endpoint: Endpoint,
  file: AnswerFile,
  stop: AbortController,
): Promise<ModelPlayed> {
  const { settings, counts, firstSeed } = play;
  const units = settings.flatMap((setting, s) =>
    Array.from({ length: counts[s] }, (_, unit): Unit => ({ setting, unit, seed: firstSeed + unit })),
  );
  const asker = new Asker(play, endpoint, file, countDecisions(units));
  const logs = new Map(settings.map(({ id }, s) => [id, new Array<UnitLog>(counts[s])]));
  let next = 0;
  const lane = async () => {
    for (;;) {
      const unit = units[next++];
      if (unit === undefined) return;
      const log = await (unit.setting.protocol === "static" ? answerState(unit, asker) : playEpisode(unit, asker));
      (logs.get(unit.setting.id) as UnitLog[])[unit.unit] = log;
    }
  };
  const lanes = Array.from({ length: Math.min(play.concurrency, units.length) }, lane);
  try {
    await Promise.all(lanes);
  } catch (error) {
    stop.abort();
    await Promise.allSettled(lanes);
    throw error;
  }
  return {
    logs: new Map([...logs].map(([id, played]) => [id, played.map(({ actions }) => actions)])),
    failures: new Map([...logs].map(([id, played]) => [id, played.flatMap(({ failures }) => failures)])),
    usage: asker.usage,
  };
}

/** Asks one question after another for each lane, and counts them. */
class Asker {
  readonly usage = noUsage();
  readonly #play: ModelPlay;
  readonly #endpoint: Endpoint;
  readonly #file: AnswerFile;
  readonly #total: number;
  #done: number;

  constructor(play: ModelPlay, endpoint: Endpoint, file: AnswerFile, total: number) {
    this.#play = play;
    this.#endpoint = endpoint;
    this.#file = file;
    this.#total = total;
    this.#done = Math.min(file.numKept, total);
    play.onProgress(this.#done, total, "kept answers");
  }

  /** The model's decision in a state: an action, which need not exist, or why there is none. */
  async decide(state: ObservationData, place: Place): Promise<ReturnType<typeof parseCompletion>> {
    const prompt = renderPrompt(state, { ...this.#play.prompt, seed: place.seed });
    const question = this.#endpoint.question(prompt);
    const kept = this.#file.find(place, question.hash);
    const answer: KeptAnswer = kept ?? (await this.#ask(question, place));
    addAnswer(this.usage, answer, kept !== undefined);
    return parseCompletion(answer.completion.text);
  }

  async #ask(question: ReturnType<Endpoint["question"]>, place: Place): Promise<KeptAnswer> {
    const { completion, raw, attempts, milliseconds } = await this.#endpoint.ask(question);
    this.#file.add({ ...place, question: question.hash, attempts, milliseconds, reply: raw });
    // answers to questions that are not asked any more are among those that were kept
    this.#done = Math.min(this.#done + 1, this.#total);
    this.#play.onProgress(this.#done, this.#total, place.setting);
    return { completion, attempts, milliseconds };
  }
}

/** Adds a failed answer to a log if the decision is one. Returns the action to carry out. */
function noteFailure(
  log: UnitLog,
  unit: number,
  read: ReturnType<typeof parseCompletion>,
  state: ObservationData,
): number {
  const decision = log.actions.length;
  if ("failure" in read) {
    log.failures.push({ unit, decision, failure: read.failure });
    return UNREAD;
  }
  const { action } = read;
  if (!isObservedActionAvailable(state, action)) {
    log.failures.push({ unit, decision, failure: "invalidAction", action });
  }
  return action;
}

async function answerState({ setting, unit, seed }: Unit, asker: Asker): Promise<UnitLog> {
  const recorded = new EpisodePlayer(resolveScenario(setting.scenario)).visitState(seed);
  const { fixedSizeMbit } = setting;
  const state = fixedSizeMbit === undefined ? recorded : { ...recorded, sizeMbit: fixedSizeMbit };
  const log: UnitLog = { actions: [], failures: [] };
  const read = await asker.decide(state, { setting: setting.id, seed, decision: 0 });
  const action = noteFailure(log, unit, read, state);
  log.actions.push(log.failures.length > 0 ? costliestAction(state) : action);
  return log;
}

async function playEpisode({ setting, unit, seed }: Unit, asker: Asker): Promise<UnitLog> {
  const scenario = resolveScenario(setting.scenario);
  const batch = new BatchEnv({ scenarios: [scenario], numLanes: 1, invalidActions: "costliest" });
  const view = new LaneView(batch.lanes, 0);
  const log: UnitLog = { actions: [], failures: [] };
  batch.reset([seed]);
  do {
    const state = copyObservation(view);
    const read = await asker.decide(state, { setting: setting.id, seed, decision: log.actions.length });
    batch.step([noteFailure(log, unit, read, state)]);
    log.actions.push(batch.executedAction[0]);
  } while ((batch.flags[0] & FLAG_TRUNCATED) === 0);
  return log;
}

/** The number of decisions in all units, which no policy changes. */
function countDecisions(units: readonly Unit[]): number {
  let total = 0;
  let player: { readonly setting: Setting; readonly player: EpisodePlayer } | undefined;
  for (const { setting, seed } of units) {
    if (setting.protocol === "static") {
      total += 1;
      continue;
    }
    if (player?.setting !== setting) {
      player = { setting, player: new EpisodePlayer(resolveScenario(setting.scenario)) };
    }
    total += player.player.countDecisions(seed);
  }
  return total;
}
