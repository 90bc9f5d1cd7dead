/** The performance benchmark: steps per second of the kernel, and ratios measured within one run. */

import { BatchEnv } from "../env/index.js";
import { cheapestAction } from "../env/kernel.js";
import { lnInPlace, wordsOf } from "../env/math.js";
import { drawUniform, seedStream } from "../env/random.js";

/** A measured figure: the median of the repetitions, and their range. */
export interface SpeedFigure {
  readonly id: string;
  readonly unit: "steps/s" | "1" | "bytes/step";
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly better: "higher" | "lower";
}

/** Tasks for each draw of an arrival, at the default probability of 0.3. */
const DRAWS_PER_TASK = 1 / 0.3;
const SCENARIO = "paper-v1";
const NUM_SERVERS = 6;

/**
 * Measures, one after another in each repetition so that a busy machine slows all alike:
 * the oracle in one lane and in 1,024 lanes, look-ahead over all actions, and the machine's floor for a step
 * (its random draws and logarithms, and nothing else).
 *
 * @param now a clock in ms; the only place of the project that reads one
 */
export function measureSpeed(
  repetitions: number,
  now: () => number,
  onProgress: (done: number, total: number) => void = () => {},
): SpeedFigure[] {
  const one = makePlayer(1);
  const many = makePlayer(1024);
  const lookAhead = makeLookAhead();
  const floor = makeFloor();
  const measured = { one, many, lookAhead, floor };
  const rates: Record<keyof typeof measured, number[]> = { one: [], many: [], lookAhead: [], floor: [] };
  for (const run of Object.values(measured)) run(200_000); // compile before the clock runs
  for (let r = 0; r < repetitions; r++) {
    for (const [name, run] of Object.entries(measured) as [keyof typeof measured, (steps: number) => number][]) {
      const start = now();
      const steps = run(300_000);
      rates[name].push((1000 * steps) / (now() - start));
    }
    onProgress(r + 1, repetitions);
  }
  const ratio = (above: number[], below: number[]) => above.map((value, i) => value / below[i]);
  return [
    figure("kernel/lanes=1", "steps/s", rates.one, "higher"),
    figure("kernel/lanes=1024", "steps/s", rates.many, "higher"),
    figure("kernel/lanes=1024/over-one-lane", "1", ratio(rates.many, rates.one), "higher"),
    figure("kernel/lanes=1024/times-floor", "1", ratio(rates.floor, rates.many), "lower"),
    figure("look-ahead/steps", "1", ratio(rates.one, rates.lookAhead), "lower"),
  ];
}

/** Plays the oracle in `numLanes` lanes; gives a function that plays at least so many steps. */
function makePlayer(numLanes: number): (steps: number) => number {
  const batch = new BatchEnv({ scenarios: [SCENARIO], numLanes, autoreset: "same-step" });
  const actions = new Int32Array(numLanes);
  batch.reset();
  return (steps) => {
    const rounds = Math.ceil(steps / numLanes);
    for (let k = 0; k < rounds; k++) {
      for (let lane = 0; lane < numLanes; lane++) actions[lane] = cheapestAction(batch.lanes, lane);
      batch.step(actions);
    }
    return rounds * numLanes;
  };
}

/** Look-aheads over all actions at K = 3, in one lane. */
function makeLookAhead(): (steps: number) => number {
  const batch = new BatchEnv({ scenarios: [SCENARIO], numLanes: 1 });
  batch.reset([0]);
  for (let i = 0; i < 50; i++) batch.step([cheapestAction(batch.lanes, 0)]);
  const out = batch.lookAhead(0);
  return (steps) => {
    const calls = Math.ceil(steps / 4);
    for (let i = 0; i < calls; i++) batch.lookAhead(0, undefined, out);
    return calls;
  };
}

/** The random draws and logarithms of a step, and nothing else. */
function makeFloor(): (steps: number) => number {
  const stream = new Float64Array(4);
  seedStream("mecgym/v1/speed/floor", stream, 0);
  const values = new Float64Array(NUM_SERVERS);
  const words = wordsOf(values);
  return (steps) => {
    let draws = 0;
    for (let i = 0; i < steps; i++) {
      for (draws += DRAWS_PER_TASK + 1; draws >= 1; draws--) drawUniform(stream, 0);
      for (let e = 0; e < NUM_SERVERS; e++) values[e] = drawUniform(stream, 0) + 1e-9;
      lnInPlace(values, words, NUM_SERVERS);
      for (let e = 0; e < NUM_SERVERS; e++) values[e] = 1 - 1000 * values[e];
      lnInPlace(values, words, NUM_SERVERS);
    }
    return steps;
  };
}

function figure(id: string, unit: SpeedFigure["unit"], values: number[], better: SpeedFigure["better"]): SpeedFigure {
  const sorted = [...values].sort((a, b) => a - b);
  return { id, unit, value: sorted[sorted.length >> 1], low: sorted[0], high: sorted[sorted.length - 1], better };
}
