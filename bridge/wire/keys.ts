/** Keys of encrypted connections: pairs, the files they are kept in, and lists of the clients a server lets in. */

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { curveKeyPair } from "zeromq";
import { MecgymError } from "../../env/errors.js";

/** A pair of CURVE keys, each 40 characters of Z85. */
export interface KeyPair {
  readonly publicKey: string;
  readonly secretKey: string;
}

/** What a client needs: its own pair, and the public key of the server it trusts. */
export interface ClientKeys extends KeyPair {
  readonly serverKey: string;
}

/** Options of a socket that connects with keys, or without any. */
export function curveOptions(keys: ClientKeys | undefined) {
  if (keys === undefined) return {};
  return { curveServerKey: keys.serverKey, curvePublicKey: keys.publicKey, curveSecretKey: keys.secretKey };
}

/** Names of the key files that a server and a client look for in their folder. */
export const SERVER_NAME = "server";
export const CLIENT_NAME = "client";

const publicFile = (folder: string, name: string) => join(folder, `${name}.key`);
const secretFile = (folder: string, name: string) => join(folder, `${name}.key_secret`);

export const makeKeyPair = (): KeyPair => curveKeyPair();

/**
 * Makes a pair and writes it, `NAME.key` and `NAME.key_secret`, both for the user alone. The form is that of ZeroMQ's
 * own tools.
 *
 * @returns the paths of both
 * @throws MecgymError `invalidOption` where a file is there already, or cannot be written
 */
export function writeKeyPair(folder: string, name: string): string[] {
  const { publicKey, secretKey } = makeKeyPair();
  const files = [
    { path: secretFile(folder, name), text: keyFile({ "public-key": publicKey, "secret-key": secretKey }) },
    { path: publicFile(folder, name), text: keyFile({ "public-key": publicKey }) },
  ];
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const taken = files.find(({ path }) => statSync(path, { throwIfNoEntry: false }) !== undefined);
    if (taken !== undefined) throw new Error(`${taken.path} is there already, and keys are not written over`);
    for (const { path, text } of files) writeFileSync(path, text, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw badKeys("--out", folder, `a folder to write keys to (${(error as Error).message})`);
  }
  return files.map(({ path }) => path);
}

function keyFile(fields: Record<string, string>): string {
  const lines = Object.entries(fields).map(([name, value]) => `    ${name} = "${value}"`);
  return ["# A key of a mecgym server or client; see docs/security.md", "metadata", "curve", ...lines, ""].join("\n");
}

/**
 * Reads a server's pair.
 *
 * @param place its secret key's file, or the folder of `server.key_secret`
 * @throws MecgymError `invalidOption`
 */
export function readServerKeys(place: string): KeyPair {
  return readPair(isFolder(place) ? secretFile(place, SERVER_NAME) : place);
}

/**
 * Reads what a client needs from a folder: `client.key_secret` and `server.key`.
 *
 * @throws MecgymError `invalidOption`
 */
export function readClientKeys(folder: string): ClientKeys {
  const serverKey = readField(publicFile(folder, SERVER_NAME), "public-key");
  return { ...readPair(secretFile(folder, CLIENT_NAME)), serverKey };
}

/**
 * Reads the public keys that a server lets in.
 *
 * @param places `.key` files, or folders of them
 * @param serverKey the server's own, which stands beside them and lets nobody in
 * @throws MecgymError `invalidOption` where there is none
 */
export function readAllowList(places: readonly string[], serverKey: string): Set<string> {
  const files = places.flatMap((place) => {
    if (!isFolder(place)) return [place];
    return readdirSync(place)
      .filter((name) => name.endsWith(".key"))
      .map((name) => join(place, name));
  });
  const keys = new Set(files.map((file) => readField(file, "public-key")));
  keys.delete(serverKey);
  if (keys.size === 0) throw badKeys("--allow", places.join(" "), "the public key of one client at least");
  return keys;
}

function readPair(file: string): KeyPair {
  const secretKey = readField(file, "secret-key");
  const mode = statSync(file).mode & 0o777;
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    throw badKeys(file, `mode ${mode.toString(8)}`, `a secret that its owner alone can read: chmod 600 ${file}`);
  }
  return { publicKey: readField(file, "public-key"), secretKey };
}

function readField(file: string, field: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw badKeys(file, "none", `a key file (${(error as Error).message})`);
  }
  const key = new RegExp(`^\\s*${field}\\s*=\\s*["']?([^"'\\s]+)["']?\\s*$`, "m").exec(text)?.[1];
  if (key === undefined) throw badKeys(file, "none", `a line ${field} = "…"`);
  if (decodeZ85(key)?.length !== 32) throw badKeys(file, "another text", `40 characters of Z85 as its ${field}`);
  return key;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function badKeys(path: string, got: unknown, expected: string): MecgymError {
  return new MecgymError("invalidOption", { path, got, expected });
}

const Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** Bytes of a Z85 text (ZeroMQ RFC 32); undefined for what is none. */
export function decodeZ85(text: string): Buffer | undefined {
  if (text.length % 5 !== 0) return undefined;
  const bytes = Buffer.alloc((text.length / 5) * 4);
  for (let i = 0; i < text.length; i += 5) {
    let value = 0;
    for (const letter of text.slice(i, i + 5)) {
      const digit = Z85.indexOf(letter);
      if (digit < 0) return undefined;
      value = value * 85 + digit;
    }
    if (value > 0xffff_ffff) return undefined;
    bytes.writeUInt32BE(value, (i / 5) * 4);
  }
  return bytes;
}
