/** How much the heap grows over ten million steps: not at all if playing allocates nothing that stays. */

import { figure } from "./figures.js";
import { makePlayer } from "./players.js";
import type { Section } from "./section.js";

const HEAP_STEPS = 10_000_000;
/** Late compilation and the task lists of the first bad stretches come before the measurement. */
const STEPS_BEFORE = 3_000_000;
const PARTS = 20;

export const heapSection: Section = {
  name: "heap",
  description: "growth of the heap over 10 million steps, not counting the task lists, which may grow",
  weight: 8,
  async measure({ heldBytes, onProgress }) {
    const id = `heap/steps=${HEAP_STEPS}/growth`;
    if (heldBytes === undefined) {
      const reason = "the garbage collector cannot be asked";
      return { figures: [], notMeasured: [{ id, reason, command: null }] };
    }
    const { run, batch } = makePlayer("paper-v1", 1024, "greedy");
    const others = () => heldBytes() - batch.grownBytes;
    run(STEPS_BEFORE);
    const before = others();
    let steps = 0;
    for (let part = 0; part < PARTS; part++) {
      steps += run(HEAP_STEPS / PARTS);
      onProgress?.((part + 1) / PARTS, "10 million steps");
    }
    return { figures: [figure(id, "bytes/step", [(others() - before) / steps], "lower", 0.01)] };
  },
};
