/** Waits for jobs of a dispatcher. */

import type { Dispatcher } from "../../bridge/server/dispatcher.js";
import { type Answer, granted, newId } from "./dispatcher-client.js";

/** Waits for the end of a job, and returns its status. */
export async function jobEnd(dispatcher: Dispatcher, job: string): Promise<Answer> {
  for (;;) {
    const status = await granted(dispatcher, { op: "job-status", requestId: newId(), job });
    if (status.result.state !== "running") return status;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Time limit of tests with jobs: their threads take seconds to start on a busy machine. */
export const JOB_MS = 300_000;
