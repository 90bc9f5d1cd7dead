/** Speed of the kernel relative to hand-written NumPy and JAX versions of the same model. */

import { join } from "node:path";
import { figure, ratio, type SpeedFigure } from "./figures.js";
import { makeFloor } from "./floor.js";
import { type Contender, measure } from "./measure.js";
import { PeerProcess, startPeer } from "./peer-process.js";
import { makePlayer, type Play } from "./players.js";
import type { NotMeasured, Section, SpeedContext } from "./section.js";

type PeerName = "numpy" | "jax";

interface Peer {
  readonly name: PeerName;
  /** Folder of its Python environment in a clone, and the command that makes it. */
  readonly environment: string;
  readonly command: string;
  /** How many times as fast the kernel should be with greedy actions. */
  readonly goal: number;
}

const peers: readonly Peer[] = [
  { name: "numpy", environment: ".venv", command: "node scripts/setup.mjs", goal: 8 },
  { name: "jax", environment: join(".setup", "venv-jax"), command: "node scripts/extras.mjs jax", goal: 15 },
];

interface Setting {
  readonly numLanes: number;
  readonly play: Play;
  /** Peers that reach the setting within minutes. */
  readonly peers: readonly PeerName[];
}

const settings: readonly Setting[] = [
  { numLanes: 1024, play: "greedy", peers: ["numpy", "jax"] },
  { numLanes: 8192, play: "greedy", peers: ["numpy", "jax"] },
  { numLanes: 1024, play: "random", peers: ["numpy", "jax"] },
  { numLanes: 8192, play: "random", peers: ["numpy"] },
];

export const peersSection: Section = {
  name: "peers",
  description: "kernel ÷ hand-written NumPy and JAX versions (benchmarks/peers) on one core, greedy and random actions",
  weight: 25,
  async measure(context) {
    const figures: SpeedFigure[] = [];
    const notMeasured: NotMeasured[] = [];
    const versions: Record<string, unknown> = {};
    for (const [i, setting] of settings.entries()) {
      const onProgress = (done: number, what: string) => context.onProgress?.((i + done) / settings.length, what);
      const result = await measureSetting({ ...context, onProgress }, setting);
      figures.push(...result.figures);
      notMeasured.push(...result.notMeasured);
      Object.assign(versions, result.versions);
    }
    return { figures, notMeasured, conditions: { peers: versions } };
  },
};

async function measureSetting(context: SpeedContext, { numLanes, play, peers: names }: Setting) {
  const figures: SpeedFigure[] = [];
  const notMeasured: NotMeasured[] = [];
  const versions: Record<string, unknown> = {};
  const setting = `lanes=${numLanes}/${play}`;
  const running = new Map<Peer, PeerProcess>();
  const contenders: Contender[] = [
    { id: "kernel", run: makePlayer("paper-v1", numLanes, play).run },
    { id: "floor", run: makeFloor(6) },
  ];
  try {
    for (const peer of peers.filter(({ name }) => names.includes(name))) {
      context.onProgress?.(0, `${peer.name}, ${setting}, setting up`);
      const { name, environment, command } = peer;
      const options = ["--peer", name, "--lanes", numLanes, "--policy", play];
      const started = await startPeer(context.root, { script: "run_peer.py", environment, command }, options);
      if (!(started instanceof PeerProcess)) {
        notMeasured.push({ id: `peers/${setting}/over-${peer.name}`, ...started });
        continue;
      }
      running.set(peer, started);
      versions[peer.name] = started.versions;
      const run = async (steps: number) => {
        // the time of all its threads, so that a peer pays for a second core
        const { steps: played, cpuSeconds } = await started.run(steps);
        return { steps: played, seconds: cpuSeconds };
      };
      contenders.push({ id: peer.name, run });
    }
    const rates = await measure(context, setting, contenders);
    figures.push(figure(`peers/${setting}/kernel`, "steps/s", rates.kernel, "higher"));
    for (const { name, goal } of running.keys()) {
      const id = `peers/${setting}/over-${name}`;
      figures.push(figure(`peers/${setting}/${name}`, "steps/s", rates[name], "higher"));
      figures.push(figure(id, "1", ratio(rates.kernel, rates[name]), "higher", play === "greedy" ? goal : null));
      // an upper bound for the kernel: a step with nothing but its draws and logarithms
      if (name === "numpy" && play === "greedy") {
        figures.push(figure(`peers/${setting}/floor-over-${name}`, "1", ratio(rates.floor, rates[name]), "higher"));
      }
    }
  } catch (error) {
    // a failing peer ends its setting, but not the others
    notMeasured.push({ id: `peers/${setting}`, reason: (error as Error).message, command: null });
  } finally {
    await Promise.all([...running.values()].map((peer) => peer.close()));
  }
  return { figures, notMeasured, versions };
}
