/** The checked build: assertions on every lane, server and task, and canaries between lanes, over random worlds. */

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { buildCore } from "../../../scripts/build-core.mjs";
import { scenarioArbitrary } from "../scenario-arbitrary.js";
import { makeCore, makePair } from "./module-harness.js";

let checked: WebAssembly.Module;
beforeAll(() => {
  checked = new WebAssembly.Module(buildCore({ isChecked: true }));
}, 300_000);

describe("the checked build", () => {
  it("plays random worlds with the slow model's bits, and no canary is touched", { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(
        fc.array(scenarioArbitrary({ arrivals: "busy", maxSlots: 40 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        (scenarios, numLanes, stride, history) => {
          const laneScenario = Array.from({ length: numLanes }, (_, lane) => lane % scenarios.length);
          const pair = makePair(
            { scenarios, numLanes, laneScenario, history, autoreset: "same-step", invalidActions: "costliest" },
            checked,
          );
          const { core } = pair;
          pair.reset();
          for (let step = 0; step < 60; step++) {
            // long stretches at one server, so that lists grow
            pair.step(laneScenario.map((_, lane) => (step % 20 < 12 ? 1 : (step * stride + lane) % 9)));
            expect(pair.difference()).toBeUndefined();
            const lane = (step * stride) % numLanes;
            expect(core.calls.lookAhead(lane, 1, -1)).toBe(0);
            expect(core.calls.checkCanaries()).toBe(0);
            if (step % 10 !== 9) continue;
            const snapshot = core.snapshot(lane);
            expect(pair.stateDifference(lane, snapshot)).toBeUndefined();
            const saved = pair.reference.save(lane);
            expect(core.restore(lane, snapshot)).toBe(0);
            pair.reference.restore(lane, saved);
            core.set("rollout.numCandidates", 1);
            core.set("rollout.numFutures", 2);
            core.set("rollout.horizonSlots", 5);
            core.set("rollout.isSampled", step % 2);
            core.view("rollout.candidates")[0] = 1;
            expect(core.call(() => core.calls.rollout(lane))).toBe(0);
            expect(core.calls.checkCanaries()).toBe(0);
          }
        },
      ),
      { seed: 14, numRuns: 200 },
    );
  });

  it("stops where a canary was written to, and so does not pass whatever happens", () => {
    const core = makeCore({ scenarios: ["paper-v1"], numLanes: 3 }, checked);
    expect(core.calls.reset(0)).toBe(0);
    expect(core.calls.checkCanaries()).toBe(0);
    const memory = new DataView(core.calls.memory.buffer);
    let numHit = 0;
    for (let at = 0; at < memory.byteLength; at += 8) {
      if (memory.getBigUint64(at, true) !== 0xdeadbeefcafef00dn) continue;
      memory.setUint8(at, 0);
      expect(() => core.calls.checkCanaries()).toThrow(WebAssembly.RuntimeError);
      memory.setUint8(at, 0x0d);
      numHit++;
    }
    // 64 bytes behind each of four lanes and each of their lists
    expect(numHit).toBe(64);
    expect(core.calls.checkCanaries()).toBe(0);
  });

  it("the build that is used has neither assertions nor canaries, and cannot be mistaken for it", () => {
    const core = makeCore({ scenarios: ["paper-v1"], numLanes: 3 });
    expect(core.calls.checkCanaries()).toBe(-1);
  });
});
