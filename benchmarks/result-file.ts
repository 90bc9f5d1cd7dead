/** The format of `result.json` and of the parts of a run that is not finished: all that writes or reads them. */

import { createHash } from "node:crypto";
import { coreSha256, MecgymError } from "../env/index.js";
import { parseJson } from "../env/json.js";
import { resultSchema } from "../schemas/generated/schemas.js";
import type { PolicyResult, Result } from "../schemas/generated/types.js";
import { findProblem } from "../schemas/validate.js";
import type { Estimate } from "./figures.js";
import { type Metrics, metricUnits } from "./metrics/metrics.js";
import type { PolicyFigures } from "./metrics/policy-figures.js";
import { NUM_RESAMPLES } from "./metrics/statistics.js";

/** Everything in a result except its settings. */
export type ResultFrame = Omit<Result, "settings">;

/** The frame of a result of this version. */
export function resultFrame(
  suiteId: string,
  { packageVersion, runtime }: Pick<Result, "packageVersion" | "runtime">,
): ResultFrame {
  return {
    schemaVersion: "1.2",
    suite: suiteId,
    profile: "paper",
    packageVersion,
    coreSha256,
    runtime,
    resamples: NUM_RESAMPLES,
  };
}

/** What a result says of a policy, except who it is and which of its answers failed. */
export function describeFigures(figures: PolicyFigures): Omit<PolicyResult, "policy" | "failures"> {
  let at = 0;
  return {
    metrics: withUnits(figures.metrics),
    isUnstable: figures.isUnstable,
    differenceToOracleSlots: { ...figures.differenceToOracleSlots, unit: "slots" },
    actionCounts: [...figures.actionCounts],
    actions: Array.from(figures.lengths, (length) => {
      at += length;
      return Array.from(figures.actions.subarray(at - length, at));
    }),
  };
}

function withUnits(metrics: Metrics): PolicyResult["metrics"] {
  const entries = Object.entries(metrics) as [keyof Metrics, Estimate | null][];
  const described = entries.map(([name, estimate]) => [
    name,
    // a ratio whose denominator is 0 (no task finished, say) is not a figure
    estimate === null || !Number.isFinite(estimate.value) ? null : { ...estimate, unit: metricUnits[name] },
  ]);
  return Object.fromEntries(described);
}

/**
 * The text of a result file, in pieces of one policy each: all action logs together may be longer than a string can be.
 */
export function* resultPieces({ settings, ...frame }: Result): Generator<string> {
  const open = (fields: object, list: string) => `${JSON.stringify(fields).slice(0, -1)},"${list}":[`;
  yield open(frame, "settings");
  for (const [i, { policies: results, ...setting }] of settings.entries()) {
    yield `${i === 0 ? "" : ","}${open(setting, "policies")}`;
    for (const [j, one] of results.entries()) yield `${j === 0 ? "" : ","}${JSON.stringify(one)}`;
    yield "]}";
  }
  yield "]}\n";
}

/**
 * Reads the text of a result file.
 *
 * @param path names the text in errors
 * @throws MecgymError `invalidRecord` if the text is not JSON or does not fit the schema
 */
export function parseResult(text: string, path: string): Result {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    const expected = `a result, as JSON (${(error as Error).message})`;
    throw new MecgymError("invalidRecord", { path, got: text.slice(0, 40), expected });
  }
  // a newer version has unknown fields; the error names the version instead
  const problem = versionProblem(value) ?? findProblem("result", value);
  if (problem === undefined) return value as Result;
  throw new MecgymError("invalidRecord", { ...problem, path: `${path}${problem.path}` });
}

function versionProblem(value: unknown): { path: string; expected: string; got: unknown } | undefined {
  if (typeof value !== "object" || value === null || !("schemaVersion" in value)) return undefined;
  const known: readonly unknown[] = resultSchema.properties.schemaVersion.enum;
  if (known.includes(value.schemaVersion)) return undefined;
  return { path: "/schemaVersion", expected: `one of ${known.join(", ")}`, got: value.schemaVersion };
}

/** Identifies a part of a run: two parts with the same key are the same. */
export interface PartKey {
  readonly suite: string;
  readonly setting: string;
  readonly policy: string;
  /** Policy that foresight is measured by. */
  readonly reference: string | null;
  readonly protocol: string;
  readonly scenarioHash: string;
  readonly fixedSizeMbit: number | null;
  readonly firstSeed: number;
  readonly count: number;
}

/** One policy in one setting: its place in the result, and its costs, which other policies are compared with. */
export interface Part {
  readonly result: PolicyResult;
  readonly costs: { readonly costSlots: readonly number[]; readonly decisions: readonly number[] };
}

/** Keeps finished parts, so that an interrupted run can be resumed. */
export interface PartStore<K = PartKey, P = Part> {
  load(key: K): P | undefined;
  save(key: K, part: P): void;
}

const HASH_LENGTH = 64;

/**
 * The text of a part's file, in pieces: a hash, and a line with the part.
 *
 * @param program everything else that the part depends on
 */
export function partPieces(program: unknown, key: unknown, part: unknown): string[] {
  const body = JSON.stringify({ program, key, part });
  return [sha256(body), "\n", body];
}

/** Reads the text of a part's file; undefined if it is damaged, or belongs to another program or key. */
export function parsePart(text: string, program: unknown, key: unknown): unknown {
  const body = text.slice(HASH_LENGTH + 1);
  if (text.slice(0, HASH_LENGTH) !== sha256(body)) return undefined;
  const kept = JSON.parse(body) as { program: unknown; key: unknown; part: unknown };
  const isSame = JSON.stringify([kept.program, kept.key]) === JSON.stringify([program, key]);
  return isSame ? kept.part : undefined;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
