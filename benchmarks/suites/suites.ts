/** The suites: scenarios with their protocols, and the paper's figures to compare with. */

import { checkChoice } from "../../env/checks.js";
import { MecgymError, resolveScenario, type ScenarioInput } from "../../env/index.js";
import type { Result } from "../../schemas/generated/types.js";
import { suggestion } from "../../schemas/nearest.js";
import type { Protocol } from "../metrics/metrics.js";
import { referenceOf } from "../policies/index.js";
import paperTables from "./paper-tables.json" with { type: "json" };

/** One scenario under one protocol. */
export interface Setting {
  readonly id: string;
  /** Id of a frozen scenario; the fields of one in a suite of one's own scenarios. */
  readonly scenario: string | ScenarioInput;
  readonly protocol: Protocol;
  /** Replaces the size of the current task in every state, Mbit (Table III). */
  readonly fixedSizeMbit?: number;
  /** Settings with the same load share a table. */
  readonly load?: string;
  /** Episodes or states played by default, if not the protocol's usual number. */
  readonly episodes?: number;
  /** Native policy that foresight is measured by: the best one on validation seeds that does not see the future. */
  readonly reference?: string;
  /** The paper's figures for this setting. */
  readonly reported: readonly ReportedRow[];
}

/** A row of a table of the paper; figures that the table does not have are undefined. */
export interface ReportedRow {
  readonly policy: string;
  readonly averageLatencySlots?: number | undefined;
  readonly dropRatePercent?: number | undefined;
  readonly performanceRatioPercent?: number | undefined;
  readonly loadBalancingIndexPercent?: number | undefined;
  /** Local, then each server (Table V). */
  readonly actionCounts?: readonly number[] | undefined;
}

export interface Suite {
  readonly id: string;
  readonly description: string;
  readonly settings: readonly Setting[];
  /** What a reader must know about the reported figures. */
  readonly notes: readonly string[];
}

/** A suite of this package: its scenarios are frozen ones, known by id. */
export interface NamedSuite extends Suite {
  readonly settings: readonly (Setting & { readonly scenario: string })[];
}

/** Numbers of test seeds that a suite plays by default: episodes, or states of the static protocol. */
export const DEFAULT_EPISODES: Readonly<Record<Protocol, number>> = { static: 1000, episodic: 200 };

const { tableII, tableIII, tableIV, tableV } = paperTables;

const STATIC_NOTE =
  "The paper's figures are reported, not computed here; its tables answer recorded states, so they are shown next to " +
  "the static protocol.";

const table2: NamedSuite = {
  id: "paper-table-2",
  description: "The default setting, 6 servers (Table II).",
  settings: [
    {
      id: "static",
      scenario: "paper-v1",
      protocol: "static",
      reported: Object.entries(tableII.rows).map(([policy, [latency, drops, ratio, balance]]) => ({
        policy,
        averageLatencySlots: latency,
        dropRatePercent: drops,
        performanceRatioPercent: ratio,
        loadBalancingIndexPercent: balance,
      })),
    },
    { id: "episodic", scenario: "paper-v1", protocol: "episodic", reported: [] },
  ],
  notes: [
    STATIC_NOTE,
    "Table II is headed 6 servers, but its load balancing indices are those of Table V (11 servers) to the digit, " +
      "and its drop rates, DQN's apart, are multiples of 1/306, although the text says 1000 test samples.",
    "DQN's average latency of 3.3966 with 4.35 % late tasks cannot be if each late task costs more than deadline " +
      "plus penalty, 20 slots.",
    "The static load balancing index pools states whose capacities are redrawn, which hides imbalance.",
  ],
};

const table3: NamedSuite = {
  id: "paper-table-3",
  description: "Task sizes of 2, 4, 6, 8 and 10 Mbit on states of the default load (Table III).",
  settings: tableIII.taskSizeMbit.map((sizeMbit, i) => ({
    id: `${sizeMbit}-mbit`,
    scenario: "paper-v1",
    protocol: "static" as const,
    fixedSizeMbit: sizeMbit,
    reported: Object.entries(tableIII.rows).map(([policy, cells]) => ({
      policy,
      averageLatencySlots: cells[i][0],
      dropRatePercent: cells[i][1],
    })),
  })),
  notes: [
    STATIC_NOTE,
    "Table III grows linearly with the size, which closed-loop queues cannot do: it is a static evaluation, and " +
      "only the current task's size is replaced here.",
  ],
};

const table4: NamedSuite = {
  id: "paper-table-4",
  description: "3, 5, 7, 9 and 11 servers (Table IV).",
  settings: tableIV.servers.flatMap((numServers, i) => [
    {
      id: `${numServers}-servers-static`,
      scenario: `paper-${numServers}-servers-v1`,
      protocol: "static" as const,
      reported: Object.entries(tableIV.rows).map(([policy, cells]) => ({
        policy,
        averageLatencySlots: cells[i][0],
        dropRatePercent: cells[i][1],
        performanceRatioPercent: cells[i][2],
      })),
    },
    {
      id: `${numServers}-servers-episodic`,
      scenario: `paper-${numServers}-servers-v1`,
      protocol: "episodic" as const,
      reported: [],
    },
  ]),
  notes: [STATIC_NOTE],
};

const table5: NamedSuite = {
  id: "paper-table-5",
  description: "How often each action was taken at 11 servers (Table V).",
  settings: [
    {
      id: "static",
      scenario: "paper-11-servers-v1",
      protocol: "static",
      reported: Object.entries(tableV.rows).map(([policy, row]) => ({
        policy,
        actionCounts: row.slice(0, -1),
        loadBalancingIndexPercent: row[row.length - 1],
      })),
    },
  ],
  notes: [
    STATIC_NOTE,
    "The rows of Table V sum to 306 (SFT-1.5B: 260). Its Random falls from 59 local tasks to 3 on server 11, " +
      "which is not uniform over 12 actions but what a mixture of topologies gives.",
    "Recomputed from the counts, the load balancing indices of SFT-7B (41.39, printed 42.60) and SFT-1.5B (58.67, " +
      "printed 46.82) differ; the other five agree.",
  ],
};

const LOADS = ["paper", "load-18-users", "load-24-users", "load-30-users", "size-6-mbit", "size-8-mbit", "bursty"];

/** Lengths of episodes, and how many of each settle the signs in a reasonable time. */
const LENGTHS = [
  { ending: "", episodes: 400 },
  { ending: "-long", episodes: 40 },
];

/** The reference of a scenario, if one was chosen. */
function withReference(scenario: string): Pick<Setting, "reference"> {
  const reference = referenceOf(scenario);
  return reference === undefined ? {} : { reference };
}

const foresight: NamedSuite = {
  id: "foresight",
  description: "Higher loads over 100 and 1,000 slots: what it costs to look only at the present.",
  settings: LOADS.flatMap((load) =>
    LENGTHS.map(({ ending, episodes }) => ({
      id: `${load}${ending}`,
      scenario: `${load}${ending}-v1`,
      protocol: "episodic" as const,
      load,
      episodes,
      ...withReference(`${load}${ending}-v1`),
      reported: [],
    })),
  ),
  notes: [
    "Under overload a cost without its length says nothing: eq. 9 serves more slowly the more tasks wait, so a bad " +
      "stretch can tip a queue into a collapse it does not leave, and costs grow with the episode.",
    "An episode of 1,000 slots has collapsed if more than 5 % of its tasks are unfinished at its end. A " +
      "policy of which more than 5 % of the episodes collapse is unstable: no long-run mean exists, and none is shown.",
    "A sign is certain if the paired 95 % interval of the difference to the oracle excludes 0, otherwise open.",
    "Foresight is 0 for the oracle and 1 for the reference policy, by average latency at this length; it is given " +
      "if the oracle costs significantly more than the reference.",
  ],
};

const scale: NamedSuite = {
  id: "scale",
  description: "32 and 128 servers.",
  settings: [32, 128].map((numServers) => ({
    id: `${numServers}-servers`,
    scenario: `scale-${numServers}-servers-v1`,
    protocol: "episodic" as const,
    reported: [],
  })),
  notes: ["The paper reports no figures beyond 11 servers."],
};

const churn: NamedSuite = {
  id: "churn",
  description: "Servers that leave and return, over 100 and 1,000 slots.",
  settings: [
    { id: "paper", scenario: "churn-v1" },
    { id: "paper-long", scenario: "churn-long-v1" },
    { id: "load-24-users-long", scenario: "churn-24-users-long-v1" },
  ].map((setting) => ({
    ...setting,
    ...withReference(setting.scenario),
    protocol: "episodic" as const,
    reported: [],
  })),
  notes: [
    "A server leaves with probability 0.005 a slot and returns with 0.05, whatever the policy does; what it held is " +
      "lost. A lost task that was in time so far costs the penalty and counts as late.",
    "Losses fall on a policy that keeps many tasks on the servers at a time; no policy here expects them.",
  ],
};

export const suites: readonly NamedSuite[] = [table2, table3, table4, table5, foresight, scale, churn];

/** Id of the suite that is made from one's own scenarios. */
export const OWN_SUITE = "own";

/**
 * A suite of one's own scenarios: episodes of each of them. Settings have the scenarios' ids; of several scenarios with
 * one id, the later ones are numbered.
 *
 * @throws MecgymError `unknownScenario`, `invalidScenario`, `invalidOption` if there are none
 */
export function ownSuite(scenarios: readonly (string | ScenarioInput)[]): Suite {
  if (scenarios.length === 0) {
    throw new MecgymError("invalidOption", { path: "scenarios", got: scenarios, expected: "at least one scenario" });
  }
  const settings = scenarios.map((one) => resolveScenario(one)).map((scenario) => ({ id: scenario.id, scenario }));
  for (const [i, setting] of settings.entries()) {
    const isTaken = (id: string) => settings.findIndex((other) => other.id === id) < i;
    for (let n = 2; isTaken(setting.id); n++) setting.id = `${setting.scenario.id}-${n}`;
  }
  return ownSuiteOf(settings);
}

function ownSuiteOf(settings: readonly Pick<Setting, "id" | "scenario">[]): Suite {
  return {
    id: OWN_SUITE,
    description: "Scenarios that the user gave; the result holds each of them whole.",
    settings: settings.map(({ id, scenario }) => ({ id, scenario, protocol: "episodic", reported: [] })),
    notes: ["`priced` has the toll that was tuned for a scenario with the same content, or else 1 slot."],
  };
}

/**
 * The suite of a result. That of one's own scenarios follows from the scenarios in it.
 *
 * @throws MecgymError `unknownSuite`, `invalidRecord` if a scenario is missing or is not one
 */
export function suiteOfResult({ suite, settings }: Result): Suite {
  if (suite !== OWN_SUITE) return findSuite(suite);
  const own = settings.map(({ id, scenario: { fields } }, i) => {
    const path = `/settings/${i}/scenario/fields`;
    const expected = `the fields of the scenario, as every setting of suite ${OWN_SUITE} has them`;
    if (fields === undefined) throw new MecgymError("invalidRecord", { path, expected, got: fields });
    try {
      return { id, scenario: resolveScenario(fields as ScenarioInput) };
    } catch (error) {
      if (!(error instanceof MecgymError)) throw error;
      throw new MecgymError("invalidRecord", { ...error, path: path + error.path });
    }
  });
  return ownSuiteOf(own);
}

/** @throws MecgymError `unknownSuite` */
export function findSuite(id: string): NamedSuite {
  const suite = suites.find((one) => one.id === id);
  if (suite === undefined) {
    const ids = suites.map((one) => one.id);
    const expected = `one of ${ids.join(", ")}${suggestion(id, ids)}; your own scenario goes in as \`scenario\``;
    throw new MecgymError("unknownSuite", { path: "suite", got: id, expected });
  }
  return suite;
}

/** Episodes or states that each setting of a suite plays; `episodes` replaces the suite's own numbers. */
export function countsOf(suite: Suite, episodes: number | undefined): number[] {
  return suite.settings.map((setting) => episodes ?? setting.episodes ?? DEFAULT_EPISODES[setting.protocol]);
}

/**
 * A suite with some of its settings only; all of them if none are named.
 *
 * @param path names the ids in errors
 * @throws MecgymError `invalidOption` for an unknown setting
 */
export function withSettings(suite: Suite, ids: readonly string[] | undefined, path: string): Suite {
  if (ids === undefined) return suite;
  const known = suite.settings.map((setting) => setting.id);
  for (const id of ids) checkChoice(id, path, known);
  return { ...suite, settings: suite.settings.filter((setting) => ids.includes(setting.id)) };
}
