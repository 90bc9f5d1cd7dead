/**
 * Template `zh-release-v1`: Chinese, with exactly the fields that the published scripts of the paper's authors read.
 *
 * Names, number formats, marker and answers are theirs, so that their evaluation reads these prompts; the instruction
 * is ours. Their system has one uplink for all servers, with its own queue.
 */

import type { Observation } from "../../batch/observation.js";
import { MecgymError } from "../../errors.js";
import { listedServers, type Template } from "./template.js";
import { unit } from "./units.js";

/** Halfway between their server types of 41.8, 30 and 22 GHz. */
const FAST_GHZ = 35.9;
const STANDARD_GHZ = 26;

export const zhReleaseV1: Template = {
  id: "zh-release-v1",
  units: {
    data: {
      standard: unit(" Mbits", 4),
      others: [unit(" kbits", 1, { multiply: 1000, historyDecimals: 0 })],
    },
    rate: {
      standard: unit(" Mbits/时间槽", 4, { isSeconds: true }),
      others: [unit(" Mbits/秒", 4), unit(" kbits/秒", 1, { multiply: 1000 })],
    },
    cpu: { standard: unit(" GHz", 4), others: [unit(" MHz", 1, { multiply: 1000 })] },
    // the field's name is its unit
    density: { standard: unit("", 1, { multiply: 1000 }), others: [unit("", 1, { multiply: 1000 })] },
    time: {
      standard: unit(" 时间槽", 4),
      others: [unit(" 毫秒", 2, { multiply: 1000, isSeconds: true }), unit(" 秒", 5, { isSeconds: true })],
    },
  },
  system: "你负责移动边缘计算系统中的任务卸载决策。",
  request: {
    direct: "只输出决策名称：本地执行，或 卸载到边缘服务器k（k 为服务器编号）。",
    reasoning: "请先逐步分析，最后单独一行给出决策名称：本地执行，或 卸载到边缘服务器k（k 为服务器编号）。",
  },
  noise: [
    "基站的外墙去年春天刚刚粉刷过。",
    "今天有微风，天气晴朗。",
    "运营商的通讯每周二发布。",
    "天线杆上停着三只鸽子。",
    "用户喜欢深色的界面主题。",
    "附近的咖啡馆营业到18点。",
    "站点海拔412米。",
    "维修车停在大楼后面。",
    "昨天的足球比赛以2比1结束。",
    "手机套是蓝色的。",
  ],
  answer: (action) => (action === 0 ? "本地执行" : `卸载到边缘服务器${action}`),
  check: (observation) => {
    const listed = listedServers(observation);
    const other = listed.find((e) => observation.rateMbps[e] !== observation.rateMbps[listed[0]]);
    if (other === undefined) return;
    throw new MecgymError("unsupportedState", {
      path: `rateMbps/${other}`,
      got: observation.rateMbps[other],
      expected:
        `the one uplink rate that template zh-release-v1 has words for, ${observation.rateMbps[listed[0]]} Mbit/s ` +
        "(scenario release-3-servers-v1 has it)",
    });
  },
  describe: (observation, units, { networkWaitSlots }) => {
    const cyclesPerBit = `每比特周期数 ${withDecimal(units.constant("density", observation.densityGcyclesPerMbit))}`;
    const rateMbps = commonRateMbps(observation);
    return [
      {
        heading: "",
        isServers: false,
        entries: [
          { label: "任务大小", fields: [units.factor("data", observation.sizeMbit)] },
          { label: "最大延迟", fields: [units.constant("time", observation.deadlineSlots)] },
          { label: "本地CPU队列等待时间", fields: [units.amount("time", observation.localWaitSlots)] },
          { label: "网络队列等待时间", fields: [units.amount("time", networkWaitSlots)] },
          { label: "网络上传速率", fields: [units.factor("rate", rateMbps)] },
          { label: "时间槽时长", fields: [`${Number(observation.slotSeconds.toPrecision(12))}秒`] },
          { label: "丢弃惩罚", fields: [units.constant("time", observation.penaltySlots)] },
          {
            label: "本地设备",
            fields: [
              "类型 移动设备",
              `CPU频率 ${withDecimal(units.constant("cpu", observation.localCpuGHz))}`,
              cyclesPerBit,
              `传输速率 ${withDecimal(String(Number(rateMbps.toPrecision(8))))} Mbps`,
            ],
          },
        ],
      },
      {
        heading: "",
        isServers: true,
        entries: listedServers(observation).map((e) => {
          const history = observation.workloadHistoryMbit[e];
          return {
            label: `边缘服务器${e + 1}`,
            fields: [
              `类型 ${serverType(observation.cpuGHz[e])}`,
              `CPU频率 ${withDecimal(trimmed(units.factor("cpu", observation.cpuGHz[e])))}`,
              cyclesPerBit,
              `活跃任务数${observation.activeTasks[e]}，服务器总队列长度${units.amount("data", observation.workloadMbit[e])}`,
              `过去${history.length}个时间槽负载: [${units.history(history, 1).join(", ")}]`,
            ],
          };
        }),
      },
    ];
  },
  assemble: (sections, request) => {
    const lines = sections.flatMap(({ entries }) =>
      entries.map(({ label, fields }) => (label === "" ? fields[0] : `${label}: ${fields.join(", ")}`)),
    );
    return [
      "新任务可以在本地设备上执行，也可以卸载到一台边缘服务器。请估算每种选择的总延迟，选出延迟最小的一种。",
      "本地延迟 = 本地CPU队列等待时间 + 本地计算时间。",
      "边缘延迟 = 网络队列等待时间 + 上传时间 + 服务器排队时间 + 服务器计算时间；服务器的处理能力由所有活跃任务（包括新任务）平均分享。",
      "负载是服务器在过去各时间槽结束时的队列长度。",
      request,
      "",
      RELEASE_MARKER,
      ...lines,
    ].join("\n");
  },
};

/** The line after which the published scripts expect the fields. */
export const RELEASE_MARKER = "**输入数据**：";

function commonRateMbps(observation: Observation): number {
  return observation.rateMbps[listedServers(observation)[0] ?? 0];
}

/** The authors' word for a server of this capacity. */
export function serverType(cpuGHz: number): string {
  if (cpuGHz >= FAST_GHZ) return "高性能型";
  return cpuGHz >= STANDARD_GHZ ? "标准型" : "节能型";
}

/** Removes trailing zeros of the decimals. */
function trimmed(text: string): string {
  return text.replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
}

/** A number as in their data: with at least one decimal. */
function withDecimal(text: string): string {
  return text.replace(/^(\d+)(?=[^\d.]|$)/, "$1.0");
}
