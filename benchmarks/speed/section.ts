/** What a section of the speed benchmark is: figures that are measured together, in one run. */

import type { JobRunner } from "../jobs/jobs.js";
import type { SpeedFigure } from "./figures.js";
import type { MeasureOptions } from "./measure.js";

export interface SpeedContext extends MeasureOptions {
  /** A clock, s, for what several threads or processes do together. */
  readonly wallSeconds: () => number;
  /** Bytes the program holds after everything that is no longer needed was given back; not measured where left out. */
  readonly heldBytes?: () => number;
  /** Threads that play; not measured where left out. */
  readonly startWorkers?: (count: number) => JobRunner & { close(): Promise<unknown> };
  /** Folder of the repository, where what is measured needs one. */
  readonly root?: string;
}

/** Something that could not be measured here: a reader must see that it is missing, and how to have it. */
export interface NotMeasured {
  readonly id: string;
  readonly reason: string;
  /** Installs what is missing; null where no command would help. */
  readonly command: string | null;
}

export interface SectionResult {
  readonly figures: readonly SpeedFigure[];
  readonly notMeasured?: readonly NotMeasured[];
  /** Versions and the like, beside those of the machine. */
  readonly conditions?: Readonly<Record<string, unknown>>;
}

export interface Section {
  readonly name: string;
  readonly description: string;
  /** An option of the command that asks for this section alone; a section without one is measured by default. */
  readonly option?: string;
  /** About how long it takes compared to the others, for the bar. */
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
