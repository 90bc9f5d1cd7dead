/** Scores of recorded states: the look-ahead's own figures, and what an answer that is none is charged. */

import { describe, expect, it } from "vitest";
import { BatchEnv, copyObservation, LaneView, MecgymError, type ScoredState, score } from "../../../env/index.js";

function record(scenario: string, count: number) {
  const batch = new BatchEnv({ scenarios: [scenario], numLanes: 1, invalidActions: "costliest" });
  const view = new LaneView(batch.lanes, 0);
  const states: ScoredState[] = [];
  const lookAheads: { reward: number[]; costSlots: number[]; impactSlots: number[]; latencySlots: number[] }[] = [];
  for (let i = 0; i < count; i++) {
    const episodeSeed = 100 + i;
    batch.reset([episodeSeed]);
    for (let k = 0; k < 3 + 7 * i; k++) batch.step([k % 5]);
    states.push({ episodeSeed, state: copyObservation(view) });
    const { reward, costSlots, impactSlots, latencySlots } = batch.lookAhead(0);
    lookAheads.push({
      reward: Array.from(reward),
      costSlots: Array.from(costSlots),
      impactSlots: Array.from(impactSlots),
      latencySlots: Array.from(latencySlots),
    });
  }
  return { states, lookAheads };
}

describe.each(["paper-v1", "churn-v1", "load-24-users-v1"])("scores in %s", (scenario) => {
  const { states, lookAheads } = record(scenario, 12);

  it("are what the look-ahead gave where the states were met, for every action of a group", () => {
    const stateOfAction = states.flatMap((_, i) => Array<number>(7).fill(i));
    const actions = states.flatMap(() => [0, 1, 2, 3, 4, 5, 6]);
    const scores = score(scenario, states, actions, stateOfAction);
    for (const [i, action] of actions.entries()) {
      const { state } = states[stateOfAction[i]];
      const { reward, costSlots, impactSlots, latencySlots } = lookAheads[stateOfAction[i]];
      const isThere = action === 0 || (state.isAvailable?.[action - 1] ?? true);
      expect(scores.isInvalid[i]).toBe(isThere ? 0 : 1);
      const finite = costSlots.filter(Number.isFinite);
      const charged = isThere ? action : costSlots.indexOf(Math.max(...finite));
      expect(scores.chargedAction[i]).toBe(charged);
      expect(scores.reward[i]).toBe(reward[charged]);
      expect(scores.costSlots[i]).toBe(costSlots[charged]);
      expect(scores.impactSlots[i]).toBe(impactSlots[charged]);
      expect(scores.latencySlots[i]).toBe(latencySlots[charged]);
      expect(scores.cheapestCostSlots[i]).toBe(Math.min(...costSlots));
    }
  });

  it("are the same bytes again, state by state, and in any order", () => {
    const actions = states.map((_, i) => i % 7);
    const scores = score(scenario, states, actions);
    expect(score(scenario, states, actions)).toEqual(scores);
    const backwards = score(scenario, [...states].reverse(), [...actions].reverse());
    expect(Array.from(backwards.reward).reverse()).toEqual(Array.from(scores.reward));
    for (const [i, one] of states.entries()) {
      expect(score(scenario, [one], [actions[i]]).reward[0]).toBe(scores.reward[i]);
    }
  });

  it("follow the settings of the call", () => {
    const zero = score(scenario, states, Array(12).fill(0), undefined, { weight: 0 });
    for (let i = 0; i < 12; i++) expect(zero.reward[i]).toBe(-zero.costSlots[i]);
  });
});

describe("a call that is wrong", () => {
  const { states } = record("paper-v1", 2);

  it("charges a server that does not exist as the costliest action", () => {
    const { isInvalid, chargedAction, costSlots } = score("paper-v1", states, [7, -1]);
    expect(Array.from(isInvalid)).toEqual([1, 1]);
    const all = score("paper-v1", states, [0, 1, 2, 3, 4, 5, 6], Array(7).fill(0)).costSlots;
    expect(costSlots[0]).toBe(Math.max(...all));
    expect(all[chargedAction[0]]).toBe(costSlots[0]);
  });

  it.each([
    ["too few actions", () => score("paper-v1", states, [1]), "actions"],
    ["a fraction", () => score("paper-v1", states, [1, 1.5]), "actions/1"],
    ["a state that is not there", () => score("paper-v1", states, [1], [2]), "stateOfAction/0"],
    ["a seed below 0", () => score("paper-v1", [{ ...states[0], episodeSeed: -1 }], [1]), "states/0/episodeSeed"],
    [
      "the second state's seed",
      () => score("paper-v1", [states[0], { ...states[1], episodeSeed: 0.5 }], [1, 1]),
      "states/1/episodeSeed",
    ],
    ["an unknown setting", () => score("paper-v1", states, [1, 1], undefined, { samples: 2 } as never), "samples"],
  ])("is refused with its place: %s", (_name, call, place) => {
    expect(call).toThrow(MecgymError);
    expect(call).toThrow(place);
  });
});
