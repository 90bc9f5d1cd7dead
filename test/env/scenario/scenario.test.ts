/** Scenarios: what is rejected, and what the content hash depends on. */

import { describe, expect, it } from "vitest";
import { listScenarios, resolveScenario, type ScenarioInput, scenarioHash } from "../../../env/index.js";
import { errorOf } from "../episodes.js";

describe("scenarios", () => {
  it.each<[string, unknown, string]>([
    ["a typo in a field", { numServer: 3 }, "/numServer"],
    ["a typo further in", { uplink: { meanRate: 14 } }, "/uplink/meanRate"],
    ["a negative capacity", { numServers: 2, serverCpuGHz: [20, -1] }, "/serverCpuGHz/1"],
    ["a negative deadline", { deadlineSlots: -1 }, "/deadlineSlots"],
    ["min above max in sizes", { taskSizeMbit: { min: 5, max: 2 } }, "/taskSizeMbit"],
    ["min above max in capacities", { serverCpuGHz: { min: 50, max: 20 } }, "/serverCpuGHz"],
    ["min above max in servers", { numServers: { min: 5, max: 2 } }, "/numServers"],
    ["min above max in factors", { lookAhead: { sizeFactor: { min: 2, max: 1 } } }, "/lookAhead/sizeFactor"],
    ["too few capacities", { numServers: 3, serverCpuGHz: [20, 20] }, "/serverCpuGHz"],
    ["too many capacities", { numServers: [1, 2], serverCpuGHz: [20, 20, 20] }, "/serverCpuGHz"],
    ["NaN", { localCpuGHz: Number.NaN }, "/localCpuGHz"],
    ["infinity", { slotSeconds: Number.POSITIVE_INFINITY }, "/slotSeconds"],
    ["null", { densityGcyclesPerMbit: null }, "/densityGcyclesPerMbit"],
    ["a number as string", { deadlineSlots: "10" }, "/deadlineSlots"],
    ["half a slot", { episodeSlots: 2.5 }, "/episodeSlots"],
    ["no servers", { numServers: 0 }, "/numServers"],
    ["an unknown service", { service: "fair" }, "/service"],
    ["a probability above 1", { arrivals: { process: "bernoulli", probability: 1.5 } }, "/arrivals/probability"],
    ["a Poisson rate that is missing", { arrivals: { process: "poisson" } }, "/arrivals"],
    ["a size without an end", { taskSizeMbit: { min: 2 } }, "/taskSizeMbit"],
    ["an array", [1, 2], "scenario"],
    ["null for the whole", null, "scenario"],
    ["a number for the whole", 6, "scenario"],
    ["a function among the fields", { deadlineSlots: () => 1 }, "scenario"],
  ])("refuses %s, and says where", (_, fields, path) => {
    const error = errorOf(() => resolveScenario(fields as never));
    expect([error.code, error.path]).toEqual(["invalidScenario", path]);
    expect(error.expected).not.toBe("");
    expect(error.message).toContain(path);
  });

  it("rejects an unknown id and lists those that exist", () => {
    const error = errorOf(() => resolveScenario("paper-v99"));
    expect(error).toMatchObject({ code: "unknownScenario", path: "scenario", got: "paper-v99" });
    expect(error.expected).toContain("paper-v1");
  });

  it("does not change its input, and returns a frozen scenario", () => {
    const fields = { numServers: 3, lookAhead: { numSamples: 2 } };
    const scenario = resolveScenario(fields);
    expect(fields).toEqual({ numServers: 3, lookAhead: { numSamples: 2 } });
    expect(resolveScenario(scenario)).toBe(scenario);
    expect(() => {
      (scenario.lookAhead as { weight: number }).weight = 9;
    }).toThrow(TypeError);
  });

  it("has one hash for one world: without id and description, in any order of keys, with or without defaults", () => {
    const hash = (fields: ScenarioInput) => scenarioHash(resolveScenario(fields));
    const reference = hash({});
    expect(reference).toMatch(/^[0-9a-f]{64}$/);
    expect(hash({ id: "other", description: "Another name." })).toBe(reference);
    expect(hash({ deadlineSlots: 10, numServers: 6 })).toBe(reference);
    expect(hash({ numServers: 6, deadlineSlots: 10 })).toBe(reference);
    expect(hash({ taskSizeMbit: { max: 5, min: 2 } })).toBe(reference);
    expect(scenarioHash(listScenarios().find(({ id }) => id === "paper-v1") as never)).toBe(reference);
  });

  it("has another hash when any field changes", () => {
    const changes: Omit<Required<ScenarioInput>, "id" | "description" | "profile" | "uplink" | "lookAhead"> = {
      numServers: 7,
      users: { perServer: 3 },
      serverCpuGHz: { min: 20, max: 49 },
      localCpuGHz: 3,
      slotSeconds: 0.2,
      densityGcyclesPerMbit: 0.3,
      taskSizeMbit: { min: 2, max: 6 },
      arrivals: { process: "bernoulli", probability: 0.31 },
      churn: {},
      deadlineSlots: 11,
      deadlinePenaltySlots: 11,
      service: "work-conserving",
      historySlots: 11,
      episodeSlots: 101,
    };
    const inner: ScenarioInput[] = [
      { uplink: { meanRateMbps: 15 } },
      { uplink: { meanSnrDb: 31 } },
      { uplink: { minRateMbps: 2 } },
      { lookAhead: { numSamples: 4 } },
      { lookAhead: { weight: 0.4 } },
      { lookAhead: { sizeFactor: { min: 0.5, max: 1.6 } } },
      { lookAhead: { mode: "sequential" } },
      { lookAhead: { rates: "resampled" } },
      { numServers: [6] },
      { numServers: { min: 6, max: 6 } },
      { arrivals: { process: "poisson", ratePerSlot: 0.3 } },
      { churn: { leaveProbability: 0 } },
      { churn: { returnProbability: 0.1 } },
    ];
    const outer = Object.entries(changes).map(([name, value]) => ({ [name]: value }) as ScenarioInput);
    const all = [{}, ...outer, ...inner].map((fields) => scenarioHash(resolveScenario(fields)));
    expect(new Set(all).size).toBe(all.length);
    // the list above names every field
    const { id, description, profile, uplink, lookAhead, ...rest } = resolveScenario({});
    expect(Object.keys(changes).sort()).toEqual([...Object.keys(rest), "churn"].sort());
    expect([id, description, profile]).toEqual(["custom", "", "paper"]);
    expect(Object.keys(uplink).length + Object.keys(lookAhead).length).toBe(8);
  });
});
