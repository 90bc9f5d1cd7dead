/** The performance benchmark: its sections, in the order they are measured. */

import { gridSection } from "./grid.js";
import { heapSection } from "./heap.js";
import { lookAheadSection } from "./look-ahead.js";
import { peersSection } from "./peers.js";
import type { Section } from "./section.js";
import { shapeSection } from "./shape.js";
import { workersSection } from "./workers.js";

/** The heap comes first, before other sections leave garbage. */
export const kernelSections: readonly Section[] = [
  heapSection,
  peersSection,
  gridSection,
  shapeSection,
  lookAheadSection,
  workersSection,
];
