/** Speed in Python: the native vector environment relative to other ways to step environments, on wall time. */

import { join } from "node:path";
import { figure, ratio, type SpeedFigure } from "./figures.js";
import { type Contender, measure } from "./measure.js";
import { PeerProcess, startPeer } from "./peer-process.js";
import type { NotMeasured, Section, SpeedContext } from "./section.js";

/** What `run_python.py` steps, its Python environment, and the command that makes the environment. */
interface Stepped {
  readonly id: string;
  readonly options: readonly (string | number)[];
  readonly environment: string;
  readonly command: string;
  /** How many times as fast the native vector environment should be; not compared if left out. */
  readonly goal?: number;
}

const own = { environment: ".venv", command: "node scripts/setup.mjs" };
const torch = { environment: join(".setup", "venv-torch"), command: "node scripts/extras.mjs sb3" };
const envpool = { environment: join(".setup", "venv-envpool"), command: "node scripts/extras.mjs envpool" };

/** Number of environments in the vector environments that step one at a time. */
const FEW = 8;
const SETTINGS = [
  { lanes: 1024, groups: 4 },
  { lanes: 8192, groups: 2 },
];
/** Decisions of DQN between two readings of the clock, and numbers of environments that it steps at once. */
const DQN_STEPS = 2000;
const DQN_LANES = [1, 16, 64];
const MAX_ENVIRONMENT_SHARE = 0.05;

function contendersOf(lanes: number, groups: number): Stepped[] {
  const all = ["--lanes", lanes];
  return [
    { id: "make-vec", options: ["--what", "make-vec", ...all], ...own },
    { id: "make-vec-views", options: ["--what", "views", ...all], ...own },
    { id: "make-vec-history", options: ["--what", "make-vec", ...all, "--history"], ...own },
    { id: "lanes-in-groups", options: ["--what", "lanes", ...all, "--groups", groups], ...own },
    { id: "sync-vector-env", options: ["--what", "sync", "--lanes", FEW], ...own, goal: 50 },
    { id: "async-vector-env", options: ["--what", "async", "--lanes", FEW], ...own, goal: 50 },
    { id: "numpy", options: ["--what", "numpy", ...all], ...own, goal: 5 },
    { id: "envpool-cartpole", options: ["--what", "envpool", ...all], ...envpool, goal: 2 },
  ];
}

export const pythonSection: Section = {
  name: "python",
  description:
    "make_vec ÷ Gymnasium's vector environments, NumPy and EnvPool; DQN's time in the environment; wall time",
  option: "python",
  weight: 60,
  async measure(context) {
    const figures: SpeedFigure[] = [];
    const notMeasured: NotMeasured[] = [];
    const versions: Record<string, unknown> = {};
    const parts = SETTINGS.length + DQN_LANES.length;
    const at = (part: number): SpeedContext => ({
      ...context,
      onProgress: (done, what) => context.onProgress?.((part + done) / parts, what),
    });
    for (const [i, { lanes, groups }] of SETTINGS.entries()) {
      const drivers = new Drivers(context.root, notMeasured, versions);
      try {
        figures.push(...(await compare(at(i), drivers, lanes, groups)));
      } finally {
        await drivers.close();
      }
    }
    for (const [i, lanes] of DQN_LANES.entries()) {
      const drivers = new Drivers(context.root, notMeasured, versions);
      try {
        figures.push(...(await measureTraining(at(SETTINGS.length + i), drivers, lanes)));
      } finally {
        await drivers.close();
      }
    }
    return { figures, notMeasured, conditions: { python: versions } };
  },
};

/** The timed processes, and notes on those that could not be started. */
class Drivers {
  readonly #root: string | undefined;
  readonly #notMeasured: NotMeasured[];
  readonly #versions: Record<string, unknown>;
  readonly #running: PeerProcess[] = [];

  constructor(root: string | undefined, notMeasured: NotMeasured[], versions: Record<string, unknown>) {
    this.#root = root;
    this.#notMeasured = notMeasured;
    this.#versions = versions;
  }

  /** The process; undefined, and a note of the reason, if it cannot be started. */
  async start(id: string, stepped: Omit<Stepped, "id">): Promise<PeerProcess | undefined> {
    const { options, environment, command } = stepped;
    const driver = await startPeer(this.#root, { script: "run_python.py", environment, command }, options);
    if (!(driver instanceof PeerProcess)) {
      this.#notMeasured.push({ id, ...driver });
      return undefined;
    }
    this.#running.push(driver);
    this.#versions[environment] = { ...(this.#versions[environment] ?? {}), ...driver.versions };
    return driver;
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map((driver) => driver.close()));
  }
}

async function compare(context: SpeedContext, drivers: Drivers, lanes: number, groups: number): Promise<SpeedFigure[]> {
  const prefix = `python/lanes=${lanes}`;
  const contenders: Contender[] = [];
  const all = contendersOf(lanes, groups);
  for (const stepped of all) {
    const driver = await drivers.start(`${prefix}/${stepped.id}`, stepped);
    if (driver !== undefined) contenders.push({ id: stepped.id, run: (steps) => driver.run(steps) });
  }
  const rates = await measure(context, `${lanes} lanes`, contenders);
  const own = rates["make-vec"];
  const figures: SpeedFigure[] = [];
  for (const { id, goal } of all.filter(({ id }) => id in rates)) {
    figures.push(figure(`${prefix}/${id}`, "steps/s", rates[id], "higher"));
    if (goal === undefined || own === undefined) continue;
    figures.push(figure(`${prefix}/make-vec-over-${id}`, "1", ratio(own, rates[id]), "higher", goal));
    const groupRates = rates["lanes-in-groups"];
    if (groupRates === undefined) continue;
    figures.push(figure(`${prefix}/lanes-in-groups-over-${id}`, "1", ratio(groupRates, rates[id]), "higher"));
  }
  return figures;
}

/** The share of a DQN run's time that is spent in the environment's `reset` and `step`. */
async function measureTraining(context: SpeedContext, drivers: Drivers, lanes: number): Promise<SpeedFigure[]> {
  const id = `python/dqn/envs=${lanes}/environment-share`;
  const driver = await drivers.start(id, { options: ["--what", "dqn", "--lanes", lanes], ...torch });
  if (driver === undefined) return [];
  const shares: number[] = [];
  for (let r = 0; r < context.repetitions; r++) {
    const { seconds, environmentSeconds } = await driver.run(DQN_STEPS);
    if (environmentSeconds === undefined) throw new Error("run_python.py does not say how long the environment took");
    shares.push(environmentSeconds / seconds);
    context.onProgress?.((r + 1) / context.repetitions, `DQN, ${lanes} environments`);
  }
  return [figure(id, "1", shares, "lower", MAX_ENVIRONMENT_SHARE)];
}
