/** Every native policy against the contract, and its rule on hand-made observations. */

import { describe, expect, it } from "vitest";
import { PolicyDecider } from "../../../benchmarks/play/deciders.js";
import { EpisodePlayer } from "../../../benchmarks/play/episode-player.js";
import { answerStates } from "../../../benchmarks/play/recorded-states.js";
import { AdaptivePrices, adaptiveFeatures, makeAdaptive } from "../../../benchmarks/policies/adaptive.js";
import { findPolicy, makePolicy, makePriced, type Policy, policies } from "../../../benchmarks/policies/index.js";
import { adaptiveWeights } from "../../../benchmarks/policies/manifest.js";
import {
  BatchEnv,
  copyObservation,
  LaneView,
  lookAheadOfState,
  MecgymError,
  type ObservationData,
  resolveScenario,
} from "../../../env/index.js";
import { describePolicyContract, withAvailable } from "../../contracts/policy-contract.js";

for (const entry of policies) describePolicyContract(entry);

/** Three servers: the second has the best uplink, the third is fastest, the first is empty. */
const observation: ObservationData = {
  slot: 4,
  decisionIndex: 9,
  sizeMbit: 4,
  densityGcyclesPerMbit: 0.25,
  deadlineSlots: 10,
  penaltySlots: 10,
  slotSeconds: 0.1,
  userIndex: 0,
  localCpuGHz: 2,
  localBacklogMbit: 1,
  localWaitSlots: 1.25,
  numServers: 3,
  rateMbps: [8, 20, 10],
  cpuGHz: [20, 25, 40],
  activeTasks: [0, 3, 1],
  workloadMbit: [0, 6, 3],
  workloadHistoryMbit: [[0], [0], [0]],
};

describe("the rules", () => {
  it("local stays, best-rate takes server 2, fastest server 3", () => {
    expect(makePolicy("local")(observation)).toBe(0);
    expect(makePolicy("best-rate")(observation)).toBe(2);
    expect(makePolicy("fastest")(observation)).toBe(3);
  });

  it("least-loaded: (L+D)(N+1)/F is 4·1/20 = 0.2, 10·4/25 = 1.6, 7·2/40 = 0.35", () => {
    expect(makePolicy("least-loaded")(observation)).toBe(1);
  });

  it("oracle: in slots 6.25 local; 5 + 0.5 = 5.5; 2 + 2.4 + 1.6 = 6; 4 + 0.375 + 0.5 = 4.875", () => {
    // local: (1·0.25/2 + 4·0.25/2)/0.1; server 1: (4/8 + 0 + 4·0.25·1/20)/0.1;
    // server 2: (4/20 + 6·0.25·4/25 + 4·0.25·4/25)/0.1; server 3: (4/10 + 3·0.25·2/40 + 4·0.25·2/40)/0.1
    expect(makePolicy("oracle")(observation)).toBe(3);
  });

  it("round-robin visits the servers in turn and starts over in every episode", () => {
    const policy = makePolicy("round-robin");
    expect([1, 2, 3, 4].map(() => policy(observation))).toEqual([1, 2, 3, 1]);
    expect(makePolicy("round-robin")(observation)).toBe(1);
  });

  it("random takes each of the four actions about equally often", () => {
    const policy = makePolicy("random", 3);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 8000; i++) counts[policy(observation)]++;
    // standard deviation of a count: sqrt(8000·1/4·3/4) = 38.7
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(4 * 38.7);
  });

  it("two-choices takes the less loaded of each pair: server 1 from two of three pairs, never server 2", () => {
    const policy = makePolicy("two-choices", 5);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 6000; i++) counts[policy(observation)]++;
    expect(counts[0]).toBe(0);
    expect(counts[2]).toBe(0);
    expect(Math.abs(counts[1] - 4000)).toBeLessThan(4 * 36.5);
  });

  it("ties go to the lowest index", () => {
    const tied = {
      ...observation,
      rateMbps: [9, 9, 9],
      cpuGHz: [30, 30, 30],
      activeTasks: [1, 1, 1],
      workloadMbit: [2, 2, 2],
    };
    for (const name of ["best-rate", "fastest", "least-loaded"]) expect(makePolicy(name)(tied)).toBe(1);
  });

  it("random decides differently for neighbouring seeds", () => {
    const answers = (seed: number) => {
      const policy = makePolicy("random", seed);
      return Array.from({ length: 20 }, () => policy(observation)).join();
    };
    const all = new Set(Array.from({ length: 200 }, (_, seed) => answers(2_000_000 + seed)));
    expect(all.size).toBe(200);
  });
});

describe("the rules with absent servers", () => {
  const without = (...absent: number[]): ObservationData =>
    withAvailable(
      observation,
      [1, 2, 3].map((server) => !absent.includes(server)),
    );

  it("the next best server is taken, and the device if no server is available", () => {
    expect(makePolicy("best-rate")(without(2))).toBe(3);
    expect(makePolicy("fastest")(without(3))).toBe(2);
    expect(makePolicy("least-loaded")(without(1))).toBe(3);
    expect(makePolicy("oracle")(without(3))).toBe(1); // 5.5
    expect(makePriced(1)(without(1))).toBe(3); // 5.875
    for (const name of ["best-rate", "fastest", "least-loaded", "two-choices", "round-robin", "oracle", "random"]) {
      expect(makePolicy(name)(without(1, 2, 3))).toBe(0);
    }
  });

  it("round-robin skips them, and continues after the last server it took", () => {
    const policy = makePolicy("round-robin");
    expect([observation, without(2), without(1, 2, 3), observation, without(2, 3)].map((one) => policy(one))).toEqual([
      1, 3, 0, 1, 1,
    ]);
  });

  it("random takes each of the three remaining actions about equally often", () => {
    const policy = makePolicy("random", 3);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 6000; i++) counts[policy(without(2))]++;
    expect(counts[2]).toBe(0);
    // standard deviation of a count: sqrt(6000·1/3·2/3) = 36.5
    for (const action of [0, 1, 3]) expect(Math.abs(counts[action] - 2000)).toBeLessThan(4 * 36.5);
  });

  it("two-choices takes the remaining pair, or the remaining server", () => {
    const policy = makePolicy("two-choices", 5);
    for (let i = 0; i < 100; i++) {
      expect(policy(without(1))).toBe(3);
      expect(policy(without(1, 3))).toBe(2);
    }
  });
});

describe("an answer that names an absent server", () => {
  it("is charged the costliest action that can be taken, in single states too", () => {
    const state = { ...observation, isAvailable: [true, false, true], rateMbps: [8, 0, 10] };
    const scenario = resolveScenario("churn-v1");
    const stubborn = new PolicyDecider({ make: () => () => 2 }, scenario);
    const [unit] = answerStates(scenario, [{ episodeSeed: 0, state }], stubborn);
    expect(unit.decisions.isInvalid(0)).toBe(true);
    expect(unit.decisions.action(0)).toBe(0); // 6.25 slots on the device, 5.5 and 4.875 on the servers
    expect(unit.decisions.costSlots(0)).toBe(6.25);
  });
});

describe("policies that look beyond the cost now", () => {
  it("priced: 5.5 + 0 for server 1 beats 4.875 + 1 for server 3; with a toll of 0.5 server 3 wins, 5.375", () => {
    expect(makePriced(1)(observation)).toBe(1);
    expect(makePriced(0.5)(observation)).toBe(3);
    expect(makePriced(0)(observation)).toBe(makePolicy("oracle")(observation));
  });

  it("lacs takes the largest reward, ties to the lowest index, and needs a look-ahead", () => {
    const reward = Float64Array.of(-5, -3, -3, -4);
    const result = { latencySlots: reward, costSlots: reward, impactSlots: reward, reward };
    expect(makePolicy("lacs")(observation, () => result)).toBe(1);
    expect(() => makePolicy("lacs")(observation)).toThrow(/invalidOption at lookAhead/);
  });

  it("a recorded state's look-ahead is that of the lane it was recorded in", () => {
    const scenario = resolveScenario("paper-v1");
    const batch = new BatchEnv({ scenarios: [scenario], numLanes: 1 });
    batch.reset([12]);
    for (let i = 0; i < 60; i++) batch.step([i % 7]);
    const state = copyObservation(new LaneView(batch.lanes, 0));
    for (const options of [{}, { mode: "sequential", numSamples: 5 }, { rates: "resampled", weight: 1 }] as const) {
      expect(lookAheadOfState(scenario, 12, state, options)).toEqual(batch.lookAhead(0, options));
    }
  });
});

describe("adaptive", () => {
  const weightsOf = (weights: Record<string, number>) => adaptiveFeatures.map((name) => weights[name] ?? 0);
  const price = (weights: Record<string, number>, seen: ObservationData[] = []) => {
    const prices = new AdaptivePrices(weightsOf(weights));
    const out = new Float64Array(4);
    for (const one of [...seen, observation]) prices.see(one);
    prices.priceAll(observation, out);
    return [...out];
  };
  const costs = [6.25, 5.5, 6, 4.875];
  /** The price without J, rounded so that only arithmetic mistakes show. */
  const added = (weights: Record<string, number>, seen?: ObservationData[]) =>
    price(weights, seen).map((one, action) => Math.round(1e9 * (one - costs[action])) / 1e9 + 0);

  it("prices each feature as described", () => {
    // N = 0, 3, 1; wait = L·0.25·(N+1)/F/0.1 = 0, 2.4, 0.375; work = 4·0.25/F/0.1 = 0.5, 0.4, 0.25; mean N = 4/3
    expect(added({ N: 1 })).toEqual([0, 0, 3, 1]);
    expect(added({ "N*N": 1 })).toEqual([0, 0, 9, 1]);
    expect(added({ "N*wait": 1 })).toEqual([0, 0, 7.2, 0.375]);
    expect(added({ "N*work": 1 })).toEqual([0, 0, 1.2, 0.25]);
    expect(added({ "N*mean": 0.75 })).toEqual([0, 0, 3, 1]);
    expect(added({ "work*mean": 0.75 })).toEqual([0, 0.5, 0.4, 0.25]);
    // backlog = 1·0.25/2/0.1
    expect(added({ backlog: 1 })).toEqual([1.25, 0, 0, 0]);
    expect(added({ mean: 0.75 })).toEqual([1, 0, 0, 0]);
  });

  it("the load: 9 tasks in 4 slots on 3 servers and 6 in 10 before, of 39/11 Mbit, on 85 GHz: 0.2252", () => {
    const load = (((9 / 3 + 6) / (4 + 10)) * (39 / 11) * 2.5 * 3) / 85;
    const rounded = (value: number) => Number(value.toFixed(9));
    expect(added({ load: 1 })).toEqual([rounded(load), 0, 0, 0]);
    expect(added({ "load*load": 1 })).toEqual([rounded(load * load), 0, 0, 0]);
    expect(added({ "N*load": 1 })).toEqual([0, 0, rounded(3 * load), rounded(load)]);
    expect(added({ "N*N*load*load": 1 })).toEqual([0, 0, rounded(9 * load * load), rounded(load * load)]);
    expect(added({ "wait*load": 1 })).toEqual([0, 0, rounded(2.4 * load), rounded(0.375 * load)]);
    expect(added({ "deviceWork*load": 1 })).toEqual([rounded(5 * load), 0, 0, 0]);
    // a second task of 6 Mbit: (35 + 6 + 4)/12 a task
    const heavier = (load * 45) / 12 / (39 / 11);
    expect(added({ load: 1 }, [{ ...observation, sizeMbit: 6 }])).toEqual([rounded(heavier), 0, 0, 0]);
  });

  it("takes the smallest price, and stays local if no server is available", () => {
    expect(makeAdaptive(weightsOf({}))(observation)).toBe(3);
    expect(makeAdaptive(weightsOf({ N: 1 }))(observation)).toBe(1);
    expect(makeAdaptive(weightsOf({ N: 1, mean: -1 }))(observation)).toBe(0);
    const without = { ...observation, isAvailable: [false, false, false] };
    expect(makeAdaptive(weightsOf({ mean: 100 }))(without)).toBe(0);
  });

  it("with the tuned weights, its toll rises with the load it has seen", () => {
    // late in an episode with few tasks, and with many
    const at = (decisionIndex: number) => {
      const prices = new AdaptivePrices(adaptiveWeights);
      const out = new Float64Array(4);
      const state = { ...observation, slot: 100, decisionIndex };
      prices.see(state);
      prices.priceAll(state, out);
      // what server 2 costs more than the empty server 1, beyond J
      return out[2] - costs[2] - (out[1] - costs[1]);
    };
    expect(at(500)).toBeGreaterThan(at(100));
  });
});

describe("options in a policy's name", () => {
  it("are used, and named in results", () => {
    const scenario = resolveScenario("load-24-users-v1");
    const actions = (policy: Policy) => new EpisodePlayer(scenario).play(policy, 5).decisions.actions();
    expect(actions(makePolicy("priced:tollSlots=4", 0, scenario))).toEqual(actions(makePriced(4)));
    expect(findPolicy("priced:tollSlots=4").parameters?.(scenario)).toEqual({ tollSlots: 4 });
    const asked: unknown[] = [];
    const reward = new Float64Array(4);
    const result = { latencySlots: reward, costSlots: reward, impactSlots: reward, reward };
    makePolicy("lacs:weight=1:numSamples=5")(observation, (options) => {
      asked.push(options);
      return result;
    });
    expect(asked).toEqual([{ weight: 1, numSamples: 5 }]);
    expect(findPolicy("lacs:weight=1")).toMatchObject({ name: "lacs:weight=1", needsLookAhead: true });
    expect(findPolicy("rollout:base=priced:horizonSlots=5").parameters?.(scenario)).toMatchObject({
      ...{ base: "priced", horizonSlots: 5, numCandidates: 4 },
      tollSlots: findPolicy("priced").parameters?.(scenario).tollSlots,
    });
  });

  it.each([
    ["lacs:", "one of weight=…, numSamples=…"],
    ["lacs:lambda=1", "one of weight=…, numSamples=…"],
    ["lacs:weight=", "weight=a number from 0 to 1000"],
    ["lacs:weight=-1", "weight=a number from 0 to 1000"],
    ["lacs:weight=NaN", "weight=a number from 0 to 1000"],
    ["lacs:weight=1=2", "one of weight=…, numSamples=…"],
    ["lacs:weight=1:weight=2", "weight once"],
    ["lacs:numSamples=1.5", "numSamples=an integer from 1 to 64"],
    ["rollout:base=random", "base=oracle or priced or adaptive"],
    ["oracle:x=1", "a policy without options"],
    ["lacs:__proto__=1", "one of weight=…, numSamples=…"],
  ])("%s is refused", (name, expected) => {
    expect(() => findPolicy(name)).toThrow(`invalidOption at policy/${name.split(":")[0]}: expected ${expected}`);
  });
});

describe("an unknown policy", () => {
  it("is refused with the known names", () => {
    expect(() => findPolicy("orakel")).toThrow(MecgymError);
    expect(() => findPolicy("orakel")).toThrow(/unknownPolicy at policy: expected one of random, local.*got "orakel"/);
  });
});
