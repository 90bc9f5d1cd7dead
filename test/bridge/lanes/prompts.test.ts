/** Prompts of lanes, of given states and of text sessions: the texts are those of the simulator. */

import { describe, expect, it } from "vitest";
import { BatchEnv, copyObservation, LaneView, renderPrompt } from "../../../env/index.js";
import { described, texts, textsOf } from "../described-bodies.js";
import {
  actionsBody,
  array,
  arrayOf,
  ask,
  granted,
  newId,
  next,
  open,
  places,
  seedsBody,
  sharedDispatcher,
} from "../dispatcher-client.js";
import { started } from "./played-lanes.js";

describe.each(places)("lanes in %s", (place) => {
  const dispatcher = () => sharedDispatcher(place);

  describe("prompt", () => {
    it("of lanes, and of their states, is the text of the simulator", async () => {
      const opened = await started(await open(dispatcher(), { numEnvs: 3 }), [3, 4, 5]);
      const env = new BatchEnv({ scenarios: ["paper-v1"], numLanes: 3 });
      env.reset([3, 4, 5]);
      const mask = Uint8Array.of(1, 0, 1, 0, 0, 0, 0, 0);
      const answer = await next(opened, "prompt", { perturbation: "shuffled", system: true }, mask);
      const { layout, system } = answer.result;
      expect([...arrayOf(layout, answer, "lane")]).toEqual([0, 2]);
      const states = [0, 2].map((lane) => ({
        episodeSeed: 3 + lane,
        state: copyObservation(new LaneView(env.lanes, lane)),
      }));
      const native = states.map(({ episodeSeed, state }) =>
        renderPrompt(state, { perturbation: "shuffled", system: true, seed: episodeSeed }),
      );
      expect(textsOf(layout, answer, "prompt")).toEqual(native.map(({ user }) => user));
      expect(system).toBe(native[0].system);
      const given = described(
        texts(
          "state",
          states.map((one) => JSON.stringify(one)),
        ),
      );
      const fields = { op: "prompt", requestId: newId(), scenario: "paper-v1", perturbation: "shuffled", system: true };
      const again = await granted(dispatcher(), { ...fields, layout: given.layout }, given.body);
      expect(textsOf(again.result.layout, again, "prompt")).toEqual(native.map(({ user }) => user));
    });

    it("comes with every observation of a text session", async () => {
      const opened = await open(dispatcher(), { observation: "text", template: "en-compact-v1" });
      const env = new BatchEnv({
        scenarios: ["paper-v1"],
        numLanes: 2,
        autoreset: "next-step",
        invalidActions: "costliest",
      });
      env.reset([8, 9]);
      const prompts = () =>
        [8, 9].map(
          (seed, lane) => renderPrompt(new LaneView(env.lanes, lane), { template: "en-compact-v1", seed }).user,
        );
      const reset = await next(opened, "reset", {}, seedsBody(opened, [8, 9]));
      expect(textsOf(reset.result.textLayout, reset, "prompt")).toEqual(prompts());
      env.step([1, 2]);
      const step = await next(opened, "step", {}, actionsBody(opened, [1, 2]));
      expect(textsOf(step.result.textLayout, step, "prompt")).toEqual(prompts());
      expect(array(opened, step, "costSlots")).toEqual(env.costSlots);
    });

    it("refuses ids of both kinds, given states in a session, and same-step text", async () => {
      const opened = await started(await open(dispatcher()), [1, 2]);
      expect((await next(opened, "prompt", { scenario: "paper-v1" })).error).toMatchObject({ path: "/scenario" });
      const { layout, body } = described(texts("state", ["{}"]));
      const fields = { op: "prompt", requestId: newId(), scenario: "paper-v1", layout };
      expect((await ask(dispatcher(), fields, body)).error?.code).toBe("invalidRecord");
      const both = { ...fields, session: opened.session, epoch: 1, group: 0, seq: 9, ack: 2 };
      opened.seq = 8;
      expect((await ask(dispatcher(), { ...both, seq: 3 }, body)).error?.code).toBe("invalidRequest");
      const text = { op: "open", requestId: newId(), scenarios: ["paper-v1"], numEnvs: 1, observation: "text" };
      expect((await ask(dispatcher(), { ...text, autoreset: "same-step" })).error).toMatchObject({
        path: "/observation",
      });
    });
  });
});
