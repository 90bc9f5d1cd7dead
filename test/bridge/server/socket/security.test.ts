/** Which clients are accepted: keys and lists on real encrypted sockets, floods, and a ZAP handler that fails. */

import { describe, expect, it } from "vitest";
import { Dealer } from "zeromq";
import { type ClientKeys, curveOptions, makeKeyPair } from "../../../../bridge/keys/curve.js";
import { bindServer } from "../../../../bridge/server/socket/bind.js";
import { encodeHeader } from "../../../../bridge/wire/header.js";
import { PROTOCOL_VERSION, type Request } from "../../../../bridge/wire/protocol.js";
import { atEnd, connect, serve } from "../../servers.js";

/** Connections of each kind of stranger; 2,500 of each of the four make the 10,000 of docs/security.md. */
const TRIES = Number(process.env.MECGYM_AUTH_TRIES ?? 400) / 4;
const AT_ONCE = 10;

const hello = encodeHeader({ v: PROTOCOL_VERSION, op: "hello", requestId: "0".repeat(32) } as Request);

async function serveSecured() {
  const keys = makeKeyPair();
  const client = makeKeyPair();
  const server = await serve({ address: "tcp://127.0.0.1:*", security: { keys, allowed: [client.publicKey] } });
  return { server, clientKeys: { ...client, serverKey: keys.publicKey } };
}

/** Connects, sends a request, and returns whether it was answered. A failed handshake ends the wait. */
async function isAnswered(address: string, keys: ClientKeys | undefined): Promise<boolean> {
  const socket = new Dealer({
    linger: 0,
    reconnectInterval: -1,
    ...curveOptions(keys),
  });
  const failed = new Promise<boolean>((resolve) => {
    const fail = () => resolve(false);
    socket.events.on("handshake:error:auth", fail);
    socket.events.on("handshake:error:protocol", fail);
    socket.events.on("handshake:error:other", fail);
    socket.events.on("disconnect", fail);
  });
  socket.connect(address);
  // if the connection is refused before it takes the request, the send never settles
  const answered = Promise.all([socket.send(hello), socket.receive()]).then(
    () => true,
    () => false,
  );
  const outcome = await Promise.race([answered, failed]);
  socket.close();
  return outcome;
}

/** Returns how many of `count` tries are answered. */
async function countAnswered(count: number, isAnsweredOnce: () => Promise<boolean>): Promise<number> {
  let left = count;
  let answered = 0;
  const work = async () => {
    while (left-- > 0) if (await isAnsweredOnce()) answered += 1;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return answered;
}

describe("a server with keys", () => {
  it("answers a client that is on its list", async () => {
    const { server, clientKeys } = await serveSecured();
    expect(await isAnswered(server.address, clientKeys)).toBe(true);
    const client = connect(server.address, { keys: clientKeys });
    const session = await client.open({ scenarios: ["paper-v1"], numEnvs: 2 });
    expect((await session.reset([7, 8])).observation[0]).toBe(3.413769006729126);
    await session.close();
    expect(server.stats().transport).toMatchObject({ clientsAccepted: 2, clientsRefused: 0 });
  });

  const strangers: [string, (known: ClientKeys) => ClientKeys | undefined][] = [
    ["no key", () => undefined],
    ["the key of another server", (known) => ({ ...known, serverKey: makeKeyPair().publicKey })],
    ["a public key on the list and another secret key", (known) => ({ ...known, secretKey: makeKeyPair().secretKey })],
    ["a valid pair that is not on the list", (known) => ({ ...makeKeyPair(), serverKey: known.serverKey })],
  ];
  it.each(strangers)(
    `never answers ${TRIES} clients with %s`,
    async (_name, keysOf) => {
      const { server, clientKeys } = await serveSecured();
      expect(await countAnswered(TRIES, () => isAnswered(server.address, keysOf(clientKeys)))).toBe(0);
      expect(server.stats().transport).toMatchObject({ messagesIn: 0, clientsAccepted: 0 });
      expect(await isAnswered(server.address, clientKeys)).toBe(true);
    },
    120_000 + 20 * TRIES,
  );

  it("counts refused clients, and logs their addresses but no keys", async () => {
    const keys = makeKeyPair();
    const events: unknown[] = [];
    const server = await serve({
      address: "tcp://127.0.0.1:*",
      security: { keys, allowed: [makeKeyPair().publicKey] },
      log: (event, details) => events.push([event, details]),
    });
    const stranger = makeKeyPair();
    await isAnswered(server.address, { ...stranger, serverKey: keys.publicKey });
    expect(server.stats().transport).toMatchObject({ clientsAccepted: 0, clientsRefused: 1 });
    expect(events).toEqual([["client refused", { from: "127.0.0.1" }]]);
  });

  it("answers other clients during a flood of handshakes", async () => {
    const { server, clientKeys } = await serveSecured();
    const client = connect(server.address, { keys: clientKeys });
    const session = await client.open({ scenarios: ["paper-v1"], numEnvs: 4 });
    await session.reset();
    let isOver = false;
    let handshakes = 0;
    const flood = async () => {
      while (!isOver) {
        expect(await isAnswered(server.address, { ...makeKeyPair(), serverKey: clientKeys.serverKey })).toBe(false);
        handshakes += 1;
      }
    };
    const floods = Array.from({ length: AT_ONCE }, flood);
    let steps = 0;
    while (handshakes < 200 || steps < 60) {
      await session.step([1, 2, 3, 0]);
      steps += 1;
      if (steps % 20 === 0) {
        // a new client is accepted, too
        expect(await isAnswered(server.address, clientKeys)).toBe(true);
      }
    }
    isOver = true;
    await Promise.all(floods);
    expect(server.stats().transport?.clientsRefused).toBeGreaterThanOrEqual(200);
  });

  it("accepts nobody, not even a client on the list, if there is no ZAP handler to ask", async () => {
    const keys = makeKeyPair();
    const client = makeKeyPair();
    const { address, socket, zapHandler, close } = await bindServer({
      address: "tcp://127.0.0.1:*",
      security: { keys, allowed: [client.publicKey] },
      maxMessageBytes: 4096,
      log: () => {},
    });
    atEnd(close);
    socket.receiveTimeout = 200;
    zapHandler?.close();
    expect(await isAnswered(address, { ...client, serverKey: keys.publicKey })).toBe(false);
    await expect(socket.receive()).rejects.toMatchObject({ code: "EAGAIN" });
  });

  it("ends when its ZAP handler fails, instead of accepting nobody", async () => {
    const keys = makeKeyPair();
    const server = await serve({
      address: "tcp://127.0.0.1:*",
      security: { keys, allowed: [] },
      log: (event) => {
        if (event === "client refused") throw new Error("a fault in the handler");
      },
    });
    void isAnswered(server.address, { ...makeKeyPair(), serverKey: keys.publicKey });
    await expect(server.ended).rejects.toThrow("a fault in the handler");
    await server.close();
    const late = connect(server.address, {
      keys: { ...makeKeyPair(), serverKey: keys.publicKey },
      requestDeadlineMs: 200,
    });
    await expect(late.ping()).rejects.toThrow(/200 ms/);
  });
});
