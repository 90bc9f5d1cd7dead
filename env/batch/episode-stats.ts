/** Statistics of an episode that has ended. */

/** The columns of `finalStats`. */
export const episodeStatsFields = [
  "episodeSeed",
  "numDecisions",
  "finishedTasks",
  "finishedLateTasks",
  "realisedLatencySumSlots",
  "unfinishedTasks",
  "unfinishedLateTasks",
  "lostTasks",
] as const;
