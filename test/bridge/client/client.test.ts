/** The TypeScript client: it acknowledges only replies that it got, and no refusal of its own uses up a number. */

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Dealer, Router } from "zeromq";
import { type Client, type ClientOptions, Client as TheClient } from "../../../bridge/client/client.js";
import { DeadlineExceeded, RequestTooLarge, WindowExceeded } from "../../../bridge/client/errors.js";
import { defaultLimits } from "../../../bridge/server/limits.js";
import { decodeHeader } from "../../../bridge/wire/header.js";
import { atEnd, connect, serve, temporaryFolder } from "../servers.js";

const small = { scenarios: [{ numServers: 3, episodeSlots: 6 }], numEnvs: 2 };

/** A client whose replies go through `passes`, on real sockets. */
async function connectThrough(
  address: string,
  passes: (header: Record<string, unknown>) => boolean,
  options: ClientOptions,
): Promise<Client> {
  const front = new Router({ linger: 0 });
  const back = new Dealer({ linger: 0 });
  const frontAddress = `ipc://${join(temporaryFolder(), "front")}`;
  await front.bind(frontAddress);
  back.connect(address);
  let client = Buffer.alloc(0);
  const forward = async () => {
    for await (const [identity, ...parts] of front) {
      client = identity as Buffer<ArrayBuffer>;
      await back.send(parts);
    }
  };
  const reply = async () => {
    for await (const parts of back) if (passes(decodeHeader(parts[0]))) await front.send([client, ...parts]);
  };
  void forward().catch(() => {});
  void reply().catch(() => {});
  const made = new TheClient(frontAddress, options);
  atEnd(() => {
    made.close();
    front.close();
    back.close();
  });
  return made;
}

describe("a session of the client", () => {
  it("acknowledges only what it got: after a reply that never came, it goes on", async () => {
    const { address } = await serve();
    let isCut = false;
    const client = await connectThrough(address, () => !isCut, { requestDeadlineMs: 10_000, resendAfterMs: 100 });
    const session = await client.open(small);
    const other = await connect(address, { requestDeadlineMs: 60_000 }).open(small);
    for (const one of [session, other]) await one.reset([3, 4]);
    const expected = [];
    for (let i = 0; i < 40; i++) expected.push((await other.step([i % 4, 1])).reward);
    isCut = true;
    await expect(session.step([0, 1])).rejects.toBeInstanceOf(DeadlineExceeded);
    isCut = false;
    // more than the window holds: the lost reply is acknowledged in time, since it is asked for again
    for (let i = 1; i < 40; i++) {
      const { reward } = await session.step([i % 4, 1]);
      expect(reward).toEqual(expected[i]);
    }
  });

  it("refuses a request beyond the window, and the next one has its number", async () => {
    const { address } = await serve({ limits: { ...defaultLimits, maxInFlight: 3 } });
    const session = await connect(address, { requestDeadlineMs: 60_000 }).open(small);
    const together = Array.from({ length: 6 }, () => session.reset([3, 4]));
    const outcomes = await Promise.allSettled(together);
    expect(outcomes.map(({ status }) => status).join(" ")).toBe(
      "fulfilled fulfilled fulfilled rejected rejected rejected",
    );
    for (const outcome of outcomes.slice(3)) {
      expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(WindowExceeded);
    }
    expect((await session.step([1, 1])).decisionIndex).toEqual(Int32Array.of(1, 1));
  });

  it("refuses a body that the server would not read, and the next request has its number", async () => {
    const { address } = await serve({ limits: { ...defaultLimits, maxBodyBytes: 4096 } });
    const session = await connect(address, { requestDeadlineMs: 60_000 }).open({ ...small, numEnvs: 2000 });
    const start = Array.from({ length: 2000 }, (_, i) => i);
    await expect(session.reset(start)).rejects.toBeInstanceOf(RequestTooLarge);
    await session.reset();
    await expect(session.step(start.map(() => 1))).rejects.toThrow(/8000 bytes.*at most 4096 \(maxBodyBytes\)/);
    await session.close();
  });
});
