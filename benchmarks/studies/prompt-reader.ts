/** Reads the numbers of a prompt back, as a reader of its text would: nothing here knows how prompts are made. */

/** What a prompt tells of a decision, in the simulator's units. */
export interface ReadState {
  sizeMbit: number;
  densityGcyclesPerMbit: number;
  deadlineSeconds: number;
  localCpuGHz: number;
  localWaitSeconds: number;
  servers: { rateMbps: number; cpuGHz: number; activeTasks: number; workloadMbit: number }[];
}

/** Mbit, Mbit/s, GHz, Gcycles/Mbit, s; slots and what is counted in slots are given by the slot's length. */
const inBaseUnits: Record<string, number> = {
  Mbit: 1,
  Mbits: 1,
  kbit: 1 / 1000,
  kbits: 1 / 1000,
  kB: 8 / 1000,
  MB: 8,
  "Mbit/s": 1,
  "kbit/s": 1 / 1000,
  "Mbits/秒": 1,
  "kbits/秒": 1 / 1000,
  Mbps: 1,
  kbps: 1 / 1000,
  "kB/s": 8 / 1000,
  "MB/s": 8,
  GHz: 1,
  MHz: 1 / 1000,
  "Gcycles/Mbit": 1,
  "cycles/bit": 1 / 1000,
  s: 1,
  秒: 1,
  ms: 1 / 1000,
  毫秒: 1 / 1000,
};

function quantity(text: string, unit: string, slotSeconds: number): number {
  const value = Number(text);
  if (unit === "slots" || unit === "时间槽") return value * slotSeconds;
  if (unit === "Mbits/时间槽") return value / slotSeconds;
  if (!(unit in inBaseUnits) || text.trim() === "" || !Number.isFinite(value)) throw new Error(`${text} ${unit}?`);
  return value * inBaseUnits[unit];
}

function find(text: string, pattern: RegExp, slotSeconds: number): number {
  const match = text.match(pattern);
  if (match === null) throw new Error(`${pattern} is not in ${text}`);
  return quantity(match[1], match[2], slotSeconds);
}

export function readPrompt(template: string, prompt: string, slotSeconds: number): ReadState {
  const lines = prompt.split("\n");
  const line = (start: string) => {
    const found = lines.find((one) => one.startsWith(start));
    if (found === undefined) throw new Error(`no line ${start}`);
    return found;
  };
  const get = (text: string, pattern: RegExp) => find(text, pattern, slotSeconds);
  if (template === "en-v1") {
    const local = lines.slice(lines.indexOf("Local device:"));
    return {
      sizeMbit: get(line("size: "), /: ([\d.]+) (\S+)$/),
      densityGcyclesPerMbit: get(line("computation: "), /: ([\d.]+) (\S+)$/),
      deadlineSeconds: get(line("deadline: "), /: ([\d.]+) (\S+)$/),
      localCpuGHz: get(local.find((one) => one.startsWith("CPU: ")) as string, /: ([\d.]+) (\S+)$/),
      localWaitSeconds: get(line("wait: "), /: ([\d.]+) (\S+)$/),
      servers: lines
        .filter((one) => /^Server \d+: /.test(one))
        .map((one) => ({
          rateMbps: get(one, /uplink ([\d.]+) ([^\s,]+)/),
          cpuGHz: get(one, /CPU ([\d.]+) ([^\s,]+)/),
          activeTasks: Number(one.match(/(\d+) tasks?\b/)?.[1]),
          workloadMbit: get(one, /queue ([\d.]+) ([^\s,]+)/),
        })),
    };
  }
  if (template === "en-compact-v1") {
    return {
      sizeMbit: get(line("Task "), /([\d.]+) ([kM](?:bit|B))\b/),
      densityGcyclesPerMbit: get(line("Task "), /([\d.]+) (cycles\/bit|Gcycles\/Mbit)/),
      deadlineSeconds: get(line("Task "), /due ([\d.]+) (\S+)/),
      localCpuGHz: get(line("Local "), /([\d.]+) ([MG]Hz)/),
      localWaitSeconds: get(line("Local "), /wait ([\d.]+) (\S+)/),
      servers: lines
        .filter((one) => /^\d+ \d/.test(one))
        .map((one) => ({
          rateMbps: get(one, / ([\d.]+) ([kM]bps|kB\/s)/),
          cpuGHz: get(one, / ([\d.]+) ([MG]Hz)/),
          activeTasks: Number(one.match(/ (\d+) tasks?\b/)?.[1]),
          workloadMbit: get(one, / ([\d.]+) ([kM](?:bit|B))(?= |$)/),
        })),
    };
  }
  const rateMbps = get(line("网络上传速率: "), /: ([\d.]+) (\S+)/);
  return {
    sizeMbit: get(line("任务大小: "), /: ([\d.]+) (\S+)$/),
    densityGcyclesPerMbit: Number(line("本地设备: ").match(/每比特周期数 ([\d.]+)/)?.[1]) / 1000,
    deadlineSeconds: get(line("最大延迟: "), /: ([\d.]+) (\S+)$/),
    localCpuGHz: get(line("本地设备: "), /CPU频率 ([\d.]+) ([MG]Hz)/),
    localWaitSeconds: get(line("本地CPU队列等待时间: "), /: ([\d.]+) (\S+)$/),
    servers: lines
      .filter((one) => /^边缘服务器\d+: /.test(one))
      .map((one) => ({
        rateMbps,
        cpuGHz: get(one, /CPU频率 ([\d.]+) ([MG]Hz)/),
        activeTasks: Number(one.match(/活跃任务数(\d+)，/)?.[1]),
        workloadMbit: get(one, /服务器总队列长度([\d.]+) ([kM]bits)/),
      })),
  };
}

/** The action of the smallest latency by the numbers of the text, the lowest index of equals (eq. 3, 7, 15). */
export function cheapestByText(state: ReadState): number {
  const { sizeMbit, densityGcyclesPerMbit } = state;
  const seconds = [
    state.localWaitSeconds + (sizeMbit * densityGcyclesPerMbit) / state.localCpuGHz,
    ...state.servers.map(
      ({ rateMbps, cpuGHz, activeTasks, workloadMbit }) =>
        sizeMbit / rateMbps + ((workloadMbit + sizeMbit) * densityGcyclesPerMbit * (activeTasks + 1)) / cpuGHz,
    ),
  ];
  return seconds.indexOf(Math.min(...seconds));
}
