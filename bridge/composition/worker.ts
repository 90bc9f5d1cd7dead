/** The program of a worker thread: jobs for `worker-pool.ts`, or lanes and queries for a server. */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { type AnswerMessage, buffersOf, type JobMessage } from "../../benchmarks/jobs/job-messages.js";
import { JobWorker } from "../../benchmarks/jobs/job-worker.js";
import { describeValue, MecgymError } from "../../env/errors.js";
import { serveLanes } from "../lanes/thread-main.js";
import { LANE_THREAD } from "../lanes/thread-messages.js";
import { nativePolicies } from "./native-policies.js";

const port = parentPort as MessagePort;
if (workerData?.role === LANE_THREAD.role) serveLanes(port, nativePolicies);
else doJobs();

/** Does jobs, one after another, and posts their results. */
function doJobs(): void {
  const worker = new JobWorker();
  port.on("message", ({ job }: JobMessage) => {
    let answer: AnswerMessage;
    try {
      answer = { result: worker.do(job) };
    } catch (error) {
      answer = describe(error);
    }
    port.postMessage(answer, "result" in answer ? buffersOf(answer.result) : []);
  });
}

function describe(error: unknown): AnswerMessage {
  if (error instanceof MecgymError) {
    const { code, path, got, expected } = error;
    return { refusal: { code, path, got: describeValue(got), expected } };
  }
  return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
