/** A state whose servers are all absent: its words are read again, and local execution is scored. */

import { describe, expect, it } from "vitest";
import { readReleasePrompt } from "../../../env/comllm-release/reader.js";
import { scoreRelease } from "../../../env/comllm-release/score.js";
import { releaseStateOf } from "../../../env/comllm-release/state.js";
import { copyObservation, makeEnv, type ObservationData, renderPrompt } from "../../../env/index.js";

const seen: ObservationData = copyObservation(makeEnv("release-3-servers-v1").reset(1).observation);
const none = { ...seen, rateMbps: [0, 0, 0], cpuGHz: [0, 0, 0], isAvailable: [0, 0, 0] } as unknown as ObservationData;

describe("a state without an available server", () => {
  it("is read from its own words", () => {
    const read = readReleasePrompt(renderPrompt(none, { template: "zh-release-v1" }).text);
    expect(read?.servers).toEqual([]);
    expect(read?.rateMbitPerSlot).toBe(0);
  });

  it("is scored as the device's cost", () => {
    const scored = scoreRelease(releaseStateOf(none), "本地执行");
    expect(scored.action).toBe(0);
    expect(scored.costSlots).toBeGreaterThan(0);
    expect(Number.isFinite(scored.reward)).toBe(true);
  });

  it("still needs a rate if a server is there", () => {
    const words = renderPrompt(seen, { template: "zh-release-v1" }).text.replace(
      /网络上传速率: [\d.]+/,
      "网络上传速率: 0",
    );
    expect(() => readReleasePrompt(words)).toThrow(/网络上传速率: expected .* above 0/);
  });
});
