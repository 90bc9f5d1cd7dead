/** The performance benchmark: steps per second of the kernel, and ratios measured within one run. */

import { BatchEnv, type ScenarioInput } from "../env/index.js";
import { cheapestAction } from "../env/kernel.js";
import { lnInPlace, wordsOf } from "../env/math.js";
import { drawUniform, seedStream } from "../env/random.js";

/** A measured figure: the median of the repetitions, and their range. */
export interface SpeedFigure {
  readonly id: string;
  readonly unit: "steps/s" | "1" | "bytes/step" | "tasks/server";
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly goal: number | null;
  readonly better: "higher" | "lower";
}

export interface SpeedOptions {
  readonly repetitions: number;
  /** Whether the whole grid of servers and lanes is measured, too. */
  readonly hasGrid: boolean;
  /** A clock, ms. */
  readonly now: () => number;
  /** Bytes the program holds after everything that is no longer needed was given back; not measured where left out. */
  readonly heldBytes?: () => number;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/** Tasks for each draw of an arrival, at the default probability of 0.3. */
const DRAWS_PER_TASK = 1 / 0.3;
const GRID_SERVERS = [3, 6, 12, 32, 128, 512];
const GRID_LANES = [1, 64, 1024, 8192, 65_536];
/** A cell of the grid that would take more memory is left out. */
const MAX_CELL_BYTES = 3e9;
/** Steps over which the heap is watched. */
const HEAP_STEPS = 10_000_000;

/** Plays at least so many steps, and says how many it played. */
type Run = (steps: number) => number;

interface Contender {
  readonly id: string;
  readonly run: Run;
  readonly steps: number;
}

/**
 * Measures, one after another in each repetition so that a busy machine slows all alike: the oracle and random play in
 * one lane and in 1,024 lanes, look-ahead over all actions, and the machine's floor for a step (its random draws and
 * logarithms, and nothing else); with the grid, every number of servers at every number of lanes.
 */
export function measureSpeed(options: SpeedOptions): SpeedFigure[] {
  // the heap first, while there is nothing else to be given back
  const heap = options.heldBytes === undefined ? [] : [measureHeap(options, options.heldBytes)];
  const figures = [...measureKernel(options), ...heap];
  if (options.hasGrid) for (const numServers of GRID_SERVERS) figures.push(...measureGridRow(options, numServers));
  return figures;
}

function measureKernel(options: SpeedOptions): SpeedFigure[] {
  const random = [100, 1000].map((episodeSlots) => makePlayer({ id: "long", episodeSlots }, 1024, "random"));
  const steps = 300_000;
  const rates = measure(options, "kernel", [
    { id: "one", run: makePlayer("paper-v1", 1, "oracle").run, steps },
    { id: "many", run: makePlayer("paper-v1", 1024, "oracle").run, steps },
    { id: "random", run: random[0].run, steps },
    { id: "randomLong", run: random[1].run, steps: 3 * steps },
    { id: "lookAhead", run: makeLookAhead(), steps },
    { id: "floor", run: makeFloor(6), steps },
  ]);
  const { one, many, lookAhead, floor } = rates;
  return [
    figure("kernel/lanes=1", "steps/s", one, "higher"),
    figure("kernel/lanes=1024", "steps/s", many, "higher"),
    figure("kernel/lanes=1024/over-one-lane", "1", ratio(many, one), "higher"),
    figure("kernel/lanes=1024/times-floor", "1", ratio(floor, many), "lower", 2),
    figure("kernel/lanes=1024/random/slots=100", "steps/s", rates.random, "higher"),
    figure("kernel/lanes=1024/random/slots=100/active-tasks", "tasks/server", [random[0].activeTasks()], "lower"),
    figure("kernel/lanes=1024/random/slots=1000", "steps/s", rates.randomLong, "higher"),
    figure("kernel/lanes=1024/random/slots=1000/active-tasks", "tasks/server", [random[1].activeTasks()], "lower"),
    figure("look-ahead/steps", "1", ratio(one, lookAhead), "lower", 6),
  ];
}

function measureGridRow(options: SpeedOptions, numServers: number): SpeedFigure[] {
  const scenario = { numServers, users: { perServer: 2 } };
  const steps = 4_000_000 / (numServers + 8);
  const contenders: Contender[] = [{ id: "floor", run: makeFloor(numServers), steps }];
  const lanes = GRID_LANES.filter((numLanes) => numLanes * laneBytes(numServers) <= MAX_CELL_BYTES);
  for (const numLanes of lanes) {
    contenders.push({ id: `${numLanes}`, run: makePlayer(scenario, numLanes, "oracle").run, steps });
  }
  const rates = measure(options, `${numServers} servers`, contenders);
  return lanes.flatMap((numLanes) => {
    const id = `grid/servers=${numServers}/lanes=${numLanes}`;
    return [
      figure(id, "steps/s", rates[`${numLanes}`], "higher"),
      figure(`${id}/times-floor`, "1", ratio(rates.floor, rates[`${numLanes}`]), "lower"),
    ];
  });
}

/** What a lane takes, about: its servers with their history and observation, and two users for each server. */
function laneBytes(numServers: number): number {
  return numServers * (8 * 13 + 4 * 6 + 2 * 16) + 1000;
}

/** Steps per second of each contender, one value a repetition. */
function measure(
  { repetitions, now, onProgress }: SpeedOptions,
  what: string,
  contenders: readonly Contender[],
): Record<string, number[]> {
  const rates: Record<string, number[]> = {};
  for (const { id, run, steps } of contenders) {
    run(steps / 2); // compile before the clock runs
    rates[id] = [];
  }
  for (let r = 0; r < repetitions; r++) {
    for (const { id, run, steps } of contenders) {
      const start = now();
      const played = run(steps);
      rates[id].push((1000 * played) / (now() - start));
    }
    onProgress?.(r + 1, repetitions, what);
  }
  return rates;
}

/**
 * Bytes the program holds more after a long run than before, for each step, the task lists apart, which may grow:
 * nothing, where playing allocates nothing that stays.
 */
function measureHeap({ onProgress }: SpeedOptions, heldBytes: () => number): SpeedFigure {
  const { run, listBytes } = makePlayer("paper-v1", 1024, "oracle");
  const others = () => heldBytes() - listBytes();
  run(3_000_000); // what is compiled late, and the lists of the first bad stretches, come before
  const before = others();
  const parts = 20;
  let steps = 0;
  for (let i = 0; i < parts; i++) {
    steps += run(HEAP_STEPS / parts);
    onProgress?.(i + 1, parts, "heap");
  }
  return figure("kernel/heap-growth/steps=10000000", "bytes/step", [(others() - before) / steps], "lower", 0.01);
}

interface Player {
  readonly run: Run;
  /** Mean of N_e over all servers, all lanes, and all rounds played. */
  readonly activeTasks: () => number;
  /** Bytes of the task lists. */
  readonly listBytes: () => number;
}

function makePlayer(scenario: string | ScenarioInput, numLanes: number, policy: "oracle" | "random"): Player {
  const batch = new BatchEnv({ scenarios: [scenario], numLanes, autoreset: "same-step" });
  const actions = new Int32Array(numLanes);
  const stream = new Float64Array(4);
  seedStream("mecgym/v1/speed/random-actions", stream, 0);
  const { lanes } = batch;
  let tasks = 0;
  let servers = 0;
  batch.reset();
  const choose =
    policy === "oracle"
      ? (lane: number) => cheapestAction(lanes, lane)
      : (lane: number) => Math.floor(drawUniform(stream, 0) * (lanes.arrays.numServers[lane] + 1));
  const run = (steps: number) => {
    const rounds = Math.ceil(steps / numLanes);
    for (let k = 0; k < rounds; k++) {
      for (let lane = 0; lane < numLanes; lane++) actions[lane] = choose(lane);
      batch.step(actions);
      tasks += lanes.arrays.numTasks[0];
      servers += lanes.arrays.numServers[0];
    }
    return rounds * numLanes;
  };
  return { run, activeTasks: () => tasks / servers, listBytes: () => lanes.tasks.numBytes };
}

/** Look-aheads over all actions at K = 3, in one lane. */
function makeLookAhead(): Run {
  const batch = new BatchEnv({ scenarios: ["paper-v1"], numLanes: 1 });
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
function makeFloor(numServers: number): Run {
  const stream = new Float64Array(4);
  seedStream("mecgym/v1/speed/floor", stream, 0);
  const values = new Float64Array(numServers);
  const words = wordsOf(values);
  return (steps) => {
    const count = Math.ceil(steps);
    let draws = 0;
    for (let i = 0; i < count; i++) {
      for (draws += DRAWS_PER_TASK + 1; draws >= 1; draws--) drawUniform(stream, 0);
      for (let e = 0; e < numServers; e++) values[e] = drawUniform(stream, 0) + 1e-9;
      lnInPlace(values, words, numServers);
      for (let e = 0; e < numServers; e++) values[e] = 1 - 1000 * values[e];
      lnInPlace(values, words, numServers);
    }
    return count;
  };
}

function ratio(above: readonly number[], below: readonly number[]): number[] {
  return above.map((value, i) => value / below[i]);
}

function figure(
  id: string,
  unit: SpeedFigure["unit"],
  values: readonly number[],
  better: SpeedFigure["better"],
  goal: number | null = null,
): SpeedFigure {
  const sorted = [...values].sort((a, b) => a - b);
  return { id, unit, value: sorted[sorted.length >> 1], low: sorted[0], high: sorted[sorted.length - 1], goal, better };
}
