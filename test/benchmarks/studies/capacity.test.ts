/** The capacity map: what bisection finds for a policy with known collapses, and what it refuses. */

import { describe, expect, it } from "vitest";
import { InlineRunner } from "../../../benchmarks/jobs/job-queue.js";
import {
  findCapacities,
  isCertainlyStable,
  isCertainlyUnstable,
  type Probe,
  type ProbeKey,
} from "../../../benchmarks/studies/capacity.js";

/** Answers probes by a rule, so that nothing has to be played, and counts them. */
function storeOf(collapsedWith: (users: number) => number) {
  const asked: number[] = [];
  return {
    asked,
    load(key: ProbeKey): Probe {
      const users = Number.parseInt(key.setting, 10);
      asked.push(users);
      return { users, collapsed: collapsedWith(users), episodes: key.episodes };
    },
    save: () => expect.fail("nothing was played"),
  };
}

const search = {
  policies: ["oracle"],
  scenario: "paper-long-v1",
  episodes: 100,
  firstSeed: 0,
  mostUsers: 96,
  runner: new InlineRunner(),
};

describe("the search", () => {
  it.each([
    [0, 20],
    [5, 20],
    [6, 19],
  ])("with %i of 100 collapsed at 20 users the largest stable number is %i", async (collapsedAt20, expected) => {
    const store = storeOf((users) => (users < 20 ? 0 : users === 20 ? collapsedAt20 : 50));
    const [capacity] = await findCapacities({ ...search, store });
    expect(capacity.users).toBe(expected);
    expect(new Set(store.asked).size).toBe(store.asked.length);
    expect(store.asked.length).toBeLessThan(15);
  });

  it("says between which numbers the verdict is not certain", async () => {
    // one collapse in 100 more with each user from 21 on: 0 of 100 is certainly stable, 11 certainly unstable
    const store = storeOf((users) => Math.max(0, users - 20));
    const [capacity] = await findCapacities({ ...search, store });
    expect(capacity).toMatchObject({ users: 25, low: 20, high: 30 });
    expect(capacity.probes.map((probe) => probe.users)).toEqual([...store.asked].sort((a, b) => a - b));
  });

  it("stops at the largest number of users, and at 0", async () => {
    const all = await findCapacities({ ...search, store: storeOf(() => 0) });
    expect(all[0]).toMatchObject({ users: 96, low: 96, high: 96 });
    const none = await findCapacities({ ...search, store: storeOf(() => 100) });
    expect(none[0]).toMatchObject({ users: 0, low: 0, high: 0 });
  });

  it("plays probes that are not kept: local is unstable with one user, at 1.05 Mbit a slot against 0.67", async () => {
    const saved: [ProbeKey, Probe][] = [];
    const store = { load: () => undefined, save: (key: ProbeKey, probe: Probe) => saved.push([key, probe]) };
    const [capacity] = await findCapacities({ ...search, policies: ["local"], episodes: 2, mostUsers: 2, store });
    expect(capacity.users).toBe(0);
    expect(saved.map(([, probe]) => probe)).toEqual(capacity.probes.toReversed());
    expect(saved.every(([, probe]) => probe.collapsed === 2)).toBe(true);
  });
});

describe("certainty", () => {
  it("0.95^72 = 0.0249 and 0.95^71 = 0.0262: no collapse in 72 episodes is enough", () => {
    expect(isCertainlyStable(0, 72)).toBe(true);
    expect(isCertainlyStable(0, 71)).toBe(false);
    expect(isCertainlyStable(1, 100)).toBe(false); // 0.0371
  });

  it("1 − 0.95² = 0.0975: two of two are enough, 0.05² = 0.0025, one of two is not", () => {
    expect(isCertainlyUnstable(2, 2)).toBe(true);
    expect(isCertainlyUnstable(1, 2)).toBe(false);
    expect(isCertainlyUnstable(0, 100)).toBe(false);
  });
});

describe("what is refused", () => {
  it.each([
    [{ scenario: "paper-v1" }, /invalidOption at --scenario: expected a scenario with episodes of 1000 slots/],
    [{ scenario: "paper-3-to-11-servers-v1" }, /invalidOption at --scenario: expected a scenario with a fixed number/],
    [{ policies: ["orakel"] }, /unknownPolicy/],
    [{ firstSeed: -1 }, /invalidSeed at --seed/],
  ])("%o", async (change, message) => {
    await expect(findCapacities({ ...search, ...change, store: storeOf(() => 0) })).rejects.toThrow(message);
  });
});
