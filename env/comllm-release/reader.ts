/** Reads a state from the words of `zh-release-v1`: from the fields of a record, or from a whole prompt. */

import { isPlainObject } from "../checks.js";
import { MecgymError } from "../errors.js";
import { RELEASE_MARKER } from "../language/templates/zh-release-v1.js";
import type { ReleaseServer, ReleaseState } from "./state.js";

const NUMBER = "(\\d+(?:\\.\\d+)?)";
/** What must not follow a unit: "Mbits" is not "Mbits/时间槽", and 1.5 is not the number in "1.5e3". */
const UNIT_END = "(?![\\p{L}\\p{N}./])";

const isServerName = (name: string) => /^边缘服务器\d+$/.test(name);

/**
 * The state that a record's field `input` describes.
 *
 * The published scripts take the first number of a field whatever its unit, and 0 for a missing field. Here a field
 * that is missing or in other units is an error, because figures made of it would mean nothing. The defaults of those
 * scripts (penalty 100, slot 0.1 s, 297 cycles a bit) apply. Servers whose field is null do not exist.
 *
 * @param place where the fields come from, for errors: for example a file and a line
 * @throws MecgymError `invalidRecord`
 */
export function readReleaseInput(input: unknown, place = "input"): ReleaseState {
  if (!isPlainObject(input)) throw unreadable(place, input, "an object of fields with their texts");
  const get = (name: string) => textOf(input[name], `${place}/${name}`);
  const device = { text: get("本地设备"), path: `${place}/本地设备` };
  const read = (name: string, unit: string, isFactor = false) => {
    const field = { text: get(name), path: `${place}/${name}` };
    return find(field, `^\\s*${NUMBER}\\s*${unit}${UNIT_END}`, `a number of ${unit}`, isFactor);
  };
  const isGiven = (name: string) => input[name] !== undefined && input[name] !== null;
  const penalty = { text: isGiven("丢弃惩罚") ? get("丢弃惩罚") : "", path: `${place}/丢弃惩罚` };
  const servers = Object.keys(input)
    .filter(isServerName)
    .filter((name) => isGiven(name) && input[name] !== "" && !String(input[name]).includes("None"))
    .map((name) => readServer(name, get(name), `${place}/${name}`))
    .sort((a, b) => a.id - b.id);
  return {
    sizeMbit: read("任务大小", "Mbits", true),
    deadlineSlots: read("最大延迟", "时间槽"),
    penaltySlots: isGiven("丢弃惩罚")
      ? find(penalty, `^\\s*${NUMBER}\\s*(?:时间槽)?${UNIT_END}`, "a number, or one of 时间槽")
      : 100,
    localWaitSlots: read("本地CPU队列等待时间", "时间槽"),
    networkWaitSlots: read("网络队列等待时间", "时间槽"),
    // without servers there is nothing to upload to, and no rate
    rateMbitPerSlot: read("网络上传速率", "Mbits/时间槽", servers.length > 0),
    slotSeconds: isGiven("时间槽时长") ? read("时间槽时长", "秒", true) : 0.1,
    localCpuGHz: find(device, `CPU频率[：:]?\\s*${NUMBER}\\s*GHz${UNIT_END}`, "CPU频率 and a number of GHz", true),
    densityGcyclesPerMbit:
      (device.text.includes("每比特周期数")
        ? find(device, `每比特周期数[：:]?\\s*${NUMBER}${UNIT_END}`, "每比特周期数 and a number", true)
        : 297) / 1000,
    servers,
  };
}

/**
 * The state of a prompt, plain or in a chat template; null if it has no fields, for which the published training has a
 * separate reward.
 *
 * @throws MecgymError `invalidRecord` if there are fields, but not the required ones
 */
export function readReleasePrompt(prompt: string, place = "prompt"): ReleaseState | null {
  const start = prompt.indexOf(RELEASE_MARKER);
  if (start < 0) return null;
  const fields = new Map<string, string>();
  for (const line of prompt.slice(start + RELEASE_MARKER.length).split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon >= 0) fields.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  return fields.size === 0 ? null : readReleaseInput(Object.fromEntries(fields), place);
}

function readServer(name: string, text: string, path: string): ReleaseServer {
  const field = { text, path };
  const history = text.match(/负载[：:]\s*\[([^\]]*)\]/)?.[1] ?? "";
  const recentLoad = history.split(",").filter((value) => value.trim() !== "");
  const isNumber = recentLoad.every((value) => /^\s*\d+(\.\d+)?\s*$/.test(value));
  if (!isNumber) throw unreadable(path, `[${history}]`, "a load history of numbers");
  return {
    id: Number(name.slice("边缘服务器".length)),
    type: text.match(/类型\s*([^,，\s]+)/)?.[1] ?? "",
    cpuGHz: find(field, `CPU频率[：:]?\\s*${NUMBER}\\s*GHz${UNIT_END}`, "CPU频率 and a number of GHz", true),
    activeTasks: find(field, "活跃任务数[：:]?\\s*(\\d+)(?![\\d.])", "活跃任务数 and a whole number"),
    workloadMbit: find(
      field,
      `服务器总队列长度[：:]?\\s*${NUMBER}\\s*Mbits${UNIT_END}`,
      "服务器总队列长度 and a number of Mbits",
    ),
    recentLoad: recentLoad.map(Number),
  };
}

/** The number that the pattern's group finds in a field. */
function find(
  { text, path }: { text: string; path: string },
  pattern: string,
  expected: string,
  isFactor = false,
): number {
  const found = text.match(new RegExp(pattern, "u"))?.[1];
  if (found === undefined) throw unreadable(path, text, expected);
  const value = Number(found);
  if (!Number.isFinite(value) || (isFactor && value === 0)) throw unreadable(path, text, `${expected} above 0`);
  return value;
}

function textOf(value: unknown, path: string): string {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string") throw unreadable(path, value ?? undefined, "a text");
  return value;
}

function unreadable(path: string, got: unknown, expected: string): MecgymError {
  return new MecgymError("invalidRecord", { path, got, expected });
}
