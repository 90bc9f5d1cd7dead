/** Bursty arrivals have the rates and the times that the scenario gives. */

import { describe, expect, it } from "vitest";
import { makeEnv, type ScenarioInput } from "../../../env/index.js";

describe("bursty arrivals", { timeout: 300_000 }, () => {
  it("have a mean of 0.3 for each user and slot, in busy times of 10 slots and quiet ones of 20", () => {
    const scenario: ScenarioInput = {
      users: { count: 50 },
      arrivals: {
        process: "bursty",
        busyProbability: 0.6,
        quietProbability: 0.15,
        meanBusySlots: 10,
        meanQuietSlots: 20,
      },
      episodeSlots: 300,
      service: "work-conserving",
    };
    // with 50 users a slot's count tells the chain's state: 30 ± 3.5 tasks busy, 7.5 ± 2.5 quiet
    let tasks = 0;
    let busySlots = 0;
    let busyTimes = 0;
    let startsBusy = 0;
    const episodes = 200;
    for (let seed = 0; seed < episodes; seed++) {
      const env = makeEnv(scenario, { seed });
      const counts = new Array<number>(300).fill(0);
      let step = env.reset();
      for (;;) {
        counts[step.observation.slot]++;
        step = env.step(1);
        tasks++;
        if (step.truncated) break;
      }
      const isBusy = counts.map((count) => count > 18);
      if (isBusy[0]) startsBusy++;
      busySlots += isBusy.filter(Boolean).length;
      busyTimes += isBusy.filter((busy, t) => busy && !isBusy[t - 1]).length;
    }
    const slots = episodes * 300;
    expect(tasks / slots / 50).toBeCloseTo(0.3, 1.7);
    expect(busySlots / slots).toBeCloseTo(1 / 3, 1.5);
    expect(busySlots / busyTimes).toBeGreaterThan(9);
    expect(busySlots / busyTimes).toBeLessThan(11);
    // 200 starts at 1/3: 67 ± 6.7
    expect(Math.abs(startsBusy - episodes / 3)).toBeLessThan(4 * 6.7);
  });
});
