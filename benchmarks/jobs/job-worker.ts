/** Does jobs in the thread it is called in. */

import { resolveScenario, type ScenarioInput, scenarioHash } from "../../env/index.js";
import { RecordMaker, recordLine } from "../datasets/make-records.js";
import { costSums } from "../metrics/metrics.js";
import { computeFigures } from "../metrics/policy-figures.js";
import { ResamplePlan } from "../metrics/statistics.js";
import { packUnits } from "../metrics/units.js";
import { catchFault, type Decider, LogDecider, PolicyDecider } from "../play/deciders.js";
import { EpisodePlayer, playEpisodes } from "../play/episode-player.js";
import { answerStates, visitStates } from "../play/recorded-states.js";
import { findPolicy } from "../policies/index.js";
import type { Job, JobResult, JobResults, Played, RecordLines, RecordsJob, UnitsToPlay } from "./jobs.js";

/** Does jobs, and keeps what the next job is likely to need again. */
export class JobWorker {
  readonly #player = new Latest<EpisodePlayer>();
  readonly #plan = new Latest<ResamplePlan>();
  readonly #maker = new Latest<RecordMaker>();

  /** @throws MecgymError as playing does */
  do<J extends Job>(job: J): JobResult<J>;
  do(job: Job): JobResults[Job["kind"]] {
    switch (job.kind) {
      case "play":
        return this.#play(job, new PolicyDecider(findPolicy(job.policy), resolveScenario(job.scenario)));
      case "replay":
        return catchFault(() => this.#play(job, new LogDecider(job.logs, job.failures)));
      case "visit":
        return [...visitStates(resolveScenario(job.scenario), job.firstSeed, job.count)];
      case "figures":
        return computeFigures(job, this.#planOf(job.plan, totalLength(job.units)));
      case "records":
        return this.#records(job);
    }
  }

  #play({ scenario, firstSeed, count, states, sizeMbit }: UnitsToPlay, decider: Decider): Played {
    const units =
      states === undefined
        ? playEpisodes(this.#playerOf(scenario), firstSeed, count, decider)
        : answerStates(resolveScenario(scenario), states, decider, sizeMbit);
    return { units: packUnits(units), costs: costSums(units) };
  }

  #records({ plan, firstIndex, count }: RecordsJob): RecordLines {
    const maker = this.#maker.get(JSON.stringify(plan), () => new RecordMaker(plan));
    const labelCounts: number[] = [];
    let text = "";
    for (let index = firstIndex; index < firstIndex + count; index++) {
      const record = maker.make(index);
      while (labelCounts.length <= record.state.numServers) labelCounts.push(0);
      labelCounts[record.labelAction]++;
      text += recordLine(record);
    }
    return { bytes: new TextEncoder().encode(text), labelCounts };
  }

  #playerOf(scenario: string | ScenarioInput): EpisodePlayer {
    return this.#player.get(scenarioHash(scenario), () => new EpisodePlayer(resolveScenario(scenario)));
  }

  #planOf(name: string, numUnits: number): ResamplePlan {
    return this.#plan.get(`${numUnits} ${name}`, () => new ResamplePlan(name, numUnits));
  }
}

function totalLength(parts: readonly { readonly lengths: Uint32Array }[]): number {
  return parts.reduce((sum, { lengths }) => sum + lengths.length, 0);
}

/** Keeps the value that was asked for last. */
class Latest<T> {
  #key: string | undefined;
  #value: T | undefined;

  get(key: string, make: () => T): T {
    if (this.#key !== key) {
      this.#value = make();
      this.#key = key;
    }
    return this.#value as T;
  }
}
