/** How much faster two worker threads play than one: the threads, jobs and answers of `mecgym run`. */

import type { JobRunner, PlayJob } from "../jobs/jobs.js";
import { figure, ratio } from "./figures.js";
import { measure, type TimedRun } from "./measure.js";
import type { Section, SpeedContext } from "./section.js";

const MIN_SPEED_UP = 1.8;
const EPISODES_PER_JOB = 16;

export const workersSection: Section = {
  name: "workers",
  description: "episodes of `mecgym run` on two worker threads ÷ on one",
  weight: 5,
  async measure(context) {
    const id = "workers/2-over-1";
    const { startWorkers } = context;
    if (startWorkers === undefined) {
      return { figures: [], notMeasured: [{ id, reason: "no worker threads here", command: null }] };
    }
    const pools = [1, 2].map((count) => ({ id: `${count}`, pool: startWorkers(count) }));
    try {
      const contenders = pools.map(({ id, pool }) => ({ id, run: (steps: number) => play(context, pool, steps) }));
      const rates = await measure(context, "one and two threads", contenders);
      return {
        figures: [
          figure("workers/1", "steps/s", rates["1"], "higher"),
          figure(id, "1", ratio(rates["2"], rates["1"]), "higher", MIN_SPEED_UP),
        ],
      };
    } finally {
      await Promise.all(pools.map(({ pool }) => pool.close()));
    }
  },
};

/** Plays episodes with the oracle until there are so many steps; every run plays the same ones. */
async function play({ wallSeconds }: SpeedContext, runner: JobRunner, steps: number): Promise<TimedRun> {
  const start = wallSeconds();
  // 360 decisions are an episode's, about; jobs of one size, many more than threads, so that none waits for the last
  const numJobs = Math.max(4, 2 * Math.ceil(steps / (360 * EPISODES_PER_JOB * 2)));
  const jobs = Array.from(
    { length: numJobs },
    (_, i): PlayJob => ({
      kind: "play",
      scenario: "paper-v1",
      policy: "oracle",
      firstSeed: i * EPISODES_PER_JOB,
      count: EPISODES_PER_JOB,
    }),
  );
  const played = await Promise.all(jobs.map((job) => runner.run(job)));
  let done = 0;
  for (const { units } of played) done += units.actions.length;
  return { steps: done, seconds: wallSeconds() - start };
}
