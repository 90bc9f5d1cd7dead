/** Steps per second of the kernel at every number of servers and lanes, compared with the machine's floor. */

import { figure, ratio, type SpeedFigure } from "./figures.js";
import { makeFloor } from "./floor.js";
import { type Contender, measure } from "./measure.js";
import { makePlayer, type Play } from "./players.js";
import type { NotMeasured, Section, SpeedContext } from "./section.js";

export const GRID_SERVERS = [3, 6, 12, 32, 128, 512];
export const GRID_LANES = [1, 64, 1024, 8192, 65_536];
/** A cell of the grid that needs more memory is left out. */
const MAX_CELL_BYTES = 3e9;
/** The cell with a goal: the paper's number of servers, and lanes that fit into the cache. */
const GOAL_CELL = "servers=6/lanes=1024/greedy";

export const gridSection: Section = {
  name: "grid",
  description:
    "kernel at 3 to 512 servers and 1 to 65,536 lanes, greedy and random actions, compared with the machine's floor",
  weight: 60,
  async measure(context) {
    const figures: SpeedFigure[] = [];
    const notMeasured: NotMeasured[] = [];
    const rows = GRID_SERVERS.flatMap((numServers) =>
      (["greedy", "random"] as const).map((play) => ({ numServers, play })),
    );
    for (const [i, { numServers, play }] of rows.entries()) {
      const onProgress = (done: number, what: string) => context.onProgress?.((i + done) / rows.length, what);
      const row = await measureRow({ ...context, onProgress }, numServers, play);
      figures.push(...row.figures);
      notMeasured.push(...row.notMeasured);
    }
    return { figures, notMeasured };
  },
};

async function measureRow(context: SpeedContext, numServers: number, play: Play) {
  const scenario = { numServers, users: { perServer: 2 } };
  const contenders: Contender[] = [{ id: "floor", run: makeFloor(numServers) }];
  const figures: SpeedFigure[] = [];
  const notMeasured: NotMeasured[] = [];
  const players = new Map<number, ReturnType<typeof makePlayer>>();
  for (const numLanes of GRID_LANES) {
    const bytes = numLanes * laneBytes(numServers);
    if (bytes > MAX_CELL_BYTES) {
      const reason = `it would take ${(bytes / 1e9).toFixed(1)} GB`;
      notMeasured.push({ id: `grid/servers=${numServers}/lanes=${numLanes}/${play}`, reason, command: null });
      continue;
    }
    const player = makePlayer(scenario, numLanes, play);
    players.set(numLanes, player);
    contenders.push({ id: `${numLanes}`, run: player.run });
  }
  const rates = await measure(context, `${numServers} servers, ${play}`, contenders);
  for (const [numLanes, player] of players) {
    const cell = `servers=${numServers}/lanes=${numLanes}/${play}`;
    const steps = rates[`${numLanes}`];
    figures.push(figure(`grid/${cell}`, "steps/s", steps, "higher"));
    const goal = cell === GOAL_CELL ? 2 : null;
    figures.push(figure(`grid/${cell}/times-floor`, "1", ratio(rates.floor, steps), "lower", goal));
    if (play === "random") {
      figures.push(figure(`grid/${cell}/active-tasks`, "tasks/server", [player.activeTasks()], "lower"));
    }
  }
  return { figures, notMeasured };
}

/** Approximate size of a lane: its servers with their history and observation, and two users for each server. */
function laneBytes(numServers: number): number {
  return numServers * (8 * 13 + 4 * 8 + 2 * 16) + 1000;
}
