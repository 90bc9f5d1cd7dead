/** Joins runs: episodes that parts of a run have played are replayed from their logs, and the whole is as if played at once. */

import { MecgymError, scenarioHash } from "../../env/index.js";
import type { Result } from "../../schemas/generated/types.js";
import type { Job, JobResult, JobRunner, PlayJob } from "../jobs/jobs.js";
import { checkReplayed } from "../play/replay.js";

/**
 * Does jobs as another runner does, but plays no episode again whose decisions a part has.
 *
 * Decisions alone are taken over: costs and figures come from this simulator. Answers to states are given anew, as a
 * policy may remember the states before, and they take no time beside episodes.
 */
export class LogRunner implements JobRunner {
  readonly #inner: JobRunner;
  /** By scenario, policy and seed. */
  readonly #logs = new Map<string, readonly number[]>();

  /**
   * @param parts results of one suite, by their names
   * @throws MecgymError `invalidRecord` where a part is of another suite or version
   */
  constructor(inner: JobRunner, frame: Pick<Result, "suite" | "packageVersion">, parts: Iterable<[string, Result]>) {
    this.#inner = inner;
    for (const [name, part] of parts) {
      for (const field of ["suite", "packageVersion"] as const) {
        if (part[field] === frame[field]) continue;
        const expected = `a part of this run: ${frame[field]}`;
        throw new MecgymError("invalidRecord", { path: `${name}/${field}`, got: part[field], expected });
      }
      for (const { protocol, scenario, seeds, policies } of part.settings) {
        if (protocol !== "episodic") continue;
        for (const { policy, actions } of policies) {
          if (policy.kind !== "native") continue;
          for (const [i, log] of actions.entries())
            this.#logs.set(keyOf(scenario.hash, policy.name, seeds.first + i), log);
        }
      }
    }
  }

  run<J extends Job>(job: J): Promise<JobResult<J>>;
  run(job: Job): Promise<JobResult<Job>> {
    return (job.kind === "play" ? this.#replay(job) : undefined) ?? this.#inner.run(job);
  }

  /** Undefined where no part has all the episodes. */
  #replay({ scenario, policy, firstSeed, count }: PlayJob): Promise<JobResult<PlayJob>> | undefined {
    const hash = scenarioHash(scenario);
    const logs: (readonly number[])[] = [];
    for (let seed = firstSeed; seed < firstSeed + count; seed++) {
      const log = this.#logs.get(keyOf(hash, policy, seed));
      if (log === undefined) return undefined;
      logs.push(log);
    }
    return this.#inner
      .run({ kind: "replay", scenario, firstSeed, states: null, sizeMbit: undefined, logs })
      .then((replayed) => checkReplayed(replayed, (unit) => `${policy}, seed ${firstSeed + unit}`));
  }
}

function keyOf(hash: string, policy: string, seed: number): string {
  return `${hash} ${policy} ${seed}`;
}
