/** A batch of the slow model: lanes, autoreset, outputs and ends as the README and docs/model.md describe them. */

import { resolveBatchOptions } from "../../env/batch/options.js";
import {
  type BatchEnvOptions,
  FLAG_INVALID_ACTION,
  FLAG_LATE,
  FLAG_RESET,
  FLAG_TRUNCATED,
  type LookAheadRequest,
  nextEpisodeSeed,
  type Scenario,
} from "../../env/index.js";
import { ReferenceEpisode, type ReferenceLookAhead } from "./reference-model.js";

type Options = ReturnType<typeof resolveBatchOptions>;

/** A lane: its episode, and what decides which comes next. */
export interface ReferenceLane {
  readonly seed: number;
  readonly episodeIndex: number;
  readonly episode: ReferenceEpisode | undefined;
}

/** The results of a step, laid out as a batch's outputs. */
function allocateOutputs(numLanes: number, maxServers: number, observationSize: number) {
  return {
    observation: new Float32Array(numLanes * observationSize),
    reward: new Float64Array(numLanes),
    latencySlots: new Float64Array(numLanes),
    costSlots: new Float64Array(numLanes),
    episodeSeed: new Uint32Array(2 * numLanes),
    executedAction: new Int32Array(numLanes),
    decisionIndex: new Int32Array(numLanes),
    slot: new Int32Array(numLanes),
    numServers: new Int32Array(numLanes),
    lostTasks: new Int32Array(numLanes),
    lostOnTimeTasks: new Int32Array(numLanes),
    flags: new Uint8Array(numLanes),
    actionMask: new Uint8Array(numLanes * (maxServers + 1)),
  };
}

/** A lane whose episode has ended. */
interface Final {
  readonly lane: number;
  readonly slot: number;
  readonly stats: readonly number[];
  readonly observation: Float32Array;
}

export class ReferenceBatch {
  readonly numLanes: number;
  readonly maxServers: number;
  readonly observationSize: number;
  readonly autoreset: Options["autoreset"];
  readonly outputs: ReturnType<typeof allocateOutputs>;
  finals: Final[] = [];
  readonly #given: BatchEnvOptions;
  readonly #options: Options;
  readonly #historySlots: number;
  readonly #lanes: ReferenceLane[];

  constructor(given: BatchEnvOptions) {
    const options = resolveBatchOptions(given);
    this.#given = given;
    this.#options = options;
    this.numLanes = options.numLanes;
    this.maxServers = options.maxServers;
    this.autoreset = options.autoreset;
    this.#historySlots = options.history ? options.historySlots : 0;
    this.observationSize = 6 + options.maxServers * (4 + this.#historySlots);
    this.outputs = allocateOutputs(this.numLanes, this.maxServers, this.observationSize);
    const { seed } = options;
    this.#lanes = Array.from({ length: this.numLanes }, () => ({ seed, episodeIndex: 0, episode: undefined }));
  }

  episodeOf(lane: number): ReferenceEpisode {
    const { episode } = this.#lanes[lane];
    if (episode === undefined) throw new Error(`lane ${lane} was never reset`);
    return episode;
  }

  scenarioOf(lane: number): Scenario {
    return this.#options.scenarios[this.#options.laneScenario[lane]];
  }

  /** Lanes whose episode has ended and that only a reset can use again, or the next step. */
  endedLanes(): number[] {
    return this.#lanes.flatMap(({ episode }, lane) => (episode?.truncated ? [lane] : []));
  }

  reset(seeds?: ArrayLike<number>, mask?: ArrayLike<number>): void {
    this.finals = [];
    for (let lane = 0; lane < this.numLanes; lane++) {
      if (mask !== undefined && !mask[lane]) continue;
      const seed = seeds?.[lane] ?? Number.NaN;
      if (Number.isNaN(seed)) this.#startNext(lane);
      else this.#start(lane, seed, { seed, episodeIndex: 0 });
      this.#clearStep(lane);
    }
  }

  #startNext(lane: number): void {
    const { seed, episodeIndex } = this.#lanes[lane];
    const { split, firstLane } = this.#options;
    this.#start(lane, nextEpisodeSeed(split, seed, firstLane + lane, episodeIndex), { seed, episodeIndex });
  }

  #start(lane: number, episodeSeed: number, course: Pick<ReferenceLane, "seed" | "episodeIndex">): void {
    const episode = new ReferenceEpisode(this.scenarioOf(lane), episodeSeed);
    this.#lanes[lane] = { seed: course.seed, episodeIndex: course.episodeIndex + 1, episode };
    this.#show(lane);
  }

  step(actions: ArrayLike<number>): void {
    const { outputs } = this;
    this.finals = [];
    for (let lane = 0; lane < this.numLanes; lane++) {
      const episode = this.episodeOf(lane);
      if (episode.truncated) {
        if (this.autoreset !== "next-step") throw new Error(`lane ${lane} has ended`);
        this.#startNext(lane);
        this.#clearStep(lane);
        outputs.flags[lane] = FLAG_RESET;
        continue;
      }
      const step = episode.step(actions[lane]);
      outputs.reward[lane] = -step.costSlots;
      outputs.latencySlots[lane] = step.latencySlots;
      outputs.costSlots[lane] = step.costSlots;
      outputs.executedAction[lane] = step.action;
      outputs.lostTasks[lane] = step.lostTasks;
      outputs.lostOnTimeTasks[lane] = step.lostOnTimeTasks;
      outputs.flags[lane] =
        (step.isLate ? FLAG_LATE : 0) |
        (step.action === actions[lane] ? 0 : FLAG_INVALID_ACTION) |
        (step.truncated ? FLAG_TRUNCATED : 0);
      this.#show(lane);
      if (step.truncated) this.#end(lane, episode);
    }
  }

  #end(lane: number, episode: ReferenceEpisode): void {
    const { numFinished, numLate, realisedSum, numUnfinished, numUnfinishedLate, numLost } = episode.stats();
    const counts = [numUnfinished, numUnfinishedLate, numLost];
    const stats = [episode.seed, episode.decisionIndex, numFinished, numLate, realisedSum, ...counts];
    this.finals.push({ lane, slot: episode.slot, stats, observation: this.#row(lane).slice() });
    if (this.autoreset === "same-step") this.#startNext(lane);
  }

  lookAhead(lane: number, { actions, ...options }: LookAheadRequest = {}): ReferenceLookAhead {
    const all = this.episodeOf(lane).lookAhead(options);
    if (actions === undefined) return all;
    const pick = (values: readonly number[]) => Array.from(actions, (action) => values[action]);
    return {
      latencySlots: pick(all.latencySlots),
      costSlots: pick(all.costSlots),
      impactSlots: pick(all.impactSlots),
      reward: pick(all.reward),
    };
  }

  /** The numbers of a lane's snapshot, in the order of docs/model.md. */
  stateOf(lane: number): [name: string, value: number][] {
    const { seed, episodeIndex } = this.#lanes[lane];
    return [["seed", seed], ["episodeIndex", episodeIndex], ...this.episodeOf(lane).state()];
  }

  /** What a snapshot of a lane keeps. */
  save(lane: number): ReferenceLane {
    return { ...this.#lanes[lane], episode: this.episodeOf(lane).copy() };
  }

  /** Puts a lane into a saved state. */
  restore(lane: number, saved: ReferenceLane): void {
    this.#lanes[lane] = { ...saved, episode: saved.episode?.copy() };
    this.#clearStep(lane);
    this.#show(lane);
  }

  fork(from: number, to: number): void {
    this.restore(to, this.save(from));
  }

  forkAll(): ReferenceBatch {
    const copy = new ReferenceBatch(this.#given);
    for (let lane = 0; lane < this.numLanes; lane++) copy.restore(lane, this.save(lane));
    return copy;
  }

  #row(lane: number): Float32Array {
    return this.outputs.observation.subarray(lane * this.observationSize, (lane + 1) * this.observationSize);
  }

  /** The outputs that show a lane's current decision. */
  #show(lane: number): void {
    const { outputs, maxServers } = this;
    const episode = this.episodeOf(lane);
    const { decision, servers } = episode;
    const { densityGcyclesPerMbit, deadlineSlots, localCpuGHz, slotSeconds } = this.scenarioOf(lane);
    const waitSlots =
      (episode.devices[decision.userIndex].backlogMbit * densityGcyclesPerMbit) / localCpuGHz / slotSeconds;
    const historySlots = this.#historySlots;
    const columns = Array.from({ length: maxServers }, (_, e) => {
      const server = servers[e];
      if (!server?.isThere) return [0, 0, 0, 0];
      return [decision.rateMbps[e], server.cpuGHz, server.activeTasks, server.workloadMbit];
    });
    const histories = Array.from({ length: maxServers }, (_, e) => {
      // a scenario with a shorter history than the batch leaves the rest at zero
      const history = historySlots === 0 ? [] : (servers[e]?.history ?? []);
      return [...history, ...new Array<number>(historySlots - history.length).fill(0)];
    });
    this.#row(lane).set([
      decision.sizeMbit,
      densityGcyclesPerMbit,
      deadlineSlots,
      decision.userIndex,
      localCpuGHz,
      waitSlots,
      ...columns.flat(),
      ...histories.flat(),
    ]);
    const mask = outputs.actionMask.subarray(lane * (maxServers + 1), (lane + 1) * (maxServers + 1)).fill(0);
    for (const action of episode.actions()) mask[action] = 1;
    outputs.episodeSeed[2 * lane] = Number(BigInt(episode.seed) & 0xffffffffn);
    outputs.episodeSeed[2 * lane + 1] = Number(BigInt(episode.seed) >> 32n);
    outputs.decisionIndex[lane] = episode.decisionIndex;
    outputs.slot[lane] = episode.slot;
    outputs.numServers[lane] = servers.length;
  }

  #clearStep(lane: number): void {
    const { outputs } = this;
    const names = ["reward", "latencySlots", "costSlots", "lostTasks", "lostOnTimeTasks", "executedAction"] as const;
    for (const name of names) outputs[name][lane] = 0;
    outputs.flags[lane] = 0;
  }
}
