/** Shows how far a command is and how much time is left: a bar on a terminal, an occasional line elsewhere. */

import cliProgress from "cli-progress";

export interface Progress {
  /** The first call says how much was done before; the time left follows from what is done after it. */
  update(done: number, total: number, what: string): void;
  stop(): void;
}

/** Time between two lines if there is no terminal, ms. */
const LINE_EVERY_MS = 10_000;

/** All progress goes to standard error: standard output belongs to the result. */
export function startProgress(label: string): Progress {
  const left = new TimeLeft();
  if (!process.stderr.isTTY) {
    let last = Date.now();
    return {
      update(done, total, what) {
        const text = left.update(done, total);
        if (Date.now() - last < LINE_EVERY_MS) return;
        last = Date.now();
        process.stderr.write(`${label}: ${Math.floor((100 * done) / total)} %, ${text} left (${what})\n`);
      },
      stop() {},
    };
  }
  const bar = new cliProgress.SingleBar(
    {
      format: `${label} {bar} {percentage}% | {left} left | {what}`,
      stream: process.stderr,
      clearOnComplete: true,
      // commands handle signals themselves
      gracefulExit: false,
    },
    cliProgress.Presets.shades_classic,
  );
  let isStarted = false;
  return {
    update(done, total, what) {
      const payload = { what, left: left.update(done, total) };
      if (!isStarted) bar.start(total, done, payload);
      isStarted = true;
      bar.update(done, payload);
    },
    stop() {
      bar.stop();
    },
  };
}

/** Shows progress while `work` runs. */
export async function withProgress<T>(label: string, work: (update: Progress["update"]) => Promise<T>): Promise<T> {
  const progress = startProgress(label);
  try {
    return await work(progress.update);
  } finally {
    progress.stop();
  }
}

/** Runs a generator to its end with progress, one step of `total` at a time, and lets signals through in between. */
export function runSteps<T>(label: string, steps: Generator<string, T>, total: number): Promise<T> {
  return withProgress(label, async (update) => {
    for (let done = 1; ; done++) {
      const step = steps.next();
      if (step.done) return step.value;
      update(done, total, step.value);
      if (done % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  });
}

/** Time left at the mean speed since the first report. Jobs differ too much for the last few to say anything. */
export class TimeLeft {
  #first: { done: number; atMs: number } | undefined;

  /** @returns such as `4 min 10 s` */
  update(done: number, total: number, nowMs = Date.now()): string {
    this.#first ??= { done, atMs: nowMs };
    const sinceFirst = done - this.#first.done;
    if (sinceFirst <= 0) return "?";
    const seconds = Math.ceil(((nowMs - this.#first.atMs) * (total - done)) / sinceFirst / 1000);
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }
}
