/** The time of one look-ahead over all actions, in steps of the same lane. */

import { cheapestAction } from "../../env/core/kernel.js";
import { BatchEnv, type LookAheadOptions } from "../../env/index.js";
import { figure, ratio } from "./figures.js";
import { measure } from "./measure.js";
import { makePlayer } from "./players.js";
import type { Section } from "./section.js";

/** A look-ahead over all 7 actions of `paper-v1` at K = 3 is to take no more steps' time than this. */
const MOST_STEPS = 6;
const kinds: Record<string, Partial<LookAheadOptions>> = {
  independent: {},
  "independent/resampled": { rates: "resampled" },
  sequential: { mode: "sequential" },
  "sequential/resampled": { mode: "sequential", rates: "resampled" },
};

export const lookAheadSection: Section = {
  name: "look-ahead",
  description: "a look-ahead over all 7 actions at K = 3, in steps of the same lane",
  weight: 3,
  async measure(context) {
    const looks = Object.entries(kinds).map(([id, options]) => ({ id, run: makeLookAhead(options) }));
    const step = { id: "step", run: makePlayer("paper-v1", 1, "greedy").run };
    const rates = await measure(context, "all actions at K = 3", [step, ...looks]);
    return {
      figures: Object.keys(kinds).map((id) =>
        figure(`look-ahead/${id}/steps`, "1", ratio(rates.step, rates[id]), "lower", MOST_STEPS),
      ),
    };
  },
};

/** Looks ahead at the decisions of an episode, one after another. */
function makeLookAhead(options: Partial<LookAheadOptions>): (steps: number) => number {
  const batch = new BatchEnv({ scenarios: ["paper-v1"], numLanes: 64, autoreset: "same-step" });
  batch.reset(Array.from({ length: 64 }, (_, lane) => lane));
  for (let i = 0; i < 50; i++) {
    batch.step(Array.from({ length: 64 }, (_, lane) => cheapestAction(batch.lanes, lane)));
  }
  const out = batch.lookAhead(0);
  return (steps) => {
    const calls = Math.ceil(steps);
    for (let i = 0; i < calls; i++) batch.lookAhead(i & 63, options, out);
    return calls;
  };
}
