/** The options of `mecgym serve` that decide who may connect, and the public key of the client that owns the server. */

import type { Readable } from "node:stream";
import type { Command } from "commander";
import { checkOption } from "../../../env/checks.js";
import { MecgymError } from "../../../env/errors.js";
import { decodeZ85 } from "../../keys/curve.js";
import { readAllowList, readServerKeys } from "../../keys/key-files.js";
import type { ServerOptions } from "../../server/server.js";

export interface SecurityOptions {
  readonly address?: string;
  readonly keys?: string;
  readonly allow?: readonly string[];
}

/** Longest wait for the owner's key, ms. The owner sends it before anything else. */
const OWNER_DEADLINE_MS = 10_000;
const MAX_LINE_BYTES = 4096;

export function withSecurityOptions(command: Command): Command {
  return command
    .option("--address <address>", "ipc:// path or tcp://HOST:PORT to bind (default: a fresh path in a private folder)")
    .option("--keys <place>", "the server's secret key file, or the folder of server.key_secret; see `mecgym keys`")
    .option("--allow <places...>", "public keys of the clients that may connect: .key files or folders of them");
}

/** @throws MecgymError `invalidOption` */
export function securityOf({ address, keys: place, allow }: SecurityOptions): Partial<ServerOptions> {
  if (place === undefined && allow === undefined) return address === undefined ? {} : { address };
  checkOption(address !== undefined, "--address", address, "an address, required by --keys and --allow");
  if (place === undefined || allow === undefined) {
    const path = place === undefined ? "--keys" : "--allow";
    throw new MecgymError("invalidOption", { path, got: undefined, expected: "both --keys and --allow" });
  }
  const keys = readServerKeys(place);
  return { address, security: { keys, allowed: readAllowList(allow, keys.publicKey) } };
}

/**
 * Reads the owner's public key, `{"publicKey": "…"}`, from the first line of the pipe that the owner holds.
 *
 * @throws MecgymError `invalidOption` if none comes
 */
export async function ownerKeyOf(pipe: Readable): Promise<string> {
  const refuse = (got: unknown) =>
    new MecgymError("invalidOption", {
      path: "standard input",
      got,
      expected: 'the owner\'s public key, a line {"publicKey": "…"}',
    });
  const line = await new Promise<string>((resolve, reject) => {
    let text = "";
    const settle = (error?: Error) => {
      clearTimeout(timer);
      pipe.removeListener("data", take).removeListener("end", end).pause();
      if (error === undefined) resolve(text);
      else reject(error);
    };
    const end = () => settle(refuse("its end"));
    const take = (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (text.includes("\n")) settle();
      else if (text.length > MAX_LINE_BYTES) settle(refuse("no line"));
    };
    const timer = setTimeout(() => settle(refuse(`nothing in ${OWNER_DEADLINE_MS} ms`)), OWNER_DEADLINE_MS);
    pipe.on("data", take).once("end", end);
  });
  let key: unknown;
  try {
    key = (JSON.parse(line.slice(0, line.indexOf("\n"))) as { publicKey?: unknown }).publicKey;
  } catch {
    throw refuse("another line");
  }
  if (typeof key !== "string" || decodeZ85(key)?.length !== 32) throw refuse("another line");
  return key;
}
