/** Makes the parts of a data set: in order, with more of them under way than threads can be busy with. */

import type { DatasetPlan } from "../../benchmarks/datasets/plan.js";
import type { JobRunner, RecordLines } from "../../benchmarks/jobs/jobs.js";

/** Records that a thread makes at a time. */
export const RECORDS_PER_JOB = 100;
/** Parts that are under way before the first one is taken. It bounds what is in memory. */
const MAX_AHEAD = 32;

export async function* makeParts(plan: DatasetPlan, runner: JobRunner): AsyncGenerator<RecordLines> {
  const ahead: Promise<RecordLines>[] = [];
  let asked = 0;
  const ask = () => {
    const count = Math.min(RECORDS_PER_JOB, plan.count - asked);
    if (count === 0) return;
    const part = runner.run({ kind: "records", plan, firstIndex: asked, count });
    part.catch(() => {}); // a failure is reported when the part's turn comes
    ahead.push(part);
    asked += count;
  };
  for (let i = 0; i < MAX_AHEAD; i++) ask();
  for (let part = ahead.shift(); part !== undefined; part = ahead.shift()) {
    const lines = await part;
    ask();
    yield lines;
  }
}
