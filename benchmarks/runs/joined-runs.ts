/** Joins parts of a run: their episodes are replayed from the logs, and the result is that of one run. */

import { MecgymError, resolveScenario, scenarioHash } from "../../env/index.js";
import type { Result } from "../../schemas/generated/types.js";
import type { Job, JobResult, JobRunner, Played, PlayJob } from "../jobs/jobs.js";
import { checkReplayed } from "../play/deciders.js";
import { findPolicy } from "../policies/index.js";

/**
 * Passes jobs to another runner, except for episodes whose decisions are in a part: these are replayed.
 *
 * Only the decisions are taken over; costs and figures come from this simulator. States are always answered again,
 * because a policy may remember earlier states, and answers take little time compared with episodes.
 */
export class LogRunner implements JobRunner {
  readonly #inner: JobRunner;
  /** By scenario, policy with its parameters, and seed. */
  readonly #logs = new Map<string, readonly number[]>();

  /**
   * @param parts results of one suite, by their names
   * @throws MecgymError `invalidRecord` if a part has another suite or version
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
            this.#logs.set(keyOf(scenario.hash, policy.name, policy.parameters, seeds.first + i), log);
        }
      }
    }
  }

  run<J extends Job>(job: J): Promise<JobResult<J>>;
  run(job: Job): Promise<JobResult<Job>> {
    return (job.kind === "play" ? this.#replay(job) : undefined) ?? this.#inner.run(job);
  }

  /** Undefined if the parts do not have all the episodes. */
  #replay({ scenario, policy, firstSeed, count, states }: PlayJob): Promise<Played> | undefined {
    if (states !== undefined) return undefined;
    const hash = scenarioHash(scenario);
    const parameters = findPolicy(policy).parameters?.(resolveScenario(scenario));
    const logs: (readonly number[])[] = [];
    for (let seed = firstSeed; seed < firstSeed + count; seed++) {
      const log = this.#logs.get(keyOf(hash, policy, parameters, seed));
      if (log === undefined) return undefined;
      logs.push(log);
    }
    return this.#inner
      .run({ kind: "replay", scenario, firstSeed, count, logs })
      .then((replayed) => checkReplayed(replayed, (unit) => `${policy}, seed ${firstSeed + unit}`));
  }
}

/** A policy of one name with other weights is another policy: its episodes are played again. */
function keyOf(hash: string, policy: string, parameters: object | undefined, seed: number): string {
  const sorted = Object.entries(parameters ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${hash} ${policy} ${JSON.stringify(sorted)} ${seed}`;
}
