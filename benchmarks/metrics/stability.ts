/** Whether a policy keeps up with its load: a stated test on the tasks that episodes leave unfinished. */

import type { Unit } from "./units.js";

/** Shorter episodes cannot tell: what a stable queue holds at the end is a large share of their tasks. */
export const JUDGED_SLOTS = 1000;

/** An episode has collapsed where it leaves more than this share of its tasks unfinished. */
export const COLLAPSED_UNFINISHED_SHARE = 0.05;

/** A policy is unstable where more than this share of its episodes have collapsed. */
export const UNSTABLE_COLLAPSED_SHARE = 0.05;

/** Whether an episode has collapsed: its queues have grown with time itself, and with them every cost. */
export function isCollapsed({ decisions, realised }: Unit): boolean {
  return realised !== undefined && realised.unfinishedTasks > COLLAPSED_UNFINISHED_SHARE * decisions.length;
}

/** Whether a policy with these collapsed episodes is unstable. */
export function isUnstable(numCollapsed: number, numEpisodes: number): boolean {
  return numCollapsed > UNSTABLE_COLLAPSED_SHARE * numEpisodes;
}
