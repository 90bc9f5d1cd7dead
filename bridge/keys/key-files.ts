/** Key files: where a server and a client keep their pairs, and the list of clients that a server accepts. */

import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MecgymError } from "../../env/errors.js";
import { type ClientKeys, decodeZ85, type KeyPair, makeKeyPair } from "./curve.js";
import { readRegularFile } from "./regular-file.js";

/** Names of the key files that a server and a client look for in their folder. */
export const SERVER_NAME = "server";
export const CLIENT_NAME = "client";

/** A key file has some hundred bytes. */
const MAX_KEY_FILE_BYTES = 65_536;

const publicFile = (folder: string, name: string) => join(folder, `${name}.key`);
const secretFile = (folder: string, name: string) => join(folder, `${name}.key_secret`);

/**
 * Makes a pair and writes it to `NAME.key` and `NAME.key_secret`, readable by the user only. The format is that of
 * ZeroMQ's own tools.
 *
 * @returns the paths of both files
 * @throws MecgymError `invalidOption` if one of the files exists already or cannot be written
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
    if (taken !== undefined) throw new Error(`${taken.path} is there already, and keys are never overwritten`);
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
 * @param place the file of its secret key, or the folder of `server.key_secret`
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
 * Reads the public keys of the clients that a server accepts.
 *
 * @param places `.key` files, or folders of them
 * @param serverKey the server's own key, which lies in the same folder and accepts nobody
 * @throws MecgymError `invalidOption` if there is no key of a client
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
  if (keys.size === 0) throw badKeys("--allow", places.join(" "), "the public key of at least one client");
  return keys;
}

function readPair(file: string): KeyPair {
  const secretKey = readField(file, "secret-key");
  const mode = statSync(file).mode & 0o777;
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    throw badKeys(file, `mode ${mode.toString(8)}`, `a secret that only its owner can read: chmod 600 ${file}`);
  }
  return { publicKey: readField(file, "public-key"), secretKey };
}

function readField(file: string, field: string): string {
  let text: string;
  try {
    text = readRegularFile(file, MAX_KEY_FILE_BYTES).toString("utf8");
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
