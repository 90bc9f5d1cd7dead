/** A progress bar on standard error; on anything but a terminal, a line now and then. */

import cliProgress from "cli-progress";

export interface Progress {
  update(done: number, total: number, what: string): void;
  stop(): void;
}

/** Silence between two lines where there is no terminal, ms. */
const LINE_EVERY_MS = 10_000;

export function startProgress(label: string): Progress {
  if (!process.stderr.isTTY) {
    let last = Date.now();
    return {
      update(done, total, what) {
        if (Date.now() - last < LINE_EVERY_MS) return;
        last = Date.now();
        process.stderr.write(`${label}: ${done} of ${total} (${what})\n`);
      },
      stop() {},
    };
  }
  const bar = new cliProgress.SingleBar(
    {
      format: `${label} {bar} {percentage}% | {eta_formatted} left | {what}`,
      stream: process.stderr,
      clearOnComplete: true,
    },
    cliProgress.Presets.shades_classic,
  );
  let isStarted = false;
  return {
    update(done, total, what) {
      if (!isStarted) bar.start(total, done, { what });
      isStarted = true;
      bar.update(done, { what });
    },
    stop() {
      bar.stop();
    },
  };
}
