/** The lines of a data set in order, while other threads make the lines that follow. */

import type { DatasetPlan } from "../datasets/plan.js";
import type { JobRunner, RecordLines } from "./jobs.js";

/** Records that a thread makes at a time. */
export const RECORDS_PER_JOB = 100;
/** Parts that are asked for before the first one is taken: enough for all threads, and few enough for memory. */
const MAX_AHEAD = 32;

/** A part of a data set. */
export interface RecordsPart extends RecordLines {
  /** Records up to the end of this part. */
  readonly done: number;
}

/**
 * Makes the records of a plan in parts. No more than `MAX_AHEAD` parts are made ahead of the reader.
 *
 * @throws MecgymError as making records does
 */
export async function* orderedRecords(plan: DatasetPlan, runner: JobRunner): AsyncGenerator<RecordsPart> {
  const ahead: Promise<RecordLines>[] = [];
  let asked = 0;
  const ask = () => {
    const count = Math.min(RECORDS_PER_JOB, plan.count - asked);
    if (count === 0) return;
    const part = runner.run({ kind: "records", plan, firstIndex: asked, count });
    part.catch(() => {}); // reported below, when its turn comes
    ahead.push(part);
    asked += count;
  };
  for (let i = 0; i < MAX_AHEAD; i++) ask();
  let done = 0;
  for (let part = ahead.shift(); part !== undefined; part = ahead.shift()) {
    const lines = await part;
    ask();
    done = Math.min(done + RECORDS_PER_JOB, plan.count);
    yield { ...lines, done };
  }
}
