/** The cost of the bridge: a Python client of a server in its own process, compared with the same work without one. */

import { BatchEnv } from "../../env/index.js";
import { figure, ratio, type SpeedFigure } from "./figures.js";
import { type Contender, measure } from "./measure.js";
import { commandOf, PeerProcess } from "./peer-process.js";
import type { Section, SpeedContext } from "./section.js";

/** Number of actions in the script, which repeats; `run_bridge.py` has the same script. */
const SCRIPT = 16;

export const bridgeSection: Section = {
  name: "bridge",
  description: "a Python client of a server in its own process ÷ the same without a bridge, on wall time",
  option: "bridge",
  weight: 60,
  async measure(context) {
    const client = { script: "run_bridge.py", environment: ".venv", command: "node scripts/setup.mjs" };
    const line = commandOf(context.root, client);
    if (!Array.isArray(line)) return { figures: [], notMeasured: [{ id: "bridge", ...line }] };
    const figures: SpeedFigure[] = [];
    const settings = Object.entries(comparisons);
    for (const [i, [what, compare]] of settings.entries()) {
      const onProgress = (done: number) => context.onProgress?.((i + done) / settings.length, what);
      const clients = new Clients(line);
      try {
        figures.push(...(await compare({ ...context, onProgress }, clients)));
      } finally {
        await clients.close();
      }
    }
    return { figures };
  },
};

/** The timed clients, each a process with its own server. */
class Clients {
  readonly #line: readonly [string, ...string[]];
  readonly #running: PeerProcess[] = [];

  constructor(line: readonly [string, ...string[]]) {
    this.#line = line;
  }

  async contender(id: string, ...options: readonly (string | number)[]): Promise<Contender> {
    const client = await PeerProcess.start([...this.#line, ...options.map(String)]);
    this.#running.push(client);
    return { id, run: (steps) => client.run(steps) };
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map((client) => client.close()));
  }
}

type Compare = (context: SpeedContext, clients: Clients) => Promise<SpeedFigure[]>;

const comparisons: Readonly<Record<string, Compare>> = {
  "8,192 lanes in 2 groups": (context, clients) => compareLanes(context, clients, 8192, 2, 0.95),
  "1,024 lanes in 4 groups": (context, clients) => compareLanes(context, clients, 1024, 4, 0.7),
  "one batch step": compareStep,
  "one lane": compareOneLane,
  score: compareScore,
  policy: comparePolicy,
};

/** Served steps of lanes, with a request of every group in flight, over steps of the same groups in this process. */
async function compareLanes(context: SpeedContext, clients: Clients, numLanes: number, groups: number, goal: number) {
  const what = ["--what", "lanes", "--lanes", numLanes, "--groups", groups] as const;
  const rates = await measure(context, `${numLanes} lanes`, [
    inProcess(context, numLanes, groups),
    await clients.contender("served", ...what),
    await clients.contender("history", ...what, "--history"),
  ]);
  const id = `bridge/lanes=${numLanes}/groups=${groups}`;
  return [
    figure(`${id}/served`, "steps/s", rates.served, "higher"),
    figure(`${id}/served-over-in-process`, "1", ratio(rates.served, rates["in-process"]), "higher", goal),
    figure(`${id}/with-history-over-in-process`, "1", ratio(rates.history, rates["in-process"]), "higher"),
  ];
}

/** Time of a step of 8,192 lanes over 1.1 times that of an echo of the same sizes plus that of the kernel. */
async function compareStep(context: SpeedContext, clients: Clients): Promise<SpeedFigure[]> {
  const numLanes = 8192;
  const bodyBytes = 215 * numLanes;
  const sizes = ["--request", `81,${4 * numLanes}`, "--reply", `98,${bodyBytes}`];
  const rates = await measure(context, "one batch step", [
    inProcess(context, numLanes, 1),
    await clients.contender("served", "--what", "lanes", "--lanes", numLanes),
    await clients.contender("echo", "--what", "echo", ...sizes),
  ]);
  const times = rates.served.map((rate, i) => {
    const seconds = numLanes / rate;
    return seconds / (1.1 / rates.echo[i] + numLanes / rates["in-process"][i]);
  });
  return [figure(`bridge/lanes=${numLanes}/step-time-over-echo-and-kernel`, "1", times, "lower", 1)];
}

async function compareOneLane(context: SpeedContext, clients: Clients): Promise<SpeedFigure[]> {
  const rates = await measure(context, "one lane", [
    await clients.contender("served", "--what", "lanes", "--lanes", 1),
    await clients.contender("echo", "--what", "echo"),
  ]);
  return [
    figure("bridge/lanes=1/served", "steps/s", rates.served, "higher"),
    figure("bridge/lanes=1/over-64-byte-echo", "1", ratio(rates.served, rates.echo), "higher", 0.8),
  ];
}

async function compareScore(context: SpeedContext, clients: Clients): Promise<SpeedFigure[]> {
  const rates = await measure(context, "score", [
    await clients.contender("served", "--what", "score"),
    await clients.contender("python", "--what", "reward"),
  ]);
  return [figure("bridge/score/over-python-reward", "1", ratio(rates.served, rates.python), "higher", 20)];
}

async function comparePolicy(context: SpeedContext, clients: Clients): Promise<SpeedFigure[]> {
  const rates = await measure(context, "policy", [
    await clients.contender("one", "--what", "policies", "--lanes", 1024, "--sessions", 1),
    await clients.contender("two", "--what", "policies", "--lanes", 1024, "--sessions", 2),
  ]);
  return [figure("bridge/policy/two-sessions-over-one", "1", ratio(rates.two, rates.one), "higher", 1.8)];
}

/** The same groups and actions without a bridge, one group after another in this thread. */
function inProcess({ wallSeconds }: SpeedContext, numLanes: number, groups: number): Contender {
  const n = numLanes / groups;
  const envs = Array.from({ length: groups }, (_, g) => {
    const env = new BatchEnv({
      scenarios: ["paper-v1"],
      numLanes: n,
      firstLane: g * n,
      autoreset: "same-step",
      invalidActions: "costliest",
    });
    env.reset();
    return env;
  });
  const script = Array.from({ length: SCRIPT }, (_, i) =>
    Int32Array.from({ length: n }, (_, lane) => (i * 5 + lane * 3) % 7),
  );
  let at = 0;
  const run = async (steps: number) => {
    const start = wallSeconds();
    const rounds = Math.ceil(steps / numLanes);
    for (let k = 0; k < rounds; k++, at++) for (const env of envs) env.step(script[at % SCRIPT]);
    return { steps: rounds * numLanes, seconds: wallSeconds() - start };
  };
  return { id: "in-process", run };
}
