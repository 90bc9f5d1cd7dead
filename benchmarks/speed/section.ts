/** Sections of the speed benchmark: figures that are measured together in one run. */

import type { JobRunner } from "../jobs/jobs.js";
import type { SpeedFigure } from "./figures.js";
import type { MeasureOptions } from "./measure.js";

export interface SpeedContext extends MeasureOptions {
  /** A clock for work of several threads or processes, s. */
  readonly wallSeconds: () => number;
  /** Bytes that the program holds after a garbage collection; not measured if left out. */
  readonly heldBytes?: () => number;
  /** Starts threads that play; not measured if left out. */
  readonly startWorkers?: (count: number) => JobRunner & { close(): Promise<unknown> };
  /** Folder of the repository, if there is one. */
  readonly root?: string;
}

/** A figure that could not be measured here: readers must see that it is missing, and how to get it. */
export interface NotMeasured {
  readonly id: string;
  readonly reason: string;
  /** The command that installs what is missing; null if no command helps. */
  readonly command: string | null;
}

export interface SectionResult {
  readonly figures: readonly SpeedFigure[];
  readonly notMeasured?: readonly NotMeasured[];
  /** Versions and the like, in addition to those of the machine. */
  readonly conditions?: Readonly<Record<string, unknown>>;
}

export interface Section {
  readonly name: string;
  readonly description: string;
  /** The command option that measures only this section; a section without one is measured by default. */
  readonly option?: string;
  /** Its duration relative to the other sections, roughly, for the progress bar. */
  readonly weight: number;
  measure(context: SpeedContext): Promise<SectionResult>;
}

/** Measures sections one after another. */
export async function measureSections(sections: readonly Section[], context: SpeedContext): Promise<SectionResult> {
  const figures: SpeedFigure[] = [];
  const notMeasured: NotMeasured[] = [];
  let conditions: Record<string, unknown> = {};
  const total = sections.reduce((sum, { weight }) => sum + weight, 0);
  let before = 0;
  for (const { name, weight, measure } of sections) {
    const onProgress = (done: number, what: string) =>
      context.onProgress?.((before + weight * done) / total, `${name}: ${what}`);
    const result = await measure({ ...context, onProgress });
    figures.push(...result.figures);
    notMeasured.push(...(result.notMeasured ?? []));
    conditions = { ...conditions, ...result.conditions };
    before += weight;
  }
  return { figures, notMeasured, conditions };
}
