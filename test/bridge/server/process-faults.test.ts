/** Faults around a server process: full disks, closed pipes, taken ports, signals and owners that die. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Client } from "../../../bridge/client/client.js";
import { makeKeyPair } from "../../../bridge/keys/curve.js";
import { writeKeyPair } from "../../../bridge/keys/key-files.js";
import { type Ended, end, killAll, readyLine, root, run, start } from "../processes.js";
import { atEnd, connect, temporaryFolder } from "../servers.js";

afterAll(killAll);

const command = join(root, "scripts", "mecgym.mjs");

/** Starts a server as a child process, and waits for its ready line. `ended` settles with its output. */
async function serveAsChild(args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = start(["serve", ...args], { ...process.env, ...env });
  const ended = end(child);
  return { child, ended, ready: await readyLine(child) };
}

/** Runs `mecgym serve` with the given standard output and error. */
function serveInto(stdout: number | "pipe", stderr: number | "pipe", args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [command, "serve", ...args], {
    stdio: ["pipe", stdout, stderr],
    env: { ...process.env, ...env },
  });
  atEnd(() => child.kill("SIGKILL"));
  return child;
}

function endOf(child: ChildProcess): Promise<Omit<Ended, "stdout">> {
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, stderr })));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function goneSoon(pid: number): Promise<boolean> {
  for (let i = 0; i < 200 && isAlive(pid); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  return !isAlive(pid);
}

describe("a server process", { timeout: 300_000 }, () => {
  it("that cannot write its ready line to a full disk ends with a clear error and leaves no files", async () => {
    const TMPDIR = temporaryFolder();
    const child = serveInto(openSync("/dev/full", "w"), "pipe", [], { TMPDIR });
    const { code, stderr } = await endOf(child);
    expect(stderr).toMatch(/^mecgym: invalidOption at standard output: .*ENOSPC.*\n$/);
    expect(code).toBe(2);
    expect(readdirSync(TMPDIR)).toEqual([]);
  });

  it("whose reader is gone ends with a clear error and leaves no files", async () => {
    const TMPDIR = temporaryFolder();
    const child = serveInto("pipe", "pipe", [], { TMPDIR });
    child.stdout?.destroy();
    const { code, stderr } = await endOf(child);
    expect(stderr).toMatch(/^mecgym: invalidOption at standard output: .*EPIPE.*\n$/);
    expect(code).toBe(2);
    expect(readdirSync(TMPDIR)).toEqual([]);
  });

  it("that cannot write its log to a full disk continues to serve", async () => {
    const address = `ipc://${join(temporaryFolder(), "s")}`;
    const child = serveInto("pipe", openSync("/dev/full", "w"), ["--address", address, "--log-level", "trace"]);
    await readyLine(child);
    const client = connect(address);
    const session = await client.open({ scenarios: ["paper-v1"], numEnvs: 2 });
    for (let i = 0; i < 20; i++) await client.open({ scenarios: ["nowhere"], numEnvs: 1 }).catch(() => {});
    expect((await session.reset([7, 8])).observation[0]).toBe(3.413769006729126);
    child.kill("SIGTERM");
    expect((await endOf(child)).code).toBe(0);
  });

  it("that is told to end during steps ends properly and removes its socket", async () => {
    const TMPDIR = temporaryFolder();
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const { child, ended, ready } = await serveAsChild([], { TMPDIR });
      const client = new Client(ready.address, { requestDeadlineMs: 30_000 });
      const session = await client.open({ scenarios: ["paper-v1"], numEnvs: 8192, groups: 4 });
      await Promise.all([0, 1, 2, 3].map((group) => session.reset(undefined, undefined, group)));
      const play = async (group: number) => {
        for (;;) await session.step(new Int32Array(2048), group);
      };
      const plays = Promise.allSettled([0, 1, 2, 3].map(play));
      await new Promise((resolve) => setTimeout(resolve, 150));
      child.kill(signal);
      expect(await ended).toMatchObject({ code: 0, stderr: "" });
      client.close();
      await plays;
      expect(readdirSync(TMPDIR)).toEqual([]);
    }
  });

  it("that is told to end while it starts ends, too, and leaves no files", async () => {
    for (const delayMs of [150, 300, 450]) {
      const TMPDIR = temporaryFolder();
      const child = serveInto("pipe", "pipe", [], { TMPDIR });
      const ended = endOf(child);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      child.kill("SIGTERM");
      const { stderr } = await ended;
      expect(stderr).toBe("");
      expect(readdirSync(TMPDIR)).toEqual([]);
    }
  });

  it("is the only one if several start on one stale socket at once", async () => {
    const folder = temporaryFolder();
    const address = `ipc://${join(folder, "s")}`;
    const first = await serveAsChild(["--address", address]);
    first.child.kill("SIGKILL");
    await first.ended;
    expect(readdirSync(folder)).toEqual(["s"]);
    const children = Array.from({ length: 4 }, () => serveInto("pipe", "pipe", ["--address", address]));
    const endings = children.map(endOf);
    const starts = await Promise.allSettled(children.map(readyLine));
    const winners = children.filter((_, i) => starts[i].status === "fulfilled");
    expect(winners.length).toBe(1);
    for (const [i, child] of children.entries()) {
      if (winners.includes(child)) continue;
      const { code, stderr } = await endings[i];
      expect(code).toBe(2);
      expect(stderr).toMatch(/^mecgym: invalidOption at address: expected an address that no running server holds/);
    }
    await expect(connect(address).ping()).resolves.toEqual({});
    winners[0].kill("SIGTERM");
    await endOf(winners[0]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("says that its port is taken, for clients or for metrics", async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, "127.0.0.1", () => resolve((other.address() as { port: number }).port));
    });
    atEnd(() => other.close());
    const keys = temporaryFolder();
    writeKeyPair(keys, "server");
    writeKeyPair(keys, "client");
    const address = ["--address", `tcp://127.0.0.1:${port}`, "--keys", keys, "--allow", keys];
    for (const args of [address, ["--metrics-port", String(port)]]) {
      const { code, stdout, stderr } = await run("serve", ...args);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toMatch(/^mecgym: invalidOption at .*no other process has.*in use.*\n$/);
    }
  });

  it("serves metrics at the address in its ready line", async () => {
    const { child, ended, ready } = await serveAsChild(["--metrics-port", "0"]);
    const text = await (await fetch(ready.metrics as string)).text();
    expect(text).toContain("mecgym_sessions 0\n");
    child.kill("SIGTERM");
    expect((await ended).code).toBe(0);
  });

  it("ends when its owner's pipe closes, even with open sessions", async () => {
    const { child, ended, ready } = await serveAsChild(["--until-stdin-closes"]);
    const client = connect(ready.address);
    await client.open({ scenarios: ["paper-v1"], numEnvs: 4 });
    child.stdin.end();
    expect((await ended).code).toBe(0);
    expect(existsSync(ready.address.slice("ipc://".length))).toBe(false);
  });

  it("ends when its owner is killed", async () => {
    const script = `
      const { spawn } = require("node:child_process");
      const server = spawn(process.execPath, [${JSON.stringify(command)}, "serve", "--until-stdin-closes"],
        { stdio: ["pipe", "pipe", "inherit"], detached: true });
      server.stdout.once("data", (line) => process.stdout.write(line));
      setInterval(() => {}, 1000);
    `;
    const owner = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    atEnd(() => owner.kill("SIGKILL"));
    const ready = await readyLine(owner);
    expect(isAlive(ready.pid)).toBe(true);
    owner.kill("SIGKILL");
    expect(await goneSoon(ready.pid)).toBe(true);
    expect(existsSync(ready.address.slice("ipc://".length))).toBe(false);
  });

  it("asks its owner for a key if no folder is private, and says so if none comes", async () => {
    const TMPDIR = join(temporaryFolder(), "x".repeat(90));
    mkdirSync(TMPDIR);
    const owner = makeKeyPair();
    const child = start(["serve", "--until-stdin-closes"], { ...process.env, TMPDIR });
    const ended = end(child);
    child.stdin.write(`${JSON.stringify({ publicKey: owner.publicKey })}\n`);
    const ready = await readyLine(child);
    const keys = { ...owner, serverKey: ready.serverKey as string };
    await expect(connect(ready.address, { keys }).ping()).resolves.toEqual({});
    child.stdin.end();
    expect((await ended).code).toBe(0);
    for (const line of ["", '{"publicKey": "short"}\n']) {
      const other = start(["serve", "--until-stdin-closes"], { ...process.env, TMPDIR });
      other.stdin.end(line);
      const { code, stderr } = await end(other);
      expect(code).toBe(2);
      expect(stderr).toMatch(/^mecgym: invalidOption at standard input: expected the owner's public key/);
    }
    const { code, stderr } = await end(start(["serve"], { ...process.env, TMPDIR }));
    expect(code).toBe(2);
    expect(stderr).toMatch(/--address, --keys, --allow/);
  });
});

describe("mecgym keys", { timeout: 300_000 }, () => {
  it("makes keys that a server accepts, and overwrites none", async () => {
    const folder = join(temporaryFolder(), "keys");
    const made = await run("keys", "new", "--out", folder);
    expect(made.code).toBe(0);
    expect(made.stdout.trim().split("\n").length).toBe(4);
    const again = await run("keys", "new", "client", "--out", folder);
    expect([again.code, again.stdout]).toEqual([2, ""]);
    expect(again.stderr).toMatch(/there already/);
    expect((await run("keys", "new", "../evil", "--out", folder)).stderr).toMatch(/letters, digits/);
    const { child, ended, ready } = await serveAsChild([
      "--address",
      "tcp://127.0.0.1:*",
      "--keys",
      folder,
      "--allow",
      folder,
    ]);
    const top = await run("top", ready.address, "--keys", folder, "--once");
    expect(top.stdout).toMatch(/handshakes +1 with a key on the list, 0 refused/);
    const stranger = await run("top", ready.address, "--once", "--timeout-seconds", "0.3");
    expect([stranger.code, stranger.stdout]).toEqual([2, ""]);
    expect(stranger.stderr).toMatch(/only clients whose keys it knows \(--keys\)/);
    child.kill("SIGTERM");
    expect((await ended).code).toBe(0);
    const half = await run("serve", "--address", "tcp://127.0.0.1:*", "--keys", folder);
    expect(half.code).toBe(2);
    expect(half.stderr).toMatch(/both --keys and --allow/);
  });

  it("is refused if --out is a file", async () => {
    const file = join(temporaryFolder(), "keys");
    writeFileSync(file, "precious");
    const { code, stderr } = await run("keys", "new", "--out", file);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^mecgym: invalidOption at --out/);
  });
});
