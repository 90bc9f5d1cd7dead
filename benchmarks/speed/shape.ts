/** How a step's time depends on users, slots played, and the length of queues. */

import type { ScenarioInput } from "../../env/index.js";
import { figure, ratio } from "./figures.js";
import { measure } from "./measure.js";
import { makePlayer } from "./players.js";
import type { Section } from "./section.js";

const LANES = 1024;
/** Lengths of episodes under random play, whose queues grow until the episode ends. */
const RANDOM_SLOTS = [25, 50, 100, 200, 400, 1000];

/** Stable play at one load: more users with proportionally fewer tasks each, and longer episodes. */
const stable: Record<string, string | ScenarioInput> = {
  base: "paper-v1",
  "users=48": { users: { count: 48 }, arrivals: { process: "bernoulli", probability: 0.3 / 4 } },
  "users=192": { users: { count: 192 }, arrivals: { process: "bernoulli", probability: 0.3 / 16 } },
  "slots=1000": "paper-long-v1",
};

export const shapeSection: Section = {
  name: "shape",
  description: "time of a step against users, slots played, and the length of queues under random play",
  weight: 8,
  async measure(context) {
    const steady = Object.entries(stable).map(([id, scenario]) => ({ id, ...makePlayer(scenario, LANES, "greedy") }));
    const random = RANDOM_SLOTS.map((slots) => ({
      id: `random/slots=${slots}`,
      ...makePlayer({ episodeSlots: slots }, LANES, "random"),
    }));
    const rates = await measure(context, "users, slots, queues", [...steady, ...random]);
    const nanoseconds = (id: string) => rates[id].map((rate) => 1e9 / rate);
    const stableFigures = Object.keys(stable)
      .filter((id) => id !== "base")
      .map((id) => figure(`shape/greedy/${id}/time`, "1", ratio(rates.base, rates[id]), "lower"));
    const randomFigures = random.flatMap(({ id, activeTasks }) => [
      figure(`shape/${id}/time`, "ns/step", nanoseconds(id), "lower"),
      figure(`shape/${id}/active-tasks`, "tasks/server", [activeTasks()], "lower"),
    ]);
    return { figures: [...stableFigures, ...randomFigures] };
  },
};
