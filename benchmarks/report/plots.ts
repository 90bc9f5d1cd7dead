/** Static plots of a result, as SVG: costs by load, percentiles, where tasks went, foresight, performance profiles. */

import type { PlotOptions } from "@observablehq/plot";
import type { PolicyResult, Result, SettingResult } from "../../schemas/generated/types.js";
import type { Suite } from "../suites/suites.js";

/** A plot with the sentence that says what it shows. */
export interface Picture {
  readonly caption: string;
  /** An `svg` element. */
  readonly svg: string;
  /** The policies with the colours of their lines; empty if rows are named in the plot. */
  readonly legend: readonly { readonly name: string; readonly colour: string }[];
}

/** Okabe and Ito's colours, which most eyes can tell apart, on light and on dark ground. */
const COLOURS = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#8c6bb1", "#7f7f7f"];
const WIDTH = 900;
const ROW_HEIGHT = 20;
/** Settings that a performance profile needs at least. */
const MIN_PROFILED_SETTINGS = 3;

/** Every plot that the result has figures for. */
export async function plotsOf(suite: Suite, result: Result): Promise<Picture[]> {
  const [Plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const draw = (label: string, options: Omit<PlotOptions, "document">): string => {
    const svg = Plot.plot({ width: WIDTH, ...options, document, ariaLabel: label } as PlotOptions);
    svg.setAttribute("role", "img");
    return svg.outerHTML;
  };
  const names = [...new Set(result.settings.flatMap(({ policies }) => policies.map(({ policy }) => policy.name)))];
  const colour = { domain: names, range: names.map((_, i) => COLOURS[i % COLOURS.length]) };
  const legend = names.map((name, i) => ({ name, colour: COLOURS[i % COLOURS.length] }));
  const rowsOf = <T>(make: (setting: SettingResult, policy: PolicyResult) => T[]) =>
    result.settings.flatMap((setting) => setting.policies.flatMap((policy) => make(setting, policy)));
  const heightOf = (settings: number) => 60 + settings * (names.length * ROW_HEIGHT + 12);
  const pictures: Picture[] = [];

  const loadOf = (id: string) => suite.settings.find((one) => one.id === id)?.load;
  const byLoad = rowsOf(({ id, episodeSlots }, { policy, metrics, isUnstable }) => {
    const load = loadOf(id);
    const cost = metrics.averageLatencySlots;
    if (load === undefined || cost === null) return [];
    return [{ load, slots: `${episodeSlots} slots`, policy: policy.name, isUnstable: isUnstable === true, ...cost }];
  });
  if (byLoad.length > 0) {
    const stable = byLoad.filter((row) => !row.isUnstable);
    pictures.push({
      caption:
        "Average latency by load. A bar is the 95 % interval. A cross is a policy that collapses there: its average " +
        "grows with the episode.",
      legend,
      svg: draw("Average latency of each policy at each load", {
        height: 300,
        marginLeft: 60,
        x: { type: "point", label: null, domain: [...new Set(byLoad.map((row) => row.load))], tickRotate: -20 },
        marginBottom: 60,
        y: { type: "log", label: "average latency (slots)", grid: true },
        fx: { label: null, domain: [...new Set(byLoad.map((row) => row.slots))] },
        color: colour,
        marks: [
          Plot.lineY(stable, { fx: "slots", x: "load", y: "value", stroke: "policy", z: "policy", strokeWidth: 2 }),
          Plot.ruleX(stable, { fx: "slots", x: "load", y1: "low", y2: "high", stroke: "policy", strokeWidth: 3 }),
          Plot.dot(stable, { fx: "slots", x: "load", y: "value", fill: "policy", r: 3.5 }),
          Plot.dot(
            byLoad.filter((row) => row.isUnstable),
            { fx: "slots", x: "load", y: "value", stroke: "policy", symbol: "times", r: 6, strokeWidth: 2 },
          ),
        ],
      }),
    });
  }

  const percentiles = rowsOf(({ id }, { policy, metrics }) => {
    const values = [metrics.latencyP50Slots, metrics.latencyP95Slots, metrics.latencyP99Slots];
    const [p50, p95, p99] = values.map((one) => one?.value);
    return p50 === undefined || p99 === undefined ? [] : [{ setting: id, policy: policy.name, p50, p95, p99 }];
  });
  if (percentiles.length > 0) {
    pictures.push({
      caption:
        "Cost of a decision: the median (filled), 95 % (hollow) and 99 % (bar's end) of the decisions cost less.",
      legend: [],
      svg: draw("Percentiles of the cost of a decision for each policy in each setting", {
        height: heightOf(result.settings.length),
        marginLeft: 170,
        marginRight: 150,
        x: { type: "log", label: "cost (slots)", grid: true },
        y: { label: null, domain: names },
        fy: { label: null, domain: result.settings.map(({ id }) => id) },
        color: colour,
        marks: [
          Plot.ruleY(percentiles, {
            fy: "setting",
            y: "policy",
            x1: "p50",
            x2: "p99",
            stroke: "policy",
            strokeWidth: 2,
          }),
          Plot.dot(percentiles, { fy: "setting", y: "policy", x: "p50", fill: "policy", r: 4 }),
          Plot.dot(percentiles, { fy: "setting", y: "policy", x: "p95", stroke: "policy", r: 4, strokeWidth: 2 }),
          Plot.tickX(percentiles, { fy: "setting", y: "policy", x: "p99", stroke: "policy", strokeWidth: 2 }),
        ],
      }),
    });
  }

  const shares = rowsOf(({ id }, { policy, actionCounts }) => {
    const all = actionCounts.reduce((sum, count) => sum + count, 0);
    return actionCounts.map((count, action) => ({
      setting: id,
      policy: policy.name,
      percent: (100 * count) / all,
      place: action === 0 ? "own device" : action % 2 === 0 ? "even server" : "odd server",
    }));
  });
  pictures.push({
    caption: "Where tasks went: the user's own device, then server 1, 2, 3, … in alternating colours.",
    legend: [
      { name: "own device", colour: "#e69f00" },
      { name: "servers 1, 3, 5, …", colour: "#0072b2" },
      { name: "servers 2, 4, 6, …", colour: "#56b4e9" },
    ],
    svg: draw("Share of the tasks on each server, for each policy in each setting", {
      height: heightOf(result.settings.length),
      marginLeft: 170,
      marginRight: 150,
      x: { label: "share of the tasks (%)", domain: [0, 100] },
      y: { label: null, domain: names },
      fy: { label: null, domain: result.settings.map(({ id }) => id) },
      color: { domain: ["own device", "odd server", "even server"], range: ["#e69f00", "#0072b2", "#56b4e9"] },
      marks: [Plot.barX(shares, { fy: "setting", y: "policy", x: "percent", fill: "place", z: null, inset: 0.5 })],
    }),
  });

  const foresight = rowsOf(({ id }, { policy, metrics, isUnstable }) =>
    metrics.foresight === null || metrics.foresight === undefined || isUnstable || policy.name === "oracle"
      ? []
      : [{ setting: id, policy: policy.name, ...metrics.foresight }],
  );
  if (foresight.length > 0) {
    const settings = [...new Set(foresight.map(({ setting }) => setting))];
    pictures.push({
      caption: "Foresight: 0 is as short-sighted as the oracle, 1 as good as the reference policy.",
      legend: [],
      svg: draw("Foresight of each policy in each setting", {
        height: heightOf(settings.length),
        marginLeft: 170,
        marginRight: 150,
        x: { label: "foresight", grid: true },
        y: { label: null, domain: names.filter((name) => foresight.some(({ policy }) => policy === name)) },
        fy: { label: null, domain: settings },
        color: colour,
        marks: [
          Plot.ruleX([0, 1], { strokeDasharray: "4 4" }),
          Plot.ruleY(foresight, {
            fy: "setting",
            y: "policy",
            x1: "low",
            x2: "high",
            stroke: "policy",
            strokeWidth: 3,
          }),
          Plot.dot(foresight, { fy: "setting", y: "policy", x: "value", fill: "policy", r: 4 }),
        ],
      }),
    });
  }

  const ratios = rowsOf((_setting, { policy, metrics }) =>
    metrics.performanceRatioPercent === null || metrics.performanceRatioPercent === undefined
      ? []
      : [{ policy: policy.name, percent: metrics.performanceRatioPercent.value }],
  );
  if (result.settings.length >= MIN_PROFILED_SETTINGS) {
    const profile = names.flatMap((name) => {
      const own = ratios.filter(({ policy }) => policy === name).map(({ percent }) => percent);
      const steps = [...new Set([0, ...own])].sort((a, b) => a - b);
      return steps.map((percent) => ({
        policy: name,
        percent,
        share: (100 * own.filter((one) => one > percent).length) / own.length,
      }));
    });
    pictures.push({
      caption: "Performance profile: the share of the settings in which a policy's performance ratio is higher.",
      legend,
      svg: draw("Performance profile of each policy over the settings", {
        height: 260,
        marginLeft: 60,
        x: { label: "performance ratio (%)", grid: true },
        y: { label: "share of the settings (%)", domain: [0, 100], grid: true },
        color: colour,
        marks: [
          Plot.lineY(profile, {
            x: "percent",
            y: "share",
            stroke: "policy",
            z: "policy",
            curve: "step-after",
            strokeWidth: 2,
          }),
        ],
      }),
    });
  }
  return pictures;
}
