/** The tracks and pictures of the pages that play episodes, without a browser. */

import { expect, test } from "vitest";
import { makePolicy } from "../../../benchmarks/policies/index.js";
import { drawCosts } from "../../../benchmarks/viewer/cost-curve.js";
import { EpisodeTrack, recorded, type Scene } from "../../../benchmarks/viewer/episode-track.js";
import { drawScene, escapeText, fullMbit } from "../../../benchmarks/viewer/picture.js";
import { makeEnv, resolveScenario } from "../../../env/index.js";

const scenario = resolveScenario("paper-v1");
const newTrack = (policy: string, seed = 1_000_000) =>
  new EpisodeTrack(scenario, seed, makePolicy(policy, seed, scenario));

/** The same episode by the public environment: costs by slot. */
function costsBySlot(policy: string, seed: number): number[] {
  const env = makeEnv("paper-v1");
  const act = makePolicy(policy, seed, "paper-v1");
  const costs = new Array<number>(scenario.episodeSlots).fill(0);
  let step = env.reset(seed);
  while (!step.truncated) {
    const { slot } = step.observation;
    step = env.step(act(step.observation, (options) => env.lookAhead(options)));
    costs[slot] += step.costSlots;
  }
  return costs;
}

test("a track has the costs of the environment, however it is played", () => {
  for (const policy of ["oracle", "lacs", "random"]) {
    const expected = costsBySlot(policy, 1_000_000);
    const whole = newTrack(policy);
    whole.playToSlot(scenario.episodeSlots);
    const bySlots = newTrack(policy);
    for (let slot = 0; slot <= scenario.episodeSlots; slot += 7) bySlots.playToSlot(slot);
    bySlots.playToDecision(Number.POSITIVE_INFINITY);
    expect([...whole.costSumSlots]).toEqual(expected);
    expect([...bySlots.costSumSlots]).toEqual(expected);
    expect(whole.hasEnded && bySlots.hasEnded).toBe(true);
    expect(whole.slot).toBe(scenario.episodeSlots);
    expect(whole.decisionsInSlot.reduce((a, b) => a + b)).toBe(whole.actions.length);
  }
});

test("recorded actions give the episode again, and a step after the end changes nothing", () => {
  const played = newTrack("two-choices");
  played.playToSlot(scenario.episodeSlots);
  const again = new EpisodeTrack(scenario, 1_000_000, recorded(played.actions));
  again.playToSlot(scenario.episodeSlots);
  expect(again.costSumSlots).toEqual(played.costSumSlots);
  const before = again.scene();
  again.step();
  expect(again.scene()).toEqual(before);
});

test("mean costs are over decisions, not over slots", () => {
  const track = newTrack("oracle");
  expect(track.meanCostSlots(0, 100)).toBeNaN();
  track.playToSlot(scenario.episodeSlots);
  const { costSumSlots, decisionsInSlot } = track;
  const sum = costSumSlots[3] + costSumSlots[4];
  expect(track.meanCostSlots(3, 5)).toBe(sum / (decisionsInSlot[3] + decisionsInSlot[4]));
});

test("a scene shows the decision to take now", () => {
  const track = newTrack("oracle");
  track.playToDecision(30);
  const scene = track.scene();
  expect(scene.numDecisions).toBe(30);
  expect(scene.costSlots).toHaveLength(7);
  const picture = drawScene(scene, { title: "oracle" });
  const cheapest = Math.min(...scene.costSlots).toFixed(2);
  expect(picture).toMatch(new RegExp(`class="cost best"[^>]*>${cheapest.replace(".", "\\.")}<`));
  expect(picture).toContain(`Slot ${scene.slot} of 100`);
  for (const { cpuGHz } of scene.servers) expect(picture).toContain(`${cpuGHz.toFixed(1)} GHz`);
});

test("an absent server has no cost, and pictures of many servers stay finite", () => {
  const churn = resolveScenario({ numServers: 60, churn: { leaveProbability: 0.5, returnProbability: 0.1 } });
  const track = new EpisodeTrack(churn, 1_000_000, makePolicy("oracle", 0, churn));
  track.playToSlot(20);
  const scene = track.scene();
  expect(scene.servers.some((server) => !server.isAvailable)).toBe(true);
  const picture = drawScene(scene, { title: "churn" });
  expect(picture).toContain(">absent<");
  expect(picture).not.toMatch(/NaN|Infinity|undefined/);
});

test("a queue's bar is full at a round number that no queue exceeds", () => {
  const sceneOf = (...loads: number[]) =>
    ({ servers: loads.map((workloadMbit) => ({ workloadMbit })) }) as unknown as Scene;
  expect(fullMbit([sceneOf(0, 3)])).toBe(20);
  expect(fullMbit([sceneOf(20.1)])).toBe(50);
  expect(fullMbit([sceneOf(50), sceneOf(99)])).toBe(100);
  expect(fullMbit([sceneOf(1000.5)])).toBe(2000);
});

test("cost curves stay within their frame, also in a collapse", () => {
  const heavy = resolveScenario({ users: { count: 60 }, episodeSlots: 300 });
  const track = new EpisodeTrack(heavy, 1_000_000, makePolicy("oracle", 0, heavy));
  track.playToSlot(300);
  const svg = drawCosts([{ name: "oracle <&>", kind: "left", track }]);
  expect(svg).toContain("oracle &lt;&amp;&gt;");
  const path = /class="curve left" fill="none" d="M([^"]+)"/.exec(svg)?.[1] ?? "";
  const ys = path.split("L").map((point) => Number(point.split(" ")[1]));
  expect(ys.length).toBeGreaterThan(100);
  for (const y of ys) expect(y >= 16 && y <= 220, String(y)).toBe(true);
});

test("words of a user cannot become markup", () => {
  expect(escapeText(`<a href="x">&`)).toBe("&lt;a href=&quot;x&quot;&gt;&amp;");
});
