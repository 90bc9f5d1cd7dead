/** The logged episodes that a report's viewer replays: the first few of each setting. */

import { listScenarios, scenarioHash } from "../../env/index.js";
import type { Result } from "../../schemas/generated/types.js";
import type { LoggedSetting } from "../viewer/logged-episodes.js";

/** Episodes of each setting and policy on the page: a long result would make it too large. */
const MAX_EPISODES = 3;

/** The settings of results that can be replayed in a page: episodes of frozen scenarios with an unchanged content. */
export function loggedSettings(results: readonly Result[]): LoggedSetting[] {
  const frozen = new Map(listScenarios().map((scenario) => [scenario.id, scenarioHash(scenario)]));
  return results.flatMap((result) =>
    result.settings
      .filter(({ protocol, scenario }) => protocol === "episodic" && frozen.get(scenario.id) === scenario.hash)
      .map(({ id, scenario, seeds, policies }) => ({
        title: `${result.suite}, ${id}`,
        scenario: scenario.id,
        hash: scenario.hash,
        firstSeed: seeds.first,
        policies: policies.map(({ policy, actions }) => ({
          name: policy.name,
          actions: actions.slice(0, MAX_EPISODES).map((episode) => [...episode]),
        })),
      })),
  );
}
