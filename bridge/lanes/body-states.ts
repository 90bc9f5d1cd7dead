/** States in the body of a request: packed arrays, or the JSON of data set records. */

import { localWaitSlots } from "../../env/batch/latency.js";
import type { Observation } from "../../env/batch/observation.js";
import type { ScoredState } from "../../env/batch/score.js";
import { MecgymError } from "../../env/errors.js";
import { parseJson, withoutNulls } from "../../env/json.js";
import type { Scenario } from "../../env/scenario/scenario.js";
import { checkSeed, isSeed } from "../../env/scenario/seeds.js";
import { findProblem } from "../../schemas/validate.js";
import { splitBytes } from "../wire/byte-lists.js";
import { type ArrayForm, type BodyArrays, needArray } from "../wire/described-body.js";
import { BridgeError } from "../wire/protocol.js";

/** Arrays of S states in a body, with room for E servers each and W slots of history. */
export const stateForms = {
  episodeSeed: ["uint64", "S"],
  decisionIndex: ["int32", "S"],
  numServers: ["int32", "S"],
  slot: ["int32", "S"],
  userIndex: ["int32", "S"],
  sizeMbit: ["float64", "S"],
  localBacklogMbit: ["float64", "S"],
  networkWaitSlots: ["float64", "S"],
  rateMbps: ["float64", "S", "E"],
  cpuGHz: ["float64", "S", "E"],
  workloadMbit: ["float64", "S", "E"],
  activeTasks: ["int32", "S", "E"],
  isAvailable: ["uint8", "S", "E"],
  workloadHistoryMbit: ["float64", "S", "E", "W"],
  stateOffsets: ["uint32", "S+1"],
  stateBytes: ["uint8", "bytes"],
} as const satisfies Readonly<Record<string, ArrayForm>>;

type StateName = keyof typeof stateForms;

export interface GivenState extends ScoredState {
  /** Wait before the upload, which only profile `comllm-release` has. */
  readonly networkWaitSlots: number;
}

/**
 * Reads the states of a body.
 *
 * @param profile whose costs they get: `comllm-release` takes the constants of a state from the state
 * @throws BridgeError `invalidRequest`, `invalidBody`; MecgymError `invalidSeed`, `unsupportedState`, `invalidRecord`
 */
export function readStates(
  scenario: Scenario,
  { arrays, sizes }: BodyArrays<StateName>,
  profile: "paper" | "comllm-release" = "paper",
): GivenState[] {
  const { stateOffsets, stateBytes } = arrays;
  if (stateOffsets === undefined && stateBytes === undefined) return readPacked(scenario, arrays, sizes);
  const pieces = splitBytes(
    "stateOffsets",
    needArray<Uint32Array>(stateOffsets, "stateOffsets"),
    needArray<Uint8Array>(stateBytes, "stateBytes"),
  );
  return pieces.map((bytes, i) => readJson(profile === "paper" ? scenario : undefined, bytes, i));
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function readJson(scenario: Scenario | undefined, bytes: Uint8Array, i: number): GivenState {
  const place = `states/${i}`;
  let record: Partial<ScoredState> & { networkWaitSlots?: unknown };
  try {
    record = withoutNulls(parseJson(utf8.decode(bytes))) as typeof record;
  } catch (error) {
    const expected = `a JSON object in UTF-8 (${(error as Error).message})`;
    throw new MecgymError("invalidRecord", { path: place, expected, got: `${bytes.length} bytes` });
  }
  const { episodeSeed, state, networkWaitSlots = 0 } = record ?? {};
  const problem = findProblem("observation", state);
  if (problem !== undefined) {
    throw new MecgymError("invalidRecord", { ...problem, path: `${place}/state${problem.path}` });
  }
  checkSeed(episodeSeed, `${place}/episodeSeed`);
  const given = state as Observation;
  if (scenario !== undefined) checkConstants(scenario, given, `${place}/state`);
  for (const name of ["rateMbps", "cpuGHz", "activeTasks", "workloadMbit", "workloadHistoryMbit"] as const) {
    checkLength(given[name], given.numServers, `${place}/state/${name}`);
  }
  if (given.isAvailable !== undefined) checkLength(given.isAvailable, given.numServers, `${place}/state/isAvailable`);
  return { episodeSeed: episodeSeed as number, state: given, networkWaitSlots: networkWaitSlots as number };
}

/** The numbers of a state that its scenario fixes: with others, it is a state of another scenario. */
function checkConstants(scenario: Scenario, state: Observation, path: string): void {
  const { densityGcyclesPerMbit, slotSeconds, deadlineSlots, deadlinePenaltySlots, localCpuGHz } = scenario;
  const fixed = { densityGcyclesPerMbit, slotSeconds, deadlineSlots, penaltySlots: deadlinePenaltySlots, localCpuGHz };
  for (const [name, value] of Object.entries(fixed) as [keyof typeof fixed, number][]) {
    if (state[name] === value) continue;
    const expected = `${value}, as scenario ${scenario.id} has it`;
    throw new MecgymError("invalidRecord", { path: `${path}/${name}`, expected, got: state[name] });
  }
}

function checkLength(values: ArrayLike<unknown>, numServers: number, path: string): void {
  if (values.length === numServers) return;
  const expected = `${numServers} entries, one for each server`;
  throw new MecgymError("invalidRecord", { path, expected, got: values.length });
}

function readPacked(
  scenario: Scenario,
  arrays: BodyArrays<StateName>["arrays"],
  sizes: Readonly<Record<string, number>>,
): GivenState[] {
  const need = <A extends Float64Array | Int32Array>(name: StateName) => needArray<A>(arrays[name], name);
  const episodeSeed = need<Float64Array>("episodeSeed");
  const decisionIndex = need<Int32Array>("decisionIndex");
  const numServers = need<Int32Array>("numServers");
  const sizeMbit = need<Float64Array>("sizeMbit");
  const localBacklogMbit = need<Float64Array>("localBacklogMbit");
  const rateMbps = need<Float64Array>("rateMbps");
  const cpuGHz = need<Float64Array>("cpuGHz");
  const workloadMbit = need<Float64Array>("workloadMbit");
  const activeTasks = need<Int32Array>("activeTasks");
  const { slot, userIndex, networkWaitSlots, isAvailable } = arrays;
  const history = arrays.workloadHistoryMbit as Float64Array | undefined;
  const { S, E, W = scenario.historySlots } = sizes;
  if (W !== scenario.historySlots) {
    const expected = `${scenario.historySlots} slots of history, as in the scenario`;
    throw new BridgeError("invalidRequest", { path: "/layout", expected, got: W });
  }
  const { densityGcyclesPerMbit, deadlineSlots, deadlinePenaltySlots, slotSeconds, localCpuGHz } = scenario;
  checkAmounts({ sizeMbit, localBacklogMbit, ...(networkWaitSlots === undefined ? {} : { networkWaitSlots }) });
  // one row for all: E may be any number if a body says that it has no states
  const noHistory = new Float64Array(W);
  const historyOf = (first: number, count: number) =>
    history === undefined
      ? Array.from({ length: count }, () => noHistory)
      : Array.from({ length: count }, (_, e) => history.subarray((first + e) * W, (first + e + 1) * W));
  return Array.from({ length: S }, (_, i) => {
    const count = numServers[i];
    if (count < 1 || count > E) {
      throw unsupported(`numServers/${i}`, `1 to ${E}, for which the arrays have room`, count);
    }
    const [first, end] = [i * E, i * E + count];
    checkRow("cpuGHz", cpuGHz, i, first, end, isAvailable, true);
    checkRow("rateMbps", rateMbps, i, first, end, isAvailable, true);
    checkRow("workloadMbit", workloadMbit, i, first, end, isAvailable, false);
    checkRow("activeTasks", activeTasks, i, first, end, isAvailable, false);
    if (decisionIndex[i] < 0) throw unsupported(`decisionIndex/${i}`, "0 or more", decisionIndex[i]);
    if (!isSeed(episodeSeed[i])) checkSeed(episodeSeed[i], `episodeSeed/${i}`);
    const backlog = localBacklogMbit[i];
    const state: Observation = {
      slot: slot?.[i] ?? 0,
      decisionIndex: decisionIndex[i],
      sizeMbit: sizeMbit[i],
      densityGcyclesPerMbit,
      deadlineSlots,
      penaltySlots: deadlinePenaltySlots,
      slotSeconds,
      userIndex: userIndex?.[i] ?? 0,
      localCpuGHz,
      localBacklogMbit: backlog,
      localWaitSlots: localWaitSlots(backlog, scenario),
      numServers: count,
      rateMbps: rateMbps.subarray(first, end),
      cpuGHz: cpuGHz.subarray(first, end),
      activeTasks: activeTasks.subarray(first, end),
      workloadMbit: workloadMbit.subarray(first, end),
      ...(isAvailable === undefined ? {} : { isAvailable: isAvailable.subarray(first, end) }),
      workloadHistoryMbit: historyOf(first, count),
    };
    return { episodeSeed: episodeSeed[i], state, networkWaitSlots: networkWaitSlots?.[i] ?? 0 };
  });
}

/**
 * Checks one number per server of a state. A number that costs are divided by must be above 0 if its server is
 * available.
 */
function checkRow(
  name: string,
  values: ArrayLike<number>,
  i: number,
  first: number,
  end: number,
  isAvailable: ArrayLike<number> | undefined,
  isDivisor: boolean,
): void {
  for (let at = first; at < end; at++) {
    const value = values[at];
    if (isAmount(value) && (value > 0 || !isDivisor || (isAvailable !== undefined && isAvailable[at] === 0))) continue;
    throw unsupported(
      `${name}/${i}/${at - first}`,
      isDivisor ? "a finite number above 0" : "a finite number of 0 or more",
      value,
    );
  }
}

/** Checks one number per state. Without this, an impossible number would come back as NaN, without a reason. */
function checkAmounts(columns: Readonly<Record<string, ArrayLike<number>>>): void {
  for (const [name, values] of Object.entries(columns)) {
    for (let i = 0; i < values.length; i++) {
      if (!isAmount(values[i])) throw unsupported(`${name}/${i}`, "a finite number of 0 or more", values[i]);
    }
  }
}

function isAmount(value: number): boolean {
  return value >= 0 && value < Number.POSITIVE_INFINITY;
}

function unsupported(path: string, expected: string, got: unknown): MecgymError {
  return new MecgymError("unsupportedState", { path, expected, got });
}
