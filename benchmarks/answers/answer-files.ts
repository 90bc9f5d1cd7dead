/** Reads files of records and answers (JSON Lines, a JSON array, or one JSON object) and keeps each record's place. */

import { isPlainObject } from "../../env/checks.js";
import { MecgymError } from "../../env/index.js";
import { parseJson } from "../../env/json.js";

/** A record and its place in a file. */
export interface PlacedRecord {
  /** File and line, or file and index: `answers.jsonl:3`, `results.json/2`. */
  readonly place: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * The records of a file's text.
 *
 * @param file name of the file, for places
 * @throws MecgymError `invalidRecord` if a line or the text is not JSON, a record is not an object, or there are none
 */
export function parseRecords(file: string, text: string): PlacedRecord[] {
  const values = isOneDocument(text) ? documentValues(file, text) : lineValues(file, text);
  if (values.length === 0) throw invalid(file, "nothing", "at least one record");
  return values.map(({ place, value }) => {
    if (!isPlainObject(value)) throw invalid(place, value, "an object, one for each record");
    return { place, fields: value };
  });
}

type PlacedValue = { readonly place: string; readonly value: unknown };

/** An array, or an object that goes on after its first line. */
function isOneDocument(text: string): boolean {
  const start = text.trimStart();
  if (start.startsWith("[")) return true;
  return tryParse(start.split(/\r?\n/, 1)[0]).error !== undefined && tryParse(text).error === undefined;
}

function documentValues(file: string, text: string): PlacedValue[] {
  const value = parse(file, text);
  return Array.isArray(value)
    ? value.map((one, i) => ({ place: `${file}/${i}`, value: one as unknown }))
    : [{ place: file, value }];
}

function lineValues(file: string, text: string): PlacedValue[] {
  return text.split(/\r?\n/).flatMap((line, i) => {
    const place = `${file}:${i + 1}`;
    return line.trim() === "" ? [] : [{ place, value: parse(place, line) }];
  });
}

function parse(place: string, text: string): unknown {
  const { value, error } = tryParse(text);
  if (error !== undefined) throw invalid(place, text.slice(0, 60), `JSON (${error})`);
  return value;
}

/** Parses JSON, also as Python writes it: an infinite cost, as published result files have it, is read as null. */
function tryParse(text: string): { readonly value?: unknown; readonly error?: string } {
  try {
    return { value: parseJson(text) };
  } catch (error) {
    const repaired = text.replace(/([:[,]\s*)(?:-?Infinity|NaN)(?=\s*[,}\]])/g, "$1null");
    return repaired === text ? { error: (error as Error).message } : tryParse(repaired);
  }
}

/** The text of a string, or of the first of several chat messages, as the published training reads it. */
export function textOf(value: unknown, path: string): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && isPlainObject(value[0]) && typeof value[0].content === "string") return value[0].content;
  throw invalid(path, value, "a text, or a list of messages");
}

export function invalid(path: string, got: unknown, expected: string): MecgymError {
  return new MecgymError("invalidRecord", { path, got, expected });
}
