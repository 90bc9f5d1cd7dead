/** Who comes in: keys and lists of them on real encrypted sockets, floods, and a gate that fails. */

import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Dealer } from "zeromq";
import { listen } from "../../../../bridge/server/socket/bind.js";
import {
  type ClientKeys,
  curveOptions,
  decodeZ85,
  type KeyPair,
  makeKeyPair,
  readAllowList,
  readClientKeys,
  readServerKeys,
  writeKeyPair,
} from "../../../../bridge/wire/keys.js";
import { encodeHeader, PROTOCOL_VERSION, type Request } from "../../../../bridge/wire/protocol.js";
import { atEnd, connect, serve, temporaryFolder } from "../../servers.js";

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

/** Connects, sends a request, and gives whether it was answered; ends with the handshake's failure. */
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
  // a connection that is refused before it takes the request leaves it waiting for ever
  const answered = Promise.all([socket.send(hello), socket.receive()]).then(
    () => true,
    () => false,
  );
  const outcome = await Promise.race([answered, failed]);
  socket.close();
  return outcome;
}

/** How many of `count` tries are answered. */
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
    [
      "a public key that is on the list, and another secret",
      (known) => ({ ...known, secretKey: makeKeyPair().secretKey }),
    ],
    ["a right pair that is not on the list", (known) => ({ ...makeKeyPair(), serverKey: known.serverKey })],
  ];
  it.each(strangers)(
    `never answers ${TRIES} clients with %s`,
    async (_name, keysOf) => {
      const { server, clientKeys } = await serveSecured();
      expect(await countAnswered(TRIES, () => isAnswered(server.address, keysOf(clientKeys)))).toBe(0);
      expect(server.stats().transport).toMatchObject({ messagesIn: 0, clientsAccepted: 0 });
      expect(await isAnswered(server.address, clientKeys)).toBe(true);
    },
    20_000 + 20 * TRIES,
  );

  it("counts who is refused, and tells the log where from, and no key", async () => {
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

  it("answers others in a flood of handshakes", async () => {
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
        // a newcomer gets in as well
        expect(await isAnswered(server.address, clientKeys)).toBe(true);
      }
    }
    isOver = true;
    await Promise.all(floods);
    expect(server.stats().transport?.clientsRefused).toBeGreaterThanOrEqual(200);
  });

  it("lets nobody in whose key nobody could look up, the right one included", async () => {
    const keys = makeKeyPair();
    const client = makeKeyPair();
    const { address, socket, gate, close } = await listen({
      address: "tcp://127.0.0.1:*",
      security: { keys, allowed: [client.publicKey] },
      maxMessageBytes: 4096,
      log: () => {},
    });
    atEnd(close);
    socket.receiveTimeout = 200;
    gate?.close();
    expect(await isAnswered(address, { ...client, serverKey: keys.publicKey })).toBe(false);
    await expect(socket.receive()).rejects.toMatchObject({ code: "EAGAIN" });
  });

  it("ends when its gate fails, rather than run on with nobody let in", async () => {
    const keys = makeKeyPair();
    const server = await serve({
      address: "tcp://127.0.0.1:*",
      security: { keys, allowed: [] },
      log: (event) => {
        if (event === "client refused") throw new Error("a fault in the gate");
      },
    });
    void isAnswered(server.address, { ...makeKeyPair(), serverKey: keys.publicKey });
    await expect(server.ended).rejects.toThrow("a fault in the gate");
    await server.close();
    const late = connect(server.address, {
      keys: { ...makeKeyPair(), serverKey: keys.publicKey },
      requestDeadlineMs: 200,
    });
    await expect(late.ping()).rejects.toThrow(/200 ms/);
  });
});

describe("key files", () => {
  it("are for their owner alone, are never written over, and hold what they should", () => {
    const folder = join(temporaryFolder(), "keys");
    const paths = [...writeKeyPair(folder, "server"), ...writeKeyPair(folder, "client")];
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const before = paths.map((path) => {
      expect(statSync(path).mode & 0o777).toBe(0o600);
      return readFileSync(path, "utf8");
    });
    expect(() => writeKeyPair(folder, "server")).toThrow(/there already/);
    expect(paths.map((path) => readFileSync(path, "utf8"))).toEqual(before);
    const server = readServerKeys(folder);
    expect(readServerKeys(join(folder, "server.key_secret"))).toEqual(server);
    const client = readClientKeys(folder);
    expect(client.serverKey).toBe(server.publicKey);
    expect(before[1]).not.toContain(server.secretKey);
    expect(readAllowList([folder], server.publicKey)).toEqual(new Set([client.publicKey]));
    expect(readAllowList([join(folder, "client.key")], server.publicKey)).toEqual(new Set([client.publicKey]));
  });

  it("that belong together open the door", async () => {
    const folder = temporaryFolder();
    writeKeyPair(folder, "server");
    writeKeyPair(folder, "client");
    const keys = readServerKeys(folder);
    const allowed = readAllowList([folder], keys.publicKey);
    const server = await serve({ address: "tcp://127.0.0.1:*", security: { keys, allowed } });
    await expect(connect(server.address, { keys: readClientKeys(folder) }).ping()).resolves.toEqual({});
  });

  it("are refused where others can read a secret, or what they hold is no key", () => {
    const folder = temporaryFolder();
    const [secret, open] = writeKeyPair(folder, "server") as [string, string];
    chmodSync(secret, 0o640);
    expect(() => readServerKeys(folder)).toThrow(/chmod 600/);
    chmodSync(secret, 0o600);
    expect(() => readServerKeys(open)).toThrow(/secret-key/);
    expect(() => readAllowList([join(folder, "nobody.key")], "")).toThrow(/ENOENT/);
    mkdirSync(join(folder, "empty"));
    expect(() => readAllowList([join(folder, "empty")], "")).toThrow(/one client at least/);
    expect(() => readAllowList([folder], readServerKeys(folder).publicKey)).toThrow(/one client at least/);
    for (const key of ["", "x".repeat(39), "~".repeat(40), "#".repeat(40), "x".repeat(45)]) {
      writeFileSync(join(folder, "bad.key"), `curve\n  public-key = "${key}"\n`);
      expect(() => readAllowList([join(folder, "bad.key")], "")).toThrow(/invalidOption/);
    }
    expect(() => readClientKeys(folder)).toThrow(/client.key_secret/);
  });
});

describe("Z85", () => {
  it("is that of ZeroMQ RFC 32", () => {
    expect(decodeZ85("HelloWorld")?.toString("hex")).toBe("864fd26fb559f75b");
    expect(decodeZ85("Hello World")).toBeUndefined();
    // keys of ZeroMQ's own manual
    for (const [text, bytes] of [
      ["JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6", "8e0bdd697628b91d8f245587ee95c5b04d48963f79259877b49cd9063aead3b7"],
      ["rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "54fcba24e93249969316fb617c872bb0c1d1ff14800427c594cbfacf1bc2d652"],
    ] as const) {
      expect(decodeZ85(text)?.toString("hex")).toBe(bytes);
    }
    const made: KeyPair = makeKeyPair();
    expect(decodeZ85(made.publicKey)?.length).toBe(32);
  });
});
