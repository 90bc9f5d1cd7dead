/** The golden trajectories and how to play them, simple enough to implement in any language. */

import { BatchEnv, type ScenarioInput, TrajectoryDigest } from "../../env/index.js";

/**
 * How a golden trajectory chooses its actions.
 *
 * - `cheapest`: the smallest costSlots of the look-ahead; the lowest index wins ties
 * - `cycle`: (decisionIndex·7) mod (numServers + 1), which is always the device with 6 servers
 * - `in-turn`: decisionIndex mod (numServers + 1)
 * - `out-of-range`: 99 if decisionIndex is a multiple of 10, else as `cycle`
 *
 * The costliest action replaces one that does not exist or whose server is absent.
 */
export type GoldenRule = "cheapest" | "cycle" | "in-turn" | "out-of-range";

export interface GoldenTrajectory {
  readonly name: string;
  /** Id of a frozen scenario, or the fields of one. */
  readonly scenario: string | ScenarioInput;
  readonly seeds: readonly number[];
  readonly rule: GoldenRule;
  /**
   * Trajectory digest of all seeds in order, observations without history and padded to the scenario's most servers.
   */
  readonly digest: string;
  /** Number of decisions in all episodes. */
  readonly numSteps: number;
}

const seeds = [2_000_000, 2_000_001, 2_000_002];

const scenarios: Record<string, string | ScenarioInput> = {
  paper: "paper-v1",
  "random-size": { numServers: { min: 3, max: 11 }, episodeSlots: 60 },
  "poisson-work-conserving": {
    numServers: [2, 4, 8],
    users: { count: 6 },
    arrivals: { process: "poisson", ratePerSlot: 0.7 },
    service: "work-conserving",
    episodeSlots: 40,
  },
  overload: {
    numServers: 3,
    users: { perServer: 4 },
    serverCpuGHz: [10, 20, 30],
    taskSizeMbit: { min: 4, max: 4 },
    arrivals: { process: "bernoulli", probability: 0.9 },
    deadlineSlots: 5,
    deadlinePenaltySlots: 20,
    episodeSlots: 50,
  },
  "one-server-no-floor": {
    numServers: 1,
    users: { count: 3 },
    uplink: { meanRateMbps: 20, meanSnrDb: 5, minRateMbps: 0 },
    slotSeconds: 0.25,
    episodeSlots: 80,
  },
  quiet: {
    numServers: 4,
    users: { count: 2 },
    arrivals: { process: "bernoulli", probability: 0.01 },
    localCpuGHz: 0.5,
    densityGcyclesPerMbit: 1.1,
    episodeSlots: 300,
  },
  bursty: {
    numServers: { min: 2, max: 7 },
    users: { perServer: 3 },
    arrivals: {
      process: "bursty",
      busyProbability: 0.7,
      quietProbability: 0.1,
      meanBusySlots: 6,
      meanQuietSlots: 12,
    },
    episodeSlots: 60,
  },
  churn: {
    numServers: [3, 5],
    users: { perServer: 4 },
    churn: { leaveProbability: 0.05, returnProbability: 0.2 },
    episodeSlots: 60,
  },
};

const rules: readonly GoldenRule[] = ["cheapest", "cycle"];

/** Every golden trajectory, without its expected results. */
export function listGolden(): Omit<GoldenTrajectory, "digest" | "numSteps">[] {
  const list = Object.entries(scenarios).flatMap(([name, scenario]) =>
    rules.map((rule) => ({ name: `${name}/${rule}`, scenario, seeds, rule })),
  );
  for (const rule of ["in-turn", "out-of-range"] as const) {
    list.push({ name: `paper/${rule}`, scenario: "paper-v1", seeds, rule });
  }
  return list;
}

function choose(rule: GoldenRule, env: BatchEnv, decisionIndex: number): number {
  if (rule === "cheapest") {
    const { costSlots } = env.lookAhead(0);
    return costSlots.indexOf(Math.min(...costSlots));
  }
  if (rule === "out-of-range" && decisionIndex % 10 === 0) return 99;
  if (rule === "in-turn") return decisionIndex % (env.outputs.numServers[0] + 1);
  return (decisionIndex * 7) % (env.outputs.numServers[0] + 1);
}

/** Plays a golden trajectory. */
export function playGolden({ scenario, seeds: episodes, rule }: Pick<GoldenTrajectory, "scenario" | "seeds" | "rule">) {
  const env = new BatchEnv({ scenarios: [scenario], numLanes: 1, invalidActions: "costliest" });
  const digest = new TrajectoryDigest();
  let numSteps = 0;
  for (const seed of episodes) {
    env.reset([seed]);
    for (let decisionIndex = 0; decisionIndex === 0 || env.numFinal === 0; decisionIndex++) {
      const observation = env.observation.slice();
      env.step([choose(rule, env, decisionIndex)]);
      digest.addStep(observation, env.executedAction[0], env.latencySlots[0], env.costSlots[0]);
      numSteps++;
    }
    digest.endEpisode(seed);
  }
  return { digest: digest.digest(), numSteps };
}
