/** Template `en-compact-v1`: a short line for each server and no history, for small models. */

import { enV1 } from "./en-v1.js";
import type { Template } from "./template.js";
import { listedServers } from "./template.js";
import { unit } from "./units.js";

export const enCompactV1: Template = {
  id: "en-compact-v1",
  units: {
    data: {
      standard: unit(" kbit", 0, { multiply: 1000 }),
      others: [unit(" Mbit", 3), unit(" kB", 1, { multiply: 125 })],
    },
    rate: {
      standard: unit(" kbps", 0, { multiply: 1000 }),
      others: [unit(" Mbps", 3), unit(" kB/s", 1, { multiply: 125 })],
    },
    cpu: { standard: unit(" MHz", 0, { multiply: 1000 }), others: [unit(" GHz", 3)] },
    density: { standard: unit(" cycles/bit", 0, { multiply: 1000 }), others: [unit(" Gcycles/Mbit", 3)] },
    time: {
      standard: unit(" ms", 0, { multiply: 1000, isSeconds: true }),
      others: [unit(" s", 3, { isSeconds: true })],
    },
  },
  system: enV1.system,
  request: {
    direct: "Local or Server k?",
    reasoning: "Local or Server k? Think, then end with the decision alone on a line.",
  },
  noise: enV1.noise,
  answer: enV1.answer,
  describe: (observation, units) => [
    {
      heading: "",
      isServers: false,
      entries: [
        {
          label: "Task",
          fields: [
            units.factor("data", observation.sizeMbit),
            units.constant("density", observation.densityGcyclesPerMbit),
            `due ${units.constant("time", observation.deadlineSlots)}`,
          ],
        },
        {
          label: "Local",
          fields: [
            units.constant("cpu", observation.localCpuGHz),
            `wait ${units.amount("time", observation.localWaitSlots)}`,
          ],
        },
      ],
    },
    {
      heading: "",
      isServers: true,
      entries: listedServers(observation).map((e) => ({
        label: String(e + 1),
        fields: [
          units.factor("rate", observation.rateMbps[e]),
          units.factor("cpu", observation.cpuGHz[e]),
          `${observation.activeTasks[e]} ${observation.activeTasks[e] === 1 ? "task" : "tasks"}`,
          units.amount("data", observation.workloadMbit[e]),
        ],
      })),
    },
  ],
  assemble: (sections, request) =>
    [
      ...sections.flatMap(({ entries }) =>
        entries.map(({ label, fields }) => (label === "" ? fields[0] : `${label} ${fields.join(" ")}`)),
      ),
      request,
    ].join("\n"),
};
