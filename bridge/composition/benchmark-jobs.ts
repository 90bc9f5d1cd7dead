/** Long work for a server: data sets, suites and results that are verified, done by threads of their own. */

import { type DatasetPlan, planDataset } from "../../benchmarks/datasets/plan.js";
import type { Job, JobResult, JobRunner } from "../../benchmarks/jobs/jobs.js";
import { WorkerPool } from "../../benchmarks/jobs/worker-pool.js";
import { checkCanPlay } from "../../benchmarks/policies/index.js";
import { resultPieces } from "../../benchmarks/runs/result-file.js";
import { countsOf, type ExternalPolicy, runSuite } from "../../benchmarks/runs/run-suite.js";
import { parseResult, verifyResult } from "../../benchmarks/runs/verify.js";
import { findSuite, type Suite, withSettings } from "../../benchmarks/suites/suites.js";
import { checkSeed, MecgymError, splits } from "../../env/index.js";
import { type JobBook, type JobControl, type JobOutput, jobTooLarge } from "../server/jobs.js";
import { checkNoBody, needArray, readBody } from "../wire/array-layout.js";
import { BridgeError } from "../wire/protocol.js";
import type { RequestOf } from "../wire/requests.js";
import { packageVersion } from "./package-version.js";

/** Records a thread makes at a time, and jobs that are under way before the first is taken. */
const RECORDS_PER_JOB = 100;
const MAX_AHEAD = 32;

/** Arrays of a body with the decisions of external policies. */
const LOG_FORMS = { logLengths: ["uint32", "L"], logActions: ["int32", "A"] } as const;

/** A book whose work is done by so many threads; they are there while there is work. */
export function jobBook(numThreads: number): JobBook {
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

/** Threads that several jobs share, and that end when the last one does. */
class SharedThreads {
  readonly #count: number;
  #pool: WorkerPool | undefined;
  #users = 0;

  constructor(count: number) {
    this.#count = count;
  }

  /** Lets `work` use the threads; a job that was cancelled hands them nothing more. */
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

/** The bytes that `mecgym dataset` writes. */
function dataset(request: RequestOf<"dataset">, control: JobControl, threads: SharedThreads): Promise<JobOutput> {
  const { v: _v, op: _op, requestId: _id, ...fields } = request;
  const plan = planDataset(fields as Partial<DatasetPlan> & Pick<DatasetPlan, "kind">);
  return threads.use(control, async (runner) => {
    const ahead: Promise<JobResult<Job & { kind: "records" }>>[] = [];
    const parts: Uint8Array[] = [];
    let [asked, bytes] = [0, 0];
    const ask = () => {
      const count = Math.min(RECORDS_PER_JOB, plan.count - asked);
      if (count === 0) return;
      const part = runner.run({ kind: "records", plan, firstIndex: asked, count });
      part.catch(() => {}); // its turn to be reported comes below
      ahead.push(part);
      asked += count;
    };
    for (let i = 0; i < MAX_AHEAD; i++) ask();
    for (let part = ahead.shift(); part !== undefined; part = ahead.shift()) {
      const lines = await part;
      ask();
      bytes += lines.bytes.length;
      if (bytes > control.maxBytes) throw jobTooLarge(control.maxBytes, bytes);
      parts.push(lines.bytes);
      control.progress(Math.min(parts.length * RECORDS_PER_JOB, plan.count), plan.count, "records");
    }
    return { mediaType: "application/jsonl", bytes: Buffer.concat(parts, bytes) };
  });
}

/** The result that `mecgym run` writes, and in it what external policies did. */
function evaluate(
  request: RequestOf<"evaluate">,
  body: Uint8Array | undefined,
  control: JobControl,
  threads: SharedThreads,
): Promise<JobOutput> {
  const suite = withSettings(findSuite(request.suite), request.settings, "settings");
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
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (const piece of resultPieces(result)) {
      parts.push(Buffer.from(piece));
      bytes += parts[parts.length - 1].length;
      if (bytes > control.maxBytes) throw jobTooLarge(control.maxBytes, bytes);
    }
    return { mediaType: "application/json", bytes: Buffer.concat(parts, bytes) };
  });
}

/**
 * What external policies did: for each of them, each setting and each seed a length, and the actions behind one another.
 *
 * @throws BridgeError `invalidRequest`, `invalidBody` unless that is what the body holds
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
  let [list, at] = [0, 0];
  const next = () => {
    const start = at;
    at += lengths[list++];
    return Array.from(actions.subarray(start, at));
  };
  // in the order that the request names the settings in
  const ids = settings ?? [...countOf.keys()];
  return external.map((policy) => ({
    ...policy,
    logs: new Map(ids.map((id) => [id, Array.from({ length: countOf.get(id) as number }, next)])),
  }));
}

/** What `mecgym verify --json` finds in one file. */
function verify(body: Uint8Array | undefined, control: JobControl, threads: SharedThreads): Promise<JobOutput> {
  const result = parseResult(textOf(body), "body");
  return threads.use(control, async (runner) => {
    const report = await verifyResult(result, { runner, onProgress: control.progress });
    return { mediaType: "application/json", bytes: Buffer.from(`${JSON.stringify(report)}\n`) };
  });
}

function textOf(body: Uint8Array | undefined): string {
  try {
    if (body !== undefined) return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    // what follows says what came
  }
  const got = body === undefined ? undefined : `${body.length} bytes`;
  throw new MecgymError("invalidRecord", { path: "body", expected: "a result as JSON, in UTF-8", got });
}
