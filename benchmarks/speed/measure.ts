/** Measures in turns: every contender runs once in each repetition, so that a busy machine slows all equally. */

/** Does at least `steps` steps and returns their number; if another process does them, also the time they took. */
export type Run = (steps: number) => number | Promise<TimedRun>;

export interface TimedRun {
  readonly steps: number;
  readonly seconds: number;
}

export interface Contender {
  readonly id: string;
  readonly run: Run;
}

export interface MeasureOptions {
  readonly repetitions: number;
  /** Target duration of one run of a contender, s. */
  readonly runSeconds: number;
  /** Processor time of this process, s; other processes on the same cores do not lengthen it. */
  readonly cpuSeconds: () => number;
  /** @param done share of the work, 0 to 1 */
  readonly onProgress?: (done: number, what: string) => void;
}

/** First number of steps of a contender; it doubles until a run is long enough to be timed. */
const FIRST_STEPS = 256;

/**
 * Steps per second of a core for each contender, one value for each repetition. The values of one repetition were
 * measured one right after the other, so their ratios are paired.
 */
export async function measure(
  options: MeasureOptions,
  what: string,
  contenders: readonly Contender[],
): Promise<Record<string, number[]>> {
  const { repetitions, onProgress } = options;
  const rates: Record<string, number[]> = {};
  const steps: number[] = [];
  for (const { id, run } of contenders) {
    rates[id] = [];
    steps.push(await findSteps(run, options));
  }
  for (let r = 0; r < repetitions; r++) {
    for (const [i, { id, run }] of contenders.entries()) {
      const { steps: done, seconds } = await time(run, steps[i], options);
      rates[id].push(done / seconds);
    }
    onProgress?.((r + 1) / repetitions, what);
  }
  return rates;
}

/** The number of steps that takes about the target duration. The trial runs also compile the measured code. */
async function findSteps(run: Run, options: MeasureOptions): Promise<number> {
  for (let steps = FIRST_STEPS; ; steps *= 2) {
    const { steps: done, seconds } = await time(run, steps, options);
    if (seconds > options.runSeconds / 4) return Math.max(1, Math.round((done * options.runSeconds) / seconds));
  }
}

async function time(run: Run, steps: number, { cpuSeconds }: MeasureOptions): Promise<TimedRun> {
  const start = cpuSeconds();
  const done = run(steps);
  if (typeof done !== "number") return done;
  return { steps: done, seconds: cpuSeconds() - start };
}
