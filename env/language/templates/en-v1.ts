/** Template `en-v1`, the default: English, with a line for each server and its recent load. */

import type { Observation } from "../../batch/observation.js";
import type { Template } from "./template.js";
import { listedServers } from "./template.js";
import { unit } from "./units.js";

/** W: slots of the queue history. */
const historySlotsOf = ({ workloadHistoryMbit }: Observation) => workloadHistoryMbit[0]?.length ?? 0;

export const enV1: Template = {
  id: "en-v1",
  units: {
    data: {
      standard: unit(" Mbit", 3),
      others: [
        unit(" kbit", 0, { multiply: 1000, historyDecimals: 0 }),
        unit(" kB", 1, { multiply: 125, historyDecimals: 0 }),
        unit(" MB", 4, { divide: 8, historyDecimals: 2 }),
      ],
    },
    rate: {
      standard: unit(" Mbit/s", 3),
      others: [
        unit(" kbit/s", 0, { multiply: 1000 }),
        unit(" kB/s", 1, { multiply: 125 }),
        unit(" MB/s", 4, { divide: 8 }),
      ],
    },
    cpu: { standard: unit(" GHz", 3), others: [unit(" MHz", 0, { multiply: 1000 })] },
    density: { standard: unit(" Gcycles/Mbit", 3), others: [unit(" cycles/bit", 0, { multiply: 1000 })] },
    time: {
      standard: unit(" slots", 3),
      others: [unit(" ms", 1, { multiply: 1000, isSeconds: true }), unit(" s", 4, { isSeconds: true })],
    },
  },
  system: "You decide where tasks of a mobile edge computing system run.",
  request: {
    direct: 'Where does the task finish soonest? Answer with the decision alone: "Local" or "Server k".',
    reasoning:
      "Where does the task finish soonest? " +
      'Work it out, then end with the decision alone on a line: "Local" or "Server k".',
  },
  // three tokens each: with three of them, a prompt with 6 servers stays below 600 tokens
  noise: [
    "It rains.",
    "Dogs bark.",
    "Phones ring.",
    "Lights hum.",
    "Leaves fall.",
    "Fans spin.",
    "Snow falls.",
    "Wind blows.",
    "Cats sleep.",
    "Music plays.",
    "Grass grows.",
    "Flags wave.",
  ],
  answer: (action) => (action === 0 ? "Local" : `Server ${action}`),
  describe: (observation, units) => [
    {
      heading: "Task:",
      isServers: false,
      entries: [
        { label: "size", fields: [units.factor("data", observation.sizeMbit)] },
        { label: "computation", fields: [units.constant("density", observation.densityGcyclesPerMbit)] },
        { label: "deadline", fields: [units.constant("time", observation.deadlineSlots)] },
        { label: "penalty if late", fields: [units.constant("time", observation.penaltySlots)] },
        { label: "slot length", fields: [slotLength(observation.slotSeconds, units.symbol("time"))] },
      ],
    },
    {
      heading: "Local device:",
      isServers: false,
      entries: [
        { label: "CPU", fields: [units.constant("cpu", observation.localCpuGHz)] },
        { label: "wait", fields: [units.amount("time", observation.localWaitSlots)] },
      ],
    },
    {
      heading: `Servers (history: queue in the last ${historySlotsOf(observation)} slots, oldest first):`,
      isServers: true,
      entries: listedServers(observation).map((e) => ({
        label: `Server ${e + 1}`,
        fields: [
          `uplink ${units.factor("rate", observation.rateMbps[e])}`,
          `CPU ${units.factor("cpu", observation.cpuGHz[e])}`,
          `${observation.activeTasks[e]} ${observation.activeTasks[e] === 1 ? "task" : "tasks"}`,
          `queue ${units.amount("data", observation.workloadMbit[e])}`,
          `history [${units.history(observation.workloadHistoryMbit[e]).join(" ")}]${units.symbol("data")}`,
        ],
      })),
    },
  ],
  assemble: (sections, request) => {
    const blocks = sections.map(({ heading, entries }) => {
      const lines = entries.map(({ label, fields }) => (label === "" ? fields[0] : `${label}: ${fields.join(", ")}`));
      return [heading, ...lines].join("\n");
    });
    return [
      "A task runs on the local device or on one server, which shares its CPU equally among its tasks.",
      ...blocks,
      request,
    ].join("\n\n");
  },
};

/** Δt in seconds, or in milliseconds if the other times are. */
function slotLength(slotSeconds: number, timeSymbol: string): string {
  const isMilliseconds = timeSymbol === " ms";
  const value = isMilliseconds ? slotSeconds * 1000 : slotSeconds;
  return `${Number(value.toPrecision(12))} ${isMilliseconds ? "ms" : "s"}`;
}
