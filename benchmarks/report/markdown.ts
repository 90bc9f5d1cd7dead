/** Results as Markdown tables, together with the paper's figures. */

import { markdownTable } from "markdown-table";
import type { PolicyResult, Result, SettingResult } from "../../schemas/generated/types.js";
import { oneProfile } from "../metrics/profiles.js";
import type { ReportedRow, Suite } from "../suites/suites.js";
import { interval, type MetricName, mayFail, unstableText } from "./cells.js";
import { renderLoads } from "./loads.js";

interface Column {
  readonly title: string;
  readonly metric: MetricName;
  readonly digits: number;
}

const commonColumns: readonly Column[] = [
  { title: "average latency (slots)", metric: "averageLatencySlots", digits: 3 },
  { title: "drop rate (%)", metric: "dropRatePercent", digits: 2 },
  { title: "performance ratio (%)", metric: "performanceRatioPercent", digits: 2 },
  { title: "load balancing (%)", metric: "loadBalancingIndexPercent", digits: 2 },
  { title: "realised latency (slots)", metric: "realisedLatencySlots", digits: 3 },
  { title: "realised late (%)", metric: "realisedLatePercent", digits: 2 },
  { title: "local (%)", metric: "localSharePercent", digits: 1 },
];

/** Shown if a setting has it. */
const lostColumn = { title: "lost (%)", metric: "lostTaskPercent", digits: 3 } as const;

/** Shown if a policy answers in words, or named an action that cannot be taken. */
const failureColumns: readonly Column[] = [
  { title: "unread answers (%)", metric: "parseFailurePercent", digits: 2 },
  { title: "invalid actions (%)", metric: "invalidActionPercent", digits: 2 },
];

/**
 * The tables of a result: one for each load if the suite compares loads, otherwise one for all settings.
 *
 * @throws MecgymError `mixedProfiles` for a result in another profile than the tables
 */
export function renderTable(suite: Suite, result: Result): string {
  oneProfile([{ profile: "paper" }, result]); // the columns and the paper's figures are in this profile
  return suite.settings.some((setting) => setting.load !== undefined)
    ? renderLoads(suite, result)
    : renderSettings(suite, result);
}

/** One table for all settings: in each setting a row for each policy, then the paper's rows. */
function renderSettings(suite: Suite, result: Result): string {
  const hasLosses = result.settings.some((one) => one.policies.some(({ metrics }) => metrics.lostTaskPercent !== null));
  const hasFailures = result.settings.some((one) => one.policies.some(mayFail));
  const columns = [...commonColumns, ...(hasLosses ? [lostColumn] : []), ...(hasFailures ? failureColumns : [])];
  const rows = result.settings.flatMap((setting) => {
    const reported = suite.settings.find((one) => one.id === setting.id)?.reported ?? [];
    return [
      ...setting.policies.map((policy) => [setting.id, policy.policy.name, ...columns.map((c) => cell(policy, c))]),
      ...reported
        .filter((row) => row.averageLatencySlots !== undefined)
        .map((row) => [setting.id, ...reportedCells(row, columns)]),
    ];
  });
  const header = ["setting", "policy", ...columns.map((column) => column.title)];
  return markdownTable([header, ...rows], { align: ["l", "l", ...columns.map(() => "r")] });
}

/** Means that grow with the episode if a policy is unstable: they do not belong in a table of long episodes. */
const growing: readonly MetricName[] = ["performanceRatioPercent", "realisedLatencySlots"];

function cell(policy: PolicyResult, column: Column): string {
  if (policy.isUnstable) {
    if (column.metric === "averageLatencySlots") return unstableText(policy);
    if (growing.includes(column.metric)) return "";
  }
  return interval(policy.metrics[column.metric], column.digits);
}

function reportedCells(row: ReportedRow, columns: readonly Column[]): string[] {
  return [
    `${row.policy} *reported*`,
    ...columns.map(({ metric, digits }) => {
      const value = (row as unknown as Record<string, number | undefined>)[metric];
      return value === undefined ? "" : value.toFixed(metric === "averageLatencySlots" ? 4 : digits);
    }),
  ];
}

/** How often each action was taken, for suites that report it (Table V). */
function renderActionCounts(suite: Suite, setting: SettingResult): string | undefined {
  const reported = suite.settings.find((one) => one.id === setting.id)?.reported ?? [];
  if (!reported.some((row) => row.actionCounts !== undefined)) return undefined;
  const width = Math.max(...setting.policies.map((policy) => policy.actionCounts.length));
  const header = [
    "policy",
    "local",
    ...Array.from({ length: width - 1 }, (_, e) => `server ${e + 1}`),
    "load balancing (%)",
  ];
  return markdownTable([
    header,
    ...setting.policies.map((policy) => [
      policy.policy.name,
      ...policy.actionCounts.map(String),
      policy.metrics.loadBalancingIndexPercent?.value.toFixed(2) ?? "",
    ]),
    ...reported.map((row) => [
      `${row.policy} *reported*`,
      ...(row.actionCounts ?? []).map(String),
      row.loadBalancingIndexPercent?.toFixed(2) ?? "",
    ]),
  ]);
}

/** The whole page of a result: what was played, the tables, and notes. */
export function renderMarkdown(suite: Suite, result: Result): string {
  const played = result.settings.map(({ id, protocol, scenario, seeds: { first, count } }) => {
    const hash = scenario.hash.slice(0, 12);
    return `- ${id}: scenario \`${scenario.id}\` (${hash}), ${protocol}, seeds ${first} to ${first + count - 1}`;
  });
  const counts = result.settings
    .map((setting) => renderActionCounts(suite, setting))
    .filter((text) => text !== undefined);
  return [
    `# ${suite.id}`,
    suite.description,
    [...played].join("\n"),
    `Figures with 95 % intervals (bootstrap over episodes or states, ${result.resamples} resamples). ` +
      `Profile \`${result.profile}\`, mecgym ${result.packageVersion}.`,
    renderTable(suite, result),
    ...counts,
    suite.notes.map((note) => `- ${note}`).join("\n"),
    "",
  ].join("\n\n");
}
