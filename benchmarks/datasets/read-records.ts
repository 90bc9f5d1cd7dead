/** Reads records back. Every line is checked, and a damaged one is reported with its place, never skipped. */

import {
  listScenarios,
  MecgymError,
  parseCompletion,
  renderAction,
  renderPrompt,
  type Scenario,
  scenarioHash,
} from "../../env/index.js";
import { parseJson, withoutNulls } from "../../env/json.js";
import { RELEASE_MARKER } from "../../env/language/templates/zh-release-v1.js";
import type { DatasetRecord } from "../../schemas/generated/types.js";
import { findProblem } from "../../schemas/validate.js";
import { type ActionFigures, figuresOf, labelOf } from "./make-records.js";
import { seedRange } from "./plan.js";

/** A fault of a line. */
export interface RecordProblem {
  readonly file: string;
  /** Number of the line, from 1. */
  readonly line: number;
  /** JSON path within the line, such as `/state/rateMbps/2`; empty for the whole. */
  readonly path: string;
  readonly expected: string;
  readonly got: unknown;
}

/** A line of a data set: its record, or its fault. */
export type ReadLine = SoundLine | { readonly problem: RecordProblem };

interface SoundLine {
  readonly record: DatasetRecord;
  /** Set if the record's scenario is not known: its label and figures were not computed again. */
  readonly isForeign?: true;
}

/**
 * Reads a data set line by line, in constant memory.
 *
 * A record is sound if it fits its schema, if its seeds belong to its kind and split, and if its prompt, its decision
 * string and its figures follow from its state. So must its label if nothing but the state decides it. The label and
 * figures of a record whose scenario is not known cannot be computed; it is marked `isForeign`.
 *
 * @param own scenarios that are known in addition to the frozen ones, by their content
 */
export async function* readRecords(
  file: string,
  lines: AsyncIterable<string>,
  own: readonly Scenario[] = [],
): AsyncGenerator<ReadLine> {
  const known = new Map(own.map((scenario) => [scenarioHash(scenario), scenario]));
  let line = 0;
  for await (const text of lines) {
    line++;
    const read = readLine(text, known);
    yield "record" in read ? read : { problem: { file, line, ...read } };
  }
}

/** The scenarios that this version knows. */
const frozen = new Map(listScenarios().map((scenario) => [scenario.id, scenario]));

type Problem = Omit<RecordProblem, "file" | "line">;

type KnownScenarios = ReadonlyMap<string, Scenario>;

function readLine(text: string, known: KnownScenarios): SoundLine | Problem {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    return { path: "", expected: `one JSON object (${(error as Error).message})`, got: text };
  }
  value = withoutNulls(value);
  const problem = findProblem("dataset-record", value);
  if (problem !== undefined) return problem;
  const record = value as DatasetRecord;
  const isKnown = scenarioOf(record, known) !== undefined;
  return disagreement(record, known) ?? (isKnown ? { record } : { record, isForeign: true });
}

/** The scenario of a record: one that was given, or the frozen one of its id. */
function scenarioOf({ scenarioId, scenarioHash: hash }: DatasetRecord, known: KnownScenarios): Scenario | undefined {
  return known.get(hash) ?? frozen.get(scenarioId);
}

/** The first thing in a record that contradicts the rest of it. */
function disagreement(record: DatasetRecord, known: KnownScenarios): Problem | undefined {
  const { kind, split, episodeSeed, state } = record;
  const range = seedRange(kind, split);
  if (range === undefined) {
    return { path: "/split", expected: kind === "test" ? "test" : "train or validation", got: split };
  }
  if (episodeSeed < range.start || episodeSeed >= range.start + range.size) {
    const expected = `a seed of ${kind} in split ${split}, ${range.start} to ${range.start + range.size - 1}`;
    return { path: "/episodeSeed", expected, got: episodeSeed };
  }
  for (const name of [
    "rateMbps",
    "cpuGHz",
    "activeTasks",
    "workloadMbit",
    "workloadHistoryMbit",
    "isAvailable",
  ] as const) {
    const length = state[name]?.length ?? state.numServers;
    if (length !== state.numServers) {
      return { path: `/state/${name}`, expected: `${state.numServers} entries, one for each server`, got: length };
    }
  }
  if (record.decisionIndex !== state.decisionIndex) {
    return { path: "/decisionIndex", expected: `that of the state, ${state.decisionIndex}`, got: record.decisionIndex };
  }
  return wrongWords(record) ?? wrongFigures(record, known);
}

function wrongWords(record: DatasetRecord): Problem | undefined {
  const { prompt, completion, messages, instruction, input, output, kind, template, labelAction, state } = record;
  const isAsked = [prompt, messages, instruction].filter((one) => one !== undefined).length === 1;
  if (!isAsked)
    return { path: "", expected: "one of the fields prompt, messages and instruction", got: "another number" };
  const system = prompt === undefined ? messages?.[0] : Array.isArray(prompt) ? prompt[0] : undefined;
  const options = { template, perturbation: record.perturbation, seed: record.episodeSeed };
  const rendered = (hasSystem: boolean) =>
    renderPrompt(state, { ...options, instruction: record.outputInstruction, system: hasSystem });
  let expected: ReturnType<typeof rendered>;
  try {
    expected = rendered(false);
    const hasSystem = system?.role === "system" || (typeof prompt === "string" && prompt !== expected.text);
    if (hasSystem) expected = rendered(true);
  } catch (error) {
    if (error instanceof MecgymError) return { path: `/state/${error.path}`, expected: error.expected, got: error.got };
    throw error;
  }
  const asked: [string, unknown, unknown][] = [
    ["/prompt", prompt, Array.isArray(prompt) ? expected.messages : expected.text],
    ["/messages", messages?.slice(0, -1), expected.messages],
  ];
  for (const [path, got, wanted] of asked) {
    if (got !== undefined && !isSame(got, wanted)) return { path, expected: "the prompt of the state", got };
  }
  if (instruction !== undefined) {
    const fields = Object.entries(input ?? {}).map(([name, value]) => `${name}: ${value}`);
    const text = `${instruction}\n\n${RELEASE_MARKER}\n${fields.join("\n")}`;
    if (text !== expected.user) return { path: "/input", expected: "the fields of the state", got: text };
  }
  const answer = renderAction(labelAction, template);
  const reply = { role: "assistant", content: answer };
  const answers: [string, unknown, unknown][] = [
    ["/completion", completion, Array.isArray(completion) ? [reply] : answer],
    ["/messages", messages?.at(-1), reply],
    ["/output/action_name", output?.action_name, answer],
  ];
  const given = answers.filter(([, got]) => got !== undefined);
  const wrong = given.find(([, got, wanted]) => !isSame(got, wanted));
  if (wrong !== undefined) return { path: wrong[0], expected: `the decision string ${answer}`, got: wrong[1] };
  if (given.length !== (kind === "grpo" && prompt !== undefined ? 0 : 1)) {
    const wanted = kind === "grpo" ? "no completion: kind grpo has only prompts" : "a completion";
    return { path: "", expected: wanted, got: given.map(([path]) => path) };
  }
  const parsed = parseCompletion(answer);
  const isRead = "action" in parsed && parsed.action === labelAction;
  return isRead
    ? undefined
    : { path: "/labelAction", expected: "an action whose decision string parses", got: labelAction };
}

function wrongFigures(record: DatasetRecord, known: KnownScenarios): Problem | undefined {
  const { costSlots, labelAction, state } = record;
  for (const name of ["costSlots", "regretSlots", "meetsDeadline", "impactSlots", "lookAheadReward"] as const) {
    if (record[name].length === state.numServers + 1) continue;
    return {
      path: `/${name}`,
      expected: `${state.numServers + 1} entries, one for each action`,
      got: record[name].length,
    };
  }
  if (costSlots[labelAction] === undefined || costSlots[labelAction] === null) {
    return { path: "/labelAction", expected: "an action that is available", got: labelAction };
  }
  const scenario = scenarioOf(record, known);
  if (scenario === undefined) return undefined;
  const hash = scenarioHash(scenario);
  if (record.scenarioHash !== hash) {
    return { path: "/scenarioHash", expected: `${hash}, that of ${scenario.id}`, got: record.scenarioHash };
  }
  const label = labelOf(record.labelPolicy, scenario, record.episodeSeed, state);
  if (label !== undefined && label !== labelAction) {
    return { path: "/labelAction", expected: `${label}, as ${record.labelPolicy} decides`, got: labelAction };
  }
  const figures = figuresOf(scenario, record.episodeSeed, state);
  for (const name of Object.keys(figures) as (keyof ActionFigures)[]) {
    if (isSame(record[name], figures[name])) continue;
    const [got, wanted] = [record[name], figures[name]];
    const at = Array.isArray(got) && Array.isArray(wanted) ? got.findIndex((value, i) => value !== wanted[i]) : -1;
    if (at < 0) return { path: `/${name}`, expected: `${wanted}, as the state gives`, got };
    return {
      path: `/${name}/${at}`,
      expected: `${(wanted as unknown[])[at]}, as the state gives`,
      got: (got as unknown[])[at],
    };
  }
  return undefined;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
