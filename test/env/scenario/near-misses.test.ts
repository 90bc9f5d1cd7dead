/** Near misses: a misspelt field, id or value is named, with what it was probably meant to be. */

import { describe, expect, it } from "vitest";
import { type MecgymError, resolveScenario } from "../../../env/index.js";
import { nearestName } from "../../../schemas/nearest.js";

const expectedOf = (scenario: unknown): string => {
  try {
    resolveScenario(scenario as never);
  } catch (error) {
    return (error as MecgymError).expected;
  }
  return "no error";
};

describe("nearestName", () => {
  const names = ["numServers", "users", "serverCpuGHz", "deadlineSlots", "historySlots"];
  it.each([
    ["num_servers", "numServers"],
    ["NUMSERVERS", "numServers"],
    ["numServer", "numServers"],
    ["servers", "numServers"],
    ["numUsers", "users"],
    ["serverCpuGhz", "serverCpuGHz"],
    // two names contain it
    ["Slots", undefined],
    ["colour", undefined],
    ["", undefined],
    ["_", undefined],
  ])("of %j is %s", (name, expected) => {
    expect(nearestName(name, names)).toBe(expected);
  });
});

describe("a scenario", () => {
  it.each([
    [{ num_servers: 4 }, "(did you mean numServers?)"],
    [{ numServer: 4 }, "(did you mean numServers?)"],
    [{ uplink: { meanRate: 4 } }, "(did you mean meanRateMbps?)"],
    [{ users: 24 }, '(did you mean {"count":24}?)'],
    [{ serverCpuGHz: 30 }, '(did you mean {"min":30,"max":30}?)'],
    [{ taskSizeMbit: 4 }, '(did you mean {"min":4,"max":4}?)'],
    [{ arrivals: 0.5 }, '(did you mean {"process":"bernoulli","probability":0.5}?)'],
    [{ id: "My_Scenario" }, '(did you mean "my-scenario"?)'],
    [{ hash: "00" }, "(leave hash out: it follows from the other fields)"],
    ["Paper-v1", "(did you mean paper-v1?)"],
    ["paper-v2", "(did you mean paper-v1?)"],
  ])("%j: %s", (scenario, hint) => {
    expect(expectedOf(scenario).endsWith(` ${hint}`)).toBe(true);
  });

  it("suggests nothing for what is like no name", () => {
    expect(expectedOf({ colour: 1 })).toMatch(/^one of the fields id, .*churn.*[a-zA-Z]$/);
    expect(expectedOf("my_world")).toMatch(/or the fields of a scenario$/);
  });
});
