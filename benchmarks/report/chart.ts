/** A result's average latencies as one static picture for a page. */

import type { PlotOptions } from "@observablehq/plot";
import type { Result } from "../../schemas/generated/types.js";
import type { Suite } from "../suites/suites.js";

interface Point {
  readonly setting: string;
  readonly policy: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const ROW_HEIGHT = 18;
const GAP = 60;

/** @returns an `svg` element: for each setting a row for each policy, ours with intervals, the paper's hollow */
export async function latencyChart(suite: Suite, result: Result): Promise<string> {
  const [Plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  // the mean of an unstable policy grows with the episode: it is no figure
  const ours: Point[] = result.settings.flatMap(({ id, policies }) =>
    policies.flatMap(({ policy, metrics, isUnstable }) =>
      isUnstable || metrics.averageLatencySlots === null
        ? []
        : [{ setting: id, policy: policy.name, ...metrics.averageLatencySlots }],
    ),
  );
  const played = new Set(result.settings.map(({ id }) => id));
  const reported: Point[] = suite.settings.flatMap(({ id, reported: rows }) =>
    rows.flatMap(({ policy, averageLatencySlots: value }) =>
      value === undefined || !played.has(id)
        ? []
        : [{ setting: id, policy: `${policy} (reported)`, value, low: value, high: value }],
    ),
  );
  const names = new Set([...ours, ...reported].map(({ policy }) => policy));
  const options: PlotOptions = {
    document,
    width: 900,
    height: played.size * (names.size * ROW_HEIGHT + 12) + GAP,
    marginLeft: 170,
    marginRight: 150,
    ariaLabel: "Average latency of each policy in each setting; the tables have the same figures",
    // an overloaded policy costs ten times what the others do
    x: { type: "log", label: "average latency (slots)", grid: true },
    y: { label: null, domain: [...names] },
    fy: { label: null, domain: [...played] },
    marks: [
      Plot.ruleY(ours, { fy: "setting", y: "policy", x1: "low", x2: "high", strokeWidth: 2 }),
      Plot.dot(ours, { fy: "setting", y: "policy", x: "value", fill: "currentColor", r: 3 }),
      Plot.dot(reported, { fy: "setting", y: "policy", x: "value", stroke: "currentColor", r: 3 }),
    ],
  } as PlotOptions;
  const svg = Plot.plot(options);
  svg.setAttribute("role", "img");
  return svg.outerHTML;
}
