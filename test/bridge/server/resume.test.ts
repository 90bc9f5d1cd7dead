/** Resumed sessions: their epochs, their lanes on another server, and the bytes of replies that are sent again. */

import { describe, expect, it } from "vitest";
import {
  type Answer,
  actionsBody,
  ask,
  granted,
  makeDispatcher,
  messageOf,
  newId,
  next,
  open,
  openedOf,
  places,
  read,
  request,
  seedsBody,
  tell,
} from "../dispatcher-client.js";

describe.each(places)("sessions and epochs, with lanes in %s", (place) => {
  const fields = { scenarios: ["paper-v1"], numEnvs: 2 };

  it("a resume of a known session keeps its lanes, raises the epoch, and restarts its sequences", async () => {
    const dispatcher = makeDispatcher(place);
    const opened = await open(dispatcher);
    await next(opened, "reset", {}, seedsBody(opened, [1, 2]));
    const held = { ...request(opened, "step", 4, { ack: 0 }) };
    expect(await tell(dispatcher, messageOf(held, actionsBody(opened, [1, 1])))).toEqual([]);
    const resume = { op: "resume", requestId: newId(), session: opened.session, epoch: 1, ...fields };
    const answers = await tell(dispatcher, messageOf(resume));
    expect(answers.map(({ header, error }) => [header.op, error?.code])).toEqual([
      ["step", "staleEpoch"],
      ["resume", undefined],
    ]);
    const { result } = answers[1];
    expect(result).toMatchObject({ epoch: 2, isFresh: false, session: opened.session });
    expect((await ask(dispatcher, resume)).result).toEqual(result); // sent again: the same reply
    const again = openedOf(dispatcher, result);
    expect((await ask(dispatcher, request(opened, "reset", 2))).error?.code).toBe("staleEpoch");
    const snapshot = await next(again, "snapshot");
    expect(snapshot.header).toMatchObject({ epoch: 2, seq: 1, ok: true });
    const others = { ...resume, requestId: newId(), epoch: 2, numEnvs: 4 };
    expect((await ask(dispatcher, others)).error?.code).toBe("invalidRequest");
  });

  it("a session continues on another server, which refuses requests that were meant for the first one", async () => {
    const first = makeDispatcher(place);
    const opened = await open(first);
    await next(opened, "reset", {}, seedsBody(opened, [1, 2]));
    const snapshot = await next(opened, "snapshot");
    const queued = messageOf(request(opened, "step", 3, { ack: 2 }), actionsBody(opened, [1, 2]));
    const [reply] = await tell(first, queued);
    const second = makeDispatcher(place);
    const [stale] = await tell(second, queued);
    expect(stale.error?.code).toBe("staleEpoch");
    const resume = { op: "resume", requestId: newId(), session: opened.session, epoch: 1, ...fields };
    const { result } = await granted(second, resume);
    expect(result).toMatchObject({ epoch: 2, isFresh: true, session: opened.session, instance: second.instance });
    expect((await tell(second, queued))[0].error?.code).toBe("staleEpoch");
    const resumed = openedOf(second, result);
    const layout = snapshot.result.layout.filter(({ name }: { name: string }) => name !== "stateHash");
    const restored = await next(resumed, "restore", { layout }, snapshot.body);
    expect(restored.error).toBeUndefined();
    const step = await next(resumed, "step", {}, actionsBody(resumed, [1, 2]));
    expect(step.body).toEqual(reply.body);
  });

  it("replies keep their bytes, also when they are sent again after later requests", async () => {
    const dispatcher = makeDispatcher(place);
    const opened = await open(dispatcher, { numEnvs: 6, groups: 2 });
    const raw: Uint8Array[] = [];
    const send = (header: Record<string, unknown>, body: Uint8Array) =>
      new Promise<Answer>((resolve) => {
        dispatcher.handle(messageOf(header, body), (reply) => {
          raw.push(reply[1]);
          resolve(read(reply));
        });
      });
    const kept: Uint8Array[] = [];
    for (let seq = 1; seq <= 40; seq++) {
      const [op, body] =
        seq === 1 ? ["reset", seedsBody(opened, [1, 2, 3])] : ["step", actionsBody(opened, [seq % 7, 2, 3])];
      // the last four replies are not acknowledged yet
      const header = request(opened, op, seq, { ack: Math.max(0, seq - 5) });
      kept.push((await send(header, body)).body as Uint8Array);
      if (seq % 3 === 0) expect((await send(header, body)).body).toEqual(kept[seq - 1]);
    }
    // the memory of a reply that is not acknowledged, or was sent twice, is not used again
    const later = raw.slice(-8);
    expect(later.every((body) => kept.some((one) => Buffer.compare(one, body) === 0))).toBe(true);
    // other memory is used again; shared memory arrives as a new object each time, so only one thread can show it
    if (place === "inline") expect(new Set(raw.map(({ buffer }) => buffer)).size).toBeLessThan(40);
  });
});
