/** A figure with its interval: what measuring commands print, and what tables and charts show. */

/** A value with its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** An estimate with its name, as measuring commands print it. */
export interface Figure<Unit extends string = string> extends Estimate {
  readonly id: string;
  readonly unit: Unit;
  /** What `value` should reach; null for a figure without a goal. */
  readonly goal: number | null;
  readonly better: "higher" | "lower";
}

/** A figure whose fields are in the order in which result files and printed JSON have them. */
export function figureOf<Unit extends string>(
  id: string,
  unit: Unit,
  { value, low, high }: Estimate,
  better: Figure["better"],
  goal: number | null = null,
): Figure<Unit> {
  return { id, value, unit, goal, better, low, high };
}

/** Whether a figure reaches its goal; undefined if it has none. */
export function meetsGoal({ value, goal, better }: Pick<Figure, "value" | "goal" | "better">): boolean | undefined {
  if (goal === null) return undefined;
  return better === "higher" ? value >= goal : value <= goal;
}

/** An estimate in a table: `1.234 [1.200, 1.270]`. */
export function intervalText({ value, low, high }: Estimate, digits: number): string {
  return `${value.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
}
