/** Addresses that a server binds and refuses, and the files it leaves: real sockets, and files in the way. */

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { makeKeyPair } from "../../../../bridge/keys/curve.js";
import { startServer } from "../../../../bridge/server/server.js";
import { withFolderLock } from "../../../../bridge/server/socket/folder-lock.js";
import { MecgymError } from "../../../../env/index.js";
import { atEnd, connect, serve, temporaryFolder } from "../../servers.js";

/** Leaves a socket file as a process does that dies without closing its socket. */
function staleSocket(path: string): void {
  const die = `() => process.kill(process.pid, "SIGKILL")`;
  const listen = `require("node:net").createServer().listen(${JSON.stringify(path)}, ${die})`;
  spawnSync(process.execPath, ["-e", listen]);
  expect(lstatSync(path).isSocket()).toBe(true);
}

/** Options of a server at an address that others can reach. */
function secured(address: string) {
  return { address, security: { keys: makeKeyPair(), allowed: [makeKeyPair().publicKey] } };
}

describe("the address of a server without an address option", () => {
  it("is in a folder that only the user can enter, and is removed with the server", async () => {
    const server = await startServer({ packageVersion: "0" });
    const path = server.address.slice("ipc://".length);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    await server.close();
    expect(existsSync(dirname(path))).toBe(false);
  });

  it("removes the folders of servers that were killed, and no others", async () => {
    const parent = temporaryFolder();
    vi.stubEnv("TMPDIR", parent);
    atEnd(() => vi.unstubAllEnvs());
    const running = await serve();
    const folder = (name: string) => {
      mkdirSync(join(parent, name), { mode: 0o700 });
      return join(parent, name);
    };
    const anHourAgo = new Date(Date.now() - 3_600_000);
    const dead = join(folder("mecgym-dead"), "s");
    const young = join(folder("mecgym-young"), "s");
    for (const path of [dead, young]) staleSocket(path);
    for (const path of [dead, running.address.slice("ipc://".length)]) utimesSync(path, anHourAgo, anHourAgo);
    writeFileSync(join(folder("mecgym-notes"), "s"), "precious");
    utimesSync(join(parent, "mecgym-notes", "s"), anHourAgo, anHourAgo);
    folder("mecgym-empty");
    const next = await serve();
    const names = [running, next].map(({ address }) => address.split("/").at(-2));
    expect(readdirSync(parent).sort()).toEqual(["mecgym-empty", "mecgym-notes", "mecgym-young", ...names].sort());
    await expect(connect(running.address).ping()).resolves.toEqual({});
  });

  describe.each([
    ["is missing", () => join(temporaryFolder(), "missing")],
    ["is a file", () => process.execPath],
    ["cannot be written to", () => "/proc"],
  ])("if the temporary folder %s", (_name, folder) => {
    it("says so in one sentence", async () => {
      vi.stubEnv("TMPDIR", folder());
      atEnd(() => vi.unstubAllEnvs());
      await expect(serve()).rejects.toThrow(/^invalidOption at address: .* temporary folder \(TMPDIR\) is missing/);
    });

    it("binds loopback TCP with keys for an owner", async () => {
      vi.stubEnv("TMPDIR", folder());
      atEnd(() => vi.unstubAllEnvs());
      const owner = makeKeyPair();
      const server = await serve({ ownerKey: async () => owner.publicKey });
      expect(server.address).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
    });
  });

  describe("if the path of the temporary folder is too long", () => {
    const withLongFolder = async (work: () => Promise<void>) => {
      const folder = join(temporaryFolder(), "x".repeat(90));
      mkdirSync(folder);
      vi.stubEnv("TMPDIR", folder);
      await work().finally(() => vi.unstubAllEnvs());
      expect(readdirSync(folder)).toEqual([]);
    };

    it("is loopback with keys, and accepts the owner", () =>
      withLongFolder(async () => {
        const owner = makeKeyPair();
        const server = await serve({ ownerKey: async () => owner.publicKey });
        expect(server.address).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
        const serverKey = server.serverKey as string;
        await expect(connect(server.address, { keys: { ...owner, serverKey } }).ping()).resolves.toEqual({});
        const other = connect(server.address, { keys: { ...makeKeyPair(), serverKey }, requestDeadlineMs: 300 });
        await expect(other.ping()).rejects.toThrow(/300 ms/);
      }));

    it("does not exist without an owner", () =>
      withLongFolder(async () => {
        await expect(startServer({ packageVersion: "0" })).rejects.toThrow(/--address, --keys, --allow/);
      }));
  });
});

describe("an ipc path", () => {
  it("of a running server is refused, and that server keeps running", async () => {
    const address = `ipc://${join(temporaryFolder(), "taken")}`;
    await serve({ address });
    const client = connect(address);
    const before = await client.hello();
    await expect(startServer({ packageVersion: "0", address })).rejects.toThrow(/no running server holds/);
    expect(await client.hello()).toEqual(before);
  });

  it("with the socket file of a dead server is used again", async () => {
    const path = join(temporaryFolder(), "stale");
    staleSocket(path);
    await serve({ address: `ipc://${path}` });
    await expect(connect(`ipc://${path}`).ping()).resolves.toEqual({});
  });

  it("with the socket file of a dead server goes to only one of the servers that start on it at once", async () => {
    for (let round = 0; round < 5; round++) {
      const folder = temporaryFolder();
      const path = join(folder, "stale");
      staleSocket(path);
      const starts = await Promise.allSettled(
        Array.from({ length: 6 }, () => startServer({ packageVersion: "0", address: `ipc://${path}` })),
      );
      const servers = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
      for (const server of servers) atEnd(() => server.close());
      expect(servers.length).toBe(1);
      for (const start of starts) {
        if (start.status === "rejected") expect(String(start.reason)).toMatch(/no running server holds/);
      }
      expect((await connect(`ipc://${path}`).hello()).instance).toBe(servers[0].instance);
      await servers[0].close();
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it("is free for the next server once the last one has closed, and not before", async () => {
    const address = `ipc://${join(temporaryFolder(), "s")}`;
    for (let i = 0; i < 10; i++) {
      const last = await startServer({ packageVersion: "0", address });
      const closed = last.close();
      const next = await startServer({ packageVersion: "0", address }).catch(async () => {
        await closed;
        return startServer({ packageVersion: "0", address });
      });
      await closed;
      // the last one removed nothing of the next one
      expect((await connect(address).hello()).instance).toBe(next.instance);
      await next.close();
    }
  });

  it("of a file, a folder or a link is refused, and nothing there is changed", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "notes.txt");
    writeFileSync(path, "precious");
    symlinkSync(path, join(folder, "link"));
    for (const taken of [path, folder, join(folder, "link")]) {
      chmodSync(dirname(taken), 0o700);
      await expect(startServer({ packageVersion: "0", ...secured(`ipc://${taken}`) })).rejects.toThrow(
        /a path that is free/,
      );
    }
    expect(readFileSync(path, "utf8")).toBe("precious");
    expect(readdirSync(folder).sort()).toEqual(["link", "notes.txt"]);
  });

  it("in a folder that others can enter needs keys", async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    const address = `ipc://${join(folder, "s")}`;
    await expect(startServer({ packageVersion: "0", address })).rejects.toThrow(/nobody else can enter/);
    await serve(secured(address));
    const plain = connect(address, { requestDeadlineMs: 300 });
    await expect(plain.ping()).rejects.toThrow(/300 ms/);
  });

  it("whose folder is gone does not prevent the end of the server", async () => {
    const folder = temporaryFolder();
    const server = await startServer({ packageVersion: "0", address: `ipc://${join(folder, "s")}` });
    rmSync(folder, { recursive: true });
    await server.close();
  });
});

describe("a TCP port", () => {
  it("is never served without keys", async () => {
    for (const address of ["tcp://127.0.0.1:*", "tcp://localhost:5555", "tcp://[::1]:5555", "tcp://*:5555"]) {
      await expect(startServer({ packageVersion: "0", address })).rejects.toThrow(/--keys, --allow/);
    }
  });

  it("of another process is refused with its number", async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, "127.0.0.1", () => resolve((other.address() as { port: number }).port));
    });
    atEnd(() => other.close());
    const address = `tcp://127.0.0.1:${port}`;
    await expect(startServer({ packageVersion: "0", ...secured(address) })).rejects.toThrow(
      new RegExp(`a port that no other process has .*${port}`),
    );
    const first = await serve(secured("tcp://127.0.0.1:*"));
    await expect(startServer({ packageVersion: "0", ...secured(first.address) })).rejects.toThrow(
      /no other process has/,
    );
  });

  it("of another machine is refused", async () => {
    await expect(startServer({ packageVersion: "0", ...secured("tcp://192.0.2.1:5555") })).rejects.toThrow(
      /an address of this machine/,
    );
  });
});

describe("an invalid address", () => {
  it.each([
    ["nonsense", /ipc:\/\/ path or tcp/],
    ["inproc://x", /ipc:\/\/ path or tcp/],
    ["tcp://127.0.0.1", /ipc:\/\/ path or tcp/],
    ["ipc://", /begins with \//],
    ["ipc://@abstract", /begins with \//],
    ["ipc://relative/s", /begins with \//],
    [`ipc:///tmp/${"x".repeat(100)}`, /at most 100 bytes/],
    [`ipc:///tmp/${"\u00e4".repeat(50)}`, /at most 100 bytes/],
    ["ipc:///no/such/folder/s", /a folder that exists/],
    ["ipc:///dev/null/s", /a folder that exists/],
  ])("is refused: %s", async (address, message) => {
    const start = startServer({ packageVersion: "0", ...secured(address) });
    await expect(start).rejects.toBeInstanceOf(MecgymError);
    await expect(start).rejects.toThrow(message);
  });
});

describe("a folder lock", () => {
  it("admits one at a time, also among the locks of dead processes", async () => {
    const folder = temporaryFolder();
    staleSocket(join(folder, ".m000000"));
    let inside = 0;
    let most = 0;
    let done = 0;
    const work = () =>
      withFolderLock(folder, async () => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((resolve) => setTimeout(resolve, 3));
        inside -= 1;
        done += 1;
      });
    await Promise.all(Array.from({ length: 12 }, work));
    expect([most, done]).toEqual([1, 12]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("passes on what the work throws, and is released afterwards", async () => {
    const folder = temporaryFolder();
    await expect(withFolderLock(folder, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(withFolderLock(folder, async () => 7)).resolves.toBe(7);
  });
});
