/** Calibration: the oracle's cost by number of servers and task size, compared with what the paper's tables imply. */

import {
  BatchEnv,
  checkSeed,
  copyObservation,
  FLAG_TRUNCATED,
  LaneView,
  observedCostSlots,
  resolveScenario,
} from "../../env/index.js";
import type { Estimate } from "../figures.js";
import { estimate, ResamplePlan } from "../metrics/statistics.js";
import { oracle } from "../policies/index.js";
import paperTables from "../suites/paper-tables.json" with { type: "json" };

/** One figure of the calibration. */
export interface CalibrationRow {
  /** Such as `oracle/servers=6/latency`. */
  readonly id: string;
  readonly unit: "slots" | "%" | "1";
  readonly estimate: Estimate;
  /** The value that the paper's tables imply; undefined if they imply none. */
  readonly paper: number | undefined;
  /** How it follows from them. */
  readonly paperSource: string | undefined;
}

/** Sums over an episode's decisions. */
interface EpisodeSums {
  count: number;
  oracle: number;
  random: number;
  randomLate: number;
  /** The oracle's cost if the task had the size, for each of `SIZES_MBIT`. */
  bySize: number[];
}

const SERVERS = [3, 5, 6, 7, 9, 11];
const SIZES_MBIT = paperTables.tableIII.taskSizeMbit;

/** Episodes that `calibrate` plays, which is `episodes` for each number of servers. */
export function numCalibrationEpisodes(episodes: number): number {
  return SERVERS.length * episodes;
}

/**
 * Plays the oracle at each number of servers.
 *
 * Random's figures are exact expectations over its E+1 equally likely actions on the states the oracle visits, and the
 * sizes replace the current task's size in those states. Neither needs draws of its own.
 */
export function* calibrate(episodes: number, firstSeed: number): Generator<"episode", CalibrationRow[]> {
  checkSeed(firstSeed + episodes - 1, "--seed");
  const rows: CalibrationRow[] = [];
  for (const numServers of SERVERS) {
    const sums: EpisodeSums[] = [];
    for (let i = 0; i < episodes; i++) {
      sums.push(playEpisode(numServers, firstSeed + i));
      yield "episode";
    }
    const plan = new ResamplePlan(`calibrate/servers=${numServers}`, episodes);
    const mean = (of: (one: EpisodeSums) => number, scale = 1): Estimate => {
      const above = sums.map(of);
      return estimate(plan, (weights) => {
        let sum = 0;
        let count = 0;
        for (let i = 0; i < above.length; i++) {
          sum += weights[i] * above[i];
          count += weights[i] * sums[i].count;
        }
        return (scale * sum) / count;
      });
    };
    const id = `servers=${numServers}`;
    const latency = mean((one) => one.oracle);
    const implied = impliedOracle(numServers);
    rows.push({
      id: `oracle/${id}/latency`,
      unit: "slots",
      estimate: latency,
      paper: implied,
      paperSource: "COMLLM's PR × AL",
    });
    rows.push({
      id: `oracle/${id}/ratio`,
      unit: "1",
      estimate: { value: latency.value / implied, low: latency.low / implied, high: latency.high / implied },
      paper: undefined,
      paperSource: undefined,
    });
    const paperRandom = numServers === 6 ? paperTables.tableII.rows.Random : undefined;
    rows.push({
      id: `random-one-step/${id}/latency`,
      unit: "slots",
      estimate: mean((one) => one.random),
      paper: paperRandom?.[0],
      paperSource: "Table II, Random",
    });
    rows.push({
      id: `random-one-step/${id}/late`,
      unit: "%",
      estimate: mean((one) => one.randomLate, 100),
      paper: paperRandom?.[1],
      paperSource: "Table II, Random",
    });
    if (numServers !== 6) continue;
    for (const [s, sizeMbit] of SIZES_MBIT.entries()) {
      rows.push({
        id: `oracle/size=${sizeMbit}/latency`,
        unit: "slots",
        estimate: mean((one) => one.bySize[s]),
        paper: (paperTables.tableIII.rows.COMLLM[s][0] * paperTables.tableII.rows.COMLLM[2]) / 100,
        paperSource: "COMLLM's AL × its PR at 6 servers",
      });
    }
  }
  return rows;
}

/** The oracle's average latency that the paper's COMLLM row implies: its performance ratio times its latency. */
function impliedOracle(numServers: number): number {
  const column = paperTables.tableIV.servers.indexOf(numServers);
  const [latency, , ratio] = column === -1 ? paperTables.tableII.rows.COMLLM : paperTables.tableIV.rows.COMLLM[column];
  return (latency * ratio) / 100;
}

function playEpisode(numServers: number, seed: number): EpisodeSums {
  const scenario = numServers === 6 ? "paper-v1" : { ...resolveScenario("paper-v1"), numServers };
  const batch = new BatchEnv({ scenarios: [scenario], numLanes: 1 });
  const view = new LaneView(batch.lanes, 0);
  const sums: EpisodeSums = { count: 0, oracle: 0, random: 0, randomLate: 0, bySize: SIZES_MBIT.map(() => 0) };
  batch.reset([seed]);
  do {
    const action = oracle(view);
    sums.count += 1;
    sums.oracle += observedCostSlots(view, action);
    let cost = 0;
    let late = 0;
    for (let a = 0; a <= numServers; a++) {
      const one = observedCostSlots(view, a);
      cost += one;
      if (one > view.deadlineSlots) late += 1;
    }
    sums.random += cost / (numServers + 1);
    sums.randomLate += late / (numServers + 1);
    if (numServers === 6) {
      const visited = copyObservation(view);
      for (const [s, sizeMbit] of SIZES_MBIT.entries()) {
        const state = { ...visited, sizeMbit };
        sums.bySize[s] += observedCostSlots(state, oracle(state));
      }
    }
    batch.step([action]);
  } while ((batch.flags[0] & FLAG_TRUNCATED) === 0);
  return sums;
}
