/** The lanes of a batch as the core holds them: what a host may read of each, and when to read it again. */

import { CoreModule } from "../core/module.js";
import { PHASE_RUNNING } from "../core/phases.js";
import { MecgymError } from "../errors.js";
import type { Scenario } from "../scenario/scenario.js";
import { layOutBatch } from "./core-input.js";
import type { BatchSettings } from "./options.js";

/** Names of the core's outputs that say something of a lane between two steps. */
const laneNames = ["decisionIndex", "slot", "numServers"] as const;

/** A decision as the core lays it out: numbers, each in a view of one entry, and rows with one number a server. */
export type CoreDecision = ReturnType<typeof cutDecision>;

function cutDecision(core: CoreModule) {
  const float64 = (name: string) => core.view<Float64Array>(`decision.${name}`);
  const int32 = (name: string) => core.view<Int32Array>(`decision.${name}`);
  return {
    sizeMbit: float64("sizeMbit"),
    backlogMbit: float64("backlogMbit"),
    localWaitSlots: float64("localWaitSlots"),
    episodeSeed: float64("episodeSeed"),
    slot: int32("slot"),
    decisionIndex: int32("decisionIndex"),
    userIndex: int32("userIndex"),
    numServers: int32("numServers"),
    numUsers: int32("numUsers"),
    scenario: int32("scenario"),
    rateMbps: float64("rateMbps"),
    cpuGHz: float64("cpuGHz"),
    workloadMbit: float64("workloadMbit"),
    activeTasks: float64("activeTasks"),
    isAvailable: core.view<Uint8Array>("decision.isAvailable"),
    workloadHistoryMbit: float64("workloadHistoryMbit"),
  };
}

export class Lanes {
  /** The instance of the core that plays these lanes, and no others. */
  readonly core = new CoreModule();
  readonly numLanes: number;
  readonly scenarios: readonly Scenario[];
  /** Changes with every call that changes a lane: what was read before may be out of date. */
  version = 0;
  readonly #laneScenario: Int32Array;
  readonly #maxHistorySlots: number;
  #decision: CoreDecision | undefined;
  #cutAt = -1;

  /** @throws MecgymError `invalidOption` if there is not so much memory */
  constructor(settings: BatchSettings) {
    this.numLanes = settings.numLanes;
    this.scenarios = settings.scenarios;
    this.#laneScenario = settings.laneScenario;
    this.#maxHistorySlots = settings.historySlots;
    const { core } = this;
    let status: number;
    try {
      status = layOutBatch(core, settings);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const expected = `lanes that fit into the core's memory of 4 GiB (${error.message})`;
      throw new MecgymError("invalidOption", { path: "numLanes", got: settings.numLanes, expected });
    }
    // the options were checked: what the core still refuses is a mistake of this package
    if (status < 0) throw new Error(`the core refuses a batch: ${JSON.stringify(core.failure)}`);
  }

  /** The scenario of a lane; that of lane 0 for the lane behind the last one, where rollouts play. */
  scenarioOf(lane: number): Scenario {
    return this.scenarios[this.#laneScenario[lane] ?? 0];
  }

  /** One of the phases of phases.ts. */
  phaseOf(lane: number): number {
    return this.core.calls.phaseOf(lane);
  }

  /** Whether a lane has a decision to take. */
  isRunning(lane: number): boolean {
    return this.core.calls.phaseOf(lane) === PHASE_RUNNING;
  }

  /** Index of the decision to take now, and its slot; servers of the episode. */
  numberOf(name: (typeof laneNames)[number], lane: number): number {
    return this.core.view(`outputs.${name}`)[lane];
  }

  /** Seed of a lane's episode. */
  episodeSeedOf(lane: number): number {
    const words = this.core.view<Uint32Array>("outputs.episodeSeed");
    return words[2 * lane] + words[2 * lane + 1] * 0x100000000;
  }

  /**
   * A lane's current decision, until the next call; undefined before its first reset.
   *
   * @param withHistory whether the workload history is wanted too
   */
  read(lane: number, withHistory = false): CoreDecision | undefined {
    const { core } = this;
    const status = withHistory ? core.calls.readDecision(lane) : core.calls.readDecisionNow(lane);
    return status < 0 ? undefined : this.decision;
  }

  /** The core's one place for a decision. */
  get decision(): CoreDecision {
    const { core } = this;
    if (this.#decision === undefined || this.#cutAt !== core.generation) {
      this.#decision = cutDecision(core);
      this.#cutAt = core.generation;
    }
    return this.#decision;
  }

  /** The workload history of a decision that was read with it, one row for each server, oldest first. */
  historyOf({ numServers, scenario, workloadHistoryMbit }: CoreDecision): number[][] {
    const { historySlots } = this.scenarios[scenario[0]];
    return Array.from({ length: numServers[0] }, (_, e) => {
      const first = e * this.#maxHistorySlots;
      return Array.from(workloadHistoryMbit.subarray(first, first + historySlots));
    });
  }
}
