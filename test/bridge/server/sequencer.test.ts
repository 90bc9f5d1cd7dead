/** The order of requests: held, repeated, conflicting, acknowledged and closed. */

import { describe, expect, it } from "vitest";
import type { DispatcherOptions } from "../../../bridge/server/dispatcher.js";
import { defaultLimits } from "../../../bridge/server/limits.js";
import { bodyBytes } from "../../../bridge/wire/array-layout.js";
import {
  actionsBody,
  array,
  ask,
  makeDispatcher as makeDispatcherIn,
  messageOf,
  newId,
  open,
  places,
  request,
  sharedDispatcher,
  tell,
} from "../dispatcher-client.js";

const tellHeader = (dispatcher: Parameters<typeof tell>[0], header: Record<string, unknown>, body?: Uint8Array) =>
  tell(dispatcher, messageOf(header, body));

describe.each(places)("a dispatcher with its lanes in %s", (place) => {
  const makeDispatcher = (options: Partial<DispatcherOptions> = {}) => makeDispatcherIn(place, options);

  describe("order and repetition", () => {
    it("carries out a request once, however often it is sent", async () => {
      const opened = await open(sharedDispatcher(place));
      await ask(opened.dispatcher, request(opened, "reset", 1));
      const first = await ask(opened.dispatcher, request(opened, "step", 2), actionsBody(opened, [1, 2]));
      const again = await ask(opened.dispatcher, request(opened, "step", 2), actionsBody(opened, [1, 2]));
      expect(again.body).toEqual(first.body);
      const next = await ask(opened.dispatcher, request(opened, "step", 3), actionsBody(opened, [1, 2]));
      expect([...array(opened, next, "decisionIndex")]).toEqual([2, 2]);
    });

    it("holds requests that come early, and answers them in order when their turn comes", async () => {
      const opened = await open(sharedDispatcher(place));
      expect(await tellHeader(opened.dispatcher, request(opened, "step", 3), actionsBody(opened, [3, 3]))).toHaveLength(
        0,
      );
      expect(await tellHeader(opened.dispatcher, request(opened, "step", 2), actionsBody(opened, [2, 2]))).toHaveLength(
        0,
      );
      const answers = await tellHeader(opened.dispatcher, request(opened, "reset", 1));
      expect(answers.map((answer) => answer.header.seq)).toEqual([1, 2, 3]);
      expect(answers.every((answer) => answer.header.ok)).toBe(true);
    });

    it("refuses a used or acknowledged number, one too far ahead, and another epoch", async () => {
      const opened = await open(sharedDispatcher(place));
      await ask(opened.dispatcher, request(opened, "reset", 1));
      await ask(opened.dispatcher, request(opened, "step", 2), actionsBody(opened, [1, 2]));
      const code = async (header: Record<string, unknown>, body?: Uint8Array) =>
        (await ask(opened.dispatcher, header, body)).error?.code;
      expect(await code(request(opened, "step", 2), actionsBody(opened, [1, 3]))).toBe("sequenceConflict");
      expect(await code(request(opened, "lookahead", 2))).toBe("sequenceConflict");
      expect(await code(request(opened, "step", 2, { ack: 1 }), actionsBody(opened, [1, 2]))).toBeUndefined();
      expect(await code(request(opened, "step", 3 + defaultLimits.maxInFlight, { ack: 2 }))).toBe("windowExceeded");
      expect(await code(request(opened, "reset", 1))).toBe("staleSequence");
      expect(await code(request(opened, "step", 3, { epoch: 2 }))).toBe("staleEpoch");
      expect(await code(request(opened, "step", 3, { group: 9 }))).toBe("invalidRequest");
      expect(await code(request(opened, "step", 3, { ack: 7 }))).toBe("invalidRequest");
    });

    it("answers held requests when the session is closed", async () => {
      const opened = await open(sharedDispatcher(place), { numEnvs: 2, groups: 2 });
      const body = new Uint8Array(bodyBytes(opened.layouts.stepRequest));
      expect(await tellHeader(opened.dispatcher, request(opened, "step", 2), body)).toHaveLength(0);
      expect(await tellHeader(opened.dispatcher, request(opened, "step", 3, { group: 1 }), body)).toHaveLength(0);
      const answers = await tellHeader(opened.dispatcher, request(opened, "close", 1));
      const told = answers.map(({ header, error }) => [header.group, header.seq, error?.code]);
      expect(told).toEqual([
        [0, 1, undefined],
        [0, 2, "unknownSession"],
        [1, 3, "unknownSession"],
      ]);
    });

    it("gives the same session to the same open, and a new one to a new open", async () => {
      const dispatcher = makeDispatcher();
      const header = { op: "open", requestId: newId(), scenarios: ["paper-v1"], numEnvs: 1 };
      const first = (await ask(dispatcher, header)).result.session;
      expect((await ask(dispatcher, header)).result.session).toBe(first);
      expect((await ask(dispatcher, { ...header, requestId: newId() })).result.session).not.toBe(first);
      expect(dispatcher.numSessions).toBe(2);
    });

    it("a malformed request also uses up its number, in its turn", async () => {
      const opened = await open(sharedDispatcher(place));
      expect(await tellHeader(opened.dispatcher, request(opened, "lookahead", 2, { numSamples: 0 }))).toHaveLength(0);
      const answers = await tellHeader(opened.dispatcher, request(opened, "reset", 1));
      const codes = answers.map(({ header, error }) => [header.seq, error?.code]);
      expect(codes.sort()).toEqual([
        [1, undefined],
        [2, "invalidRequest"],
      ]);
      expect((await ask(opened.dispatcher, request(opened, "dance", 3, { ack: 2 }))).error?.code).toBe(
        "unknownOperation",
      );
      expect(
        (await ask(opened.dispatcher, request(opened, "step", 4, { ack: 3 }), actionsBody(opened, [1, 1]))).error,
      ).toBeUndefined();
    });

    it("a refused step uses up its number and changes nothing", async () => {
      const opened = await open(sharedDispatcher(place), { autoreset: "disabled", numEnvs: 1 });
      const twin = await open(sharedDispatcher(place), { autoreset: "disabled", numEnvs: 1 });
      expect((await ask(opened.dispatcher, request(opened, "step", 1), actionsBody(opened, [1]))).error?.code).toBe(
        "needsReset",
      );
      expect((await ask(opened.dispatcher, request(opened, "step", 2), new Uint8Array(3))).error).toMatchObject({
        code: "invalidBody",
        got: '"3 bytes"',
      });
      await ask(opened.dispatcher, request(opened, "reset", 3));
      await ask(twin.dispatcher, request(twin, "reset", 1));
      expect((await ask(opened.dispatcher, request(opened, "step", 4))).error?.code).toBe("invalidBody");
      const a = await ask(opened.dispatcher, request(opened, "step", 5), actionsBody(opened, [2]));
      const b = await ask(twin.dispatcher, request(twin, "step", 2), actionsBody(twin, [2]));
      expect(a.body).toEqual(b.body);
    });
  });
});
