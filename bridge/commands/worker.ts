/** What a worker thread does: takes a job, does it, answers; the other side is `worker-pool.ts`. */

import { parentPort } from "node:worker_threads";
import { JobWorker } from "../../benchmarks/jobs.js";
import { describeValue, MecgymError } from "../../env/errors.js";
import { type AnswerMessage, buffersOf, type JobMessage } from "./job-messages.js";

const worker = new JobWorker();

parentPort?.on("message", ({ job }: JobMessage) => {
  let answer: AnswerMessage;
  try {
    answer = { result: worker.do(job) };
  } catch (error) {
    answer = describe(error);
  }
  parentPort?.postMessage(answer, "result" in answer ? buffersOf(answer.result) : []);
});

function describe(error: unknown): AnswerMessage {
  if (error instanceof MecgymError) {
    const { code, path, got, expected } = error;
    return { refusal: { code, path, got: describeValue(got), expected } };
  }
  return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
