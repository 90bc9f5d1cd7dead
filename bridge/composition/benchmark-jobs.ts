/** Long work for a server: data sets, suites and verifications, done by threads of their own. */

import { type DatasetPlan, planDataset } from "../../benchmarks/datasets/plan.js";
import type { Job, JobResult, JobRunner } from "../../benchmarks/jobs/jobs.js";
import { orderedRecords } from "../../benchmarks/jobs/ordered-records.js";
import { WorkerPool } from "../../benchmarks/jobs/worker-pool.js";
import type { FailedAnswer } from "../../benchmarks/play/failed-answers.js";
import { checkCanPlay } from "../../benchmarks/policies/index.js";
import { parseResult, resultPieces } from "../../benchmarks/result-file.js";
import { type ExternalPolicy, runSuite } from "../../benchmarks/runs/run-suite.js";
import { verifyResult } from "../../benchmarks/runs/verify.js";
import { countsOf, findSuite, ownSuite, type Suite, withSettings } from "../../benchmarks/suites/suites.js";
import { checkSeed, MecgymError, type ScenarioInput, splits } from "../../env/index.js";
import { type JobControl, type JobOutput, type JobProvider, jobTooLarge } from "../server/job-registry.js";
import { checkNoBody } from "../wire/array-layout.js";
import { needArray, readBody } from "../wire/described-body.js";
import { BridgeError } from "../wire/protocol.js";
import type { RequestOf } from "../wire/requests.js";
import { packageVersion } from "./package-version.js";

/** Arrays of a body that holds the decisions of external policies. */
const LOG_FORMS = {
  logLengths: ["uint32", "L"],
  logActions: ["int32", "A"],
  failedAt: ["uint32", "F"],
  failure: ["uint8", "F"],
  failedAction: ["int32", "F"],
} as const;

/** Values of `failure` in such a body. */
const FAILURES: readonly FailedAnswer["failure"][] = [
  "invalidAction",
  "empty",
  "noDecision",
  "ambiguous",
  "unfinishedReasoning",
];

/** Jobs that `numThreads` threads do. The threads exist only while there is work. */
export function benchmarkJobs(numThreads: number): JobProvider {
  const threads = new SharedThreads(Math.max(1, numThreads));
  return {
    operations: ["dataset", "evaluate", "verify"],
    start(request, body, control) {
      switch (request.op) {
        case "dataset":
          return dataset(request, control, threads);
        case "evaluate":
          return evaluate(request, body, control, threads);
        case "verify":
          return verify(body, control, threads);
      }
    },
  };
}

/** Threads that several jobs share. They end when the last job does. */
class SharedThreads {
  readonly #count: number;
  #pool: WorkerPool | undefined;
  #users = 0;

  constructor(count: number) {
    this.#count = count;
  }

  /** Lets `work` use the threads. A cancelled job gives them nothing more to do. */
  async use<T>({ signal }: JobControl, work: (runner: JobRunner) => Promise<T>): Promise<T> {
    this.#users += 1;
    this.#pool ??= new WorkerPool(this.#count);
    const pool = this.#pool;
    const runner: JobRunner = {
      async run<J extends Job>(job: J): Promise<JobResult<J>> {
        signal.throwIfAborted();
        const result = await pool.run(job);
        signal.throwIfAborted();
        return result;
      },
    };
    try {
      return await work(runner);
    } finally {
      this.#users -= 1;
      if (this.#users === 0) {
        this.#pool = undefined;
        await pool.close();
      }
    }
  }
}

/** Makes the bytes that `mecgym dataset` writes. */
function dataset(request: RequestOf<"dataset">, control: JobControl, threads: SharedThreads): Promise<JobOutput> {
  const { v: _v, op: _op, requestId: _id, ...fields } = request;
  const plan = planDataset(fields as Partial<DatasetPlan> & Pick<DatasetPlan, "kind">);
  return threads.use(control, async (runner) => {
    const output = new BoundedOutput(control.maxBytes);
    for await (const { bytes, done } of orderedRecords(plan, runner)) {
      output.add(bytes);
      control.progress(done, plan.count, "records");
    }
    return output.finish("application/jsonl");
  });
}

/** Makes the result that `mecgym run` writes, with what external policies did in it. */
function evaluate(
  request: RequestOf<"evaluate">,
  body: Uint8Array | undefined,
  control: JobControl,
  threads: SharedThreads,
): Promise<JobOutput> {
  const suite = withSettings(suiteOf(request), request.settings, "settings");
  const { policies, episodes, firstSeed = splits.test.start } = request;
  for (const name of policies) for (const { protocol } of suite.settings) checkCanPlay(name, protocol);
  const counts = countsOf(suite, episodes);
  checkSeed(firstSeed + Math.max(...counts) - 1, "firstSeed");
  const external = externalOf(request, body, suite, counts);
  return threads.use(control, async (runner) => {
    const result = await runSuite(suite, {
      policies,
      external,
      firstSeed,
      packageVersion,
      runtime: { node: process.version, platform: process.platform, arch: process.arch },
      runner,
      onProgress: control.progress,
      ...(episodes === undefined ? {} : { episodes }),
    });
    const output = new BoundedOutput(control.maxBytes);
    for (const piece of resultPieces(result)) output.add(Buffer.from(piece));
    return output.finish("application/json");
  });
}

/** The suite that a request names, or that of the scenarios that it brings. */
function suiteOf({ suite, scenarios }: RequestOf<"evaluate">): Suite {
  if ((suite === undefined) === (scenarios === undefined)) {
    const got = suite === undefined ? "neither" : "both";
    throw new BridgeError("invalidRequest", { path: "/suite", expected: "either a suite or scenarios", got });
  }
  return suite === undefined ? ownSuite(scenarios as (string | ScenarioInput)[]) : findSuite(suite);
}

/**
 * Reads what external policies did: a length for each policy, setting and seed, all actions one after another, and
 * which of them are what a failed answer was charged with.
 *
 * @throws BridgeError `invalidRequest`, `invalidBody` if the body holds anything else
 */
function externalOf(
  { external = [], layout = [], settings }: RequestOf<"evaluate">,
  body: Uint8Array | undefined,
  suite: Suite,
  counts: readonly number[],
): ExternalPolicy[] {
  if (external.length === 0) {
    checkNoBody("evaluate, unless there are external policies", body);
    return [];
  }
  const { arrays } = readBody(layout, body, LOG_FORMS);
  const lengths = needArray<Uint32Array>(arrays.logLengths, "logLengths");
  const actions = needArray<Int32Array>(arrays.logActions, "logActions");
  const countOf = new Map(suite.settings.map(({ id }, i) => [id, counts[i]]));
  const numLists = external.length * counts.reduce((sum, count) => sum + count, 0);
  const numActions = lengths.reduce((sum, length) => sum + length, 0);
  for (const [name, expected, got] of [
    ["logLengths", numLists, lengths.length],
    ["logActions", numActions, actions.length],
  ] as const) {
    if (expected !== got) throw new BridgeError("invalidBody", { path: name, expected: `${expected} numbers`, got });
  }
  const failed = failedOf(arrays, actions.length);
  let [list, at, nextFailed] = [0, 0, 0];
  const next = (unit: number, failures: FailedAnswer[]) => {
    const start = at;
    at += lengths[list++];
    for (; nextFailed < failed.length && failed[nextFailed].at < at; nextFailed++) {
      const { at: place, ...what } = failed[nextFailed];
      failures.push({ unit, decision: place - start, ...what });
    }
    return Array.from(actions.subarray(start, at));
  };
  // in the order in which the request names the settings
  const ids = settings ?? [...countOf.keys()];
  return external.map(({ answers, ...policy }) => {
    const failures = new Map<string, FailedAnswer[]>(ids.map((id) => [id, []]));
    const listsOf = (id: string) =>
      Array.from({ length: countOf.get(id) as number }, (_, unit) => next(unit, failures.get(id) as FailedAnswer[]));
    const logs = new Map(ids.map((id) => [id, listsOf(id)]));
    return { ...policy, isInWords: answers === "words", logs, failures };
  });
}

/** The failed answers of a body, each with the index of its action among all of them. */
function failedOf(
  arrays: ReturnType<typeof readBody<keyof typeof LOG_FORMS>>["arrays"],
  numActions: number,
): (Pick<FailedAnswer, "failure" | "action"> & { at: number })[] {
  if (arrays.failedAt === undefined && arrays.failure === undefined && arrays.failedAction === undefined) return [];
  const places = needArray<Uint32Array>(arrays.failedAt, "failedAt");
  const codes = needArray<Uint8Array>(arrays.failure, "failure");
  const named = needArray<Int32Array>(arrays.failedAction, "failedAction");
  return Array.from(places, (at, i) => {
    if (at >= numActions || (i > 0 && at <= places[i - 1])) {
      const expected = `rising indices below ${numActions}`;
      throw new BridgeError("invalidBody", { path: `failedAt/${i}`, expected, got: at });
    }
    const failure = FAILURES[codes[i]];
    if (failure === undefined) {
      throw new BridgeError("invalidBody", { path: `failure/${i}`, expected: "0 to 4", got: codes[i] });
    }
    return failure === "invalidAction" ? { at, failure, action: named[i] } : { at, failure };
  });
}

/** Makes what `mecgym verify --json` prints for one file. */
function verify(body: Uint8Array | undefined, control: JobControl, threads: SharedThreads): Promise<JobOutput> {
  const result = parseResult(textOf(body), "body");
  return threads.use(control, async (runner) => {
    const report = await verifyResult(result, { runner, onProgress: control.progress });
    return { mediaType: "application/json", bytes: Buffer.from(`${JSON.stringify(report)}\n`) };
  });
}

/** Collects the bytes of a job's result, up to a limit. */
class BoundedOutput {
  readonly #maxBytes: number;
  readonly #parts: Uint8Array[] = [];
  #numBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws BridgeError `jobTooLarge` */
  add(bytes: Uint8Array): void {
    this.#numBytes += bytes.length;
    if (this.#numBytes > this.#maxBytes) throw jobTooLarge(this.#maxBytes, this.#numBytes);
    this.#parts.push(bytes);
  }

  finish(mediaType: string): JobOutput {
    return { mediaType, bytes: Buffer.concat(this.#parts, this.#numBytes) };
  }
}

/** @throws MecgymError `invalidRecord` */
function textOf(body: Uint8Array | undefined): string {
  try {
    if (body !== undefined) return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    // the error below says what came
  }
  const got = body === undefined ? undefined : `${body.length} bytes`;
  throw new MecgymError("invalidRecord", { path: "body", expected: "a result as JSON, in UTF-8", got });
}
