/** Tables that compare policies under one load: which of them are certainly better than the oracle? */

import { markdownTable } from "markdown-table";
import type { PolicyResult, Result, SettingResult } from "../../schemas/generated/types.js";
import type { Suite } from "../suites/suites.js";
import { failedText, interval, unstableText } from "./cells.js";

const header = [
  "slots",
  "policy",
  "average latency (slots)",
  "late (%)",
  "minus the oracle (slots)",
  "sign",
  "foresight",
];

/** A heading and a table for each load of the suite. */
export function renderLoads(suite: Suite, result: Result): string {
  const loads = [...new Set(suite.settings.map((setting) => setting.load ?? setting.id))];
  return loads
    .flatMap((load) => {
      const ids = suite.settings
        .filter((setting) => (setting.load ?? setting.id) === load)
        .map((setting) => setting.id);
      const settings = result.settings.filter((setting) => ids.includes(setting.id));
      if (settings.length === 0) return [];
      const episodes = settings.map(
        ({ episodeSlots, seeds }) => `${seeds.count} episodes of ${thousands(episodeSlots)}`,
      );
      const rows = settings.flatMap((setting) => setting.policies.map((policy) => rowOf(setting, policy)));
      const table = markdownTable([header, ...rows], { align: ["r", "l", "r", "r", "r", "l", "r"] });
      return [`**${load}** (${episodes.join(", ")} slots)`, table];
    })
    .join("\n\n");
}

function rowOf(setting: SettingResult, policy: PolicyResult): string[] {
  const { metrics, isUnstable } = policy;
  const { name } = policy.policy;
  const collapsed = metrics.collapsedEpisodePercent?.value ?? 0;
  // a few collapses do not make a policy unstable, but they dominate its mean
  const share = `${collapsed > 0 ? `, ${collapsed.toFixed(1)} % collapsed` : ""}${failedText(policy)}`;
  const oracle = setting.policies.find((one) => one.policy.name === "oracle");
  const isGrowing = isUnstable || oracle?.isUnstable;
  return [
    thousands(setting.episodeSlots),
    name === setting.referencePolicy ? `${name} (reference)` : name,
    isUnstable ? unstableText(policy) : `${interval(metrics.averageLatencySlots, 3)}${share}`,
    interval(metrics.dropRatePercent, 2),
    name === "oracle" || isGrowing ? "" : signed(policy.differenceToOracleSlots),
    name === "oracle" ? "" : signOf(policy),
    isUnstable ? "" : interval(metrics.foresight, 2),
  ];
}

/** Whether the paired interval of the difference excludes 0, and on which side of 0 it is. */
export function signOf({ differenceToOracleSlots: { low, high } }: PolicyResult): string {
  if (high < 0) return "better, certain";
  return low > 0 ? "worse, certain" : "open";
}

function signed({ value, low, high }: PolicyResult["differenceToOracleSlots"]): string {
  const text = (one: number) => `${one > 0 ? "+" : one < 0 ? "−" : ""}${Math.abs(one).toFixed(3)}`;
  return `${text(value)} [${text(low)}, ${text(high)}]`;
}

function thousands(slots = 0): string {
  return slots.toLocaleString("en");
}
