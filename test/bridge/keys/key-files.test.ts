/** Key files and their text form: permissions, lists of clients, and what is refused. */

import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeZ85, type KeyPair, makeKeyPair } from "../../../bridge/keys/curve.js";
import { readAllowList, readClientKeys, readServerKeys, writeKeyPair } from "../../../bridge/keys/key-files.js";
import { connect, serve, temporaryFolder } from "../servers.js";

describe("key files", () => {
  it("are readable by their owner only, are never overwritten, and hold the right keys", () => {
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

  it("that belong together let a client connect", async () => {
    const folder = temporaryFolder();
    writeKeyPair(folder, "server");
    writeKeyPair(folder, "client");
    const keys = readServerKeys(folder);
    const allowed = readAllowList([folder], keys.publicKey);
    const server = await serve({ address: "tcp://127.0.0.1:*", security: { keys, allowed } });
    await expect(connect(server.address, { keys: readClientKeys(folder) }).ping()).resolves.toEqual({});
  });

  it("are refused if others can read a secret, or if they hold no key", () => {
    const folder = temporaryFolder();
    const [secret, open] = writeKeyPair(folder, "server") as [string, string];
    chmodSync(secret, 0o640);
    expect(() => readServerKeys(folder)).toThrow(/chmod 600/);
    chmodSync(secret, 0o600);
    expect(() => readServerKeys(open)).toThrow(/secret-key/);
    expect(() => readAllowList([join(folder, "nobody.key")], "")).toThrow(/ENOENT/);
    mkdirSync(join(folder, "empty"));
    expect(() => readAllowList([join(folder, "empty")], "")).toThrow(/at least one client/);
    expect(() => readAllowList([folder], readServerKeys(folder).publicKey)).toThrow(/at least one client/);
    for (const key of ["", "x".repeat(39), "~".repeat(40), "#".repeat(40), "x".repeat(45)]) {
      writeFileSync(join(folder, "bad.key"), `curve\n  public-key = "${key}"\n`);
      expect(() => readAllowList([join(folder, "bad.key")], "")).toThrow(/invalidOption/);
    }
    expect(() => readClientKeys(folder)).toThrow(/client.key_secret/);
  });
});

describe("Z85", () => {
  it("is decoded as in ZeroMQ RFC 32", () => {
    expect(decodeZ85("HelloWorld")?.toString("hex")).toBe("864fd26fb559f75b");
    expect(decodeZ85("Hello World")).toBeUndefined();
    // keys from ZeroMQ's manual
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
