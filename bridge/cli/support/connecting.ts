/** Connects a command to a server: address, keys, and one clear error if nobody answers. */

import { Command, Option } from "commander";
import { MecgymError } from "../../../env/errors.js";
import { Client, type ClientOptions } from "../../client/client.js";
import { DeadlineExceeded } from "../../client/errors.js";
import { readClientKeys } from "../../keys/key-files.js";
import { number } from "./program.js";

export interface ConnectOptions {
  readonly keys?: string;
  readonly timeoutSeconds: number;
}

/** A command with an address as its argument, and the options of a connection. */
export function clientCommand(name: string): Command {
  return new Command(name)
    .argument("<address>", "address of a running server, as in its ready line")
    .addOption(
      new Option("--keys <folder>", "folder of client.key_secret and server.key, if the server asks for keys").env(
        "MECGYM_KEYS",
      ),
    )
    .option("--timeout-seconds <n>", "longest wait for an answer", number(0.1, 3600), 10);
}

/** Calls `work` with a client that is closed afterwards. */
export async function withClient<T>(
  address: string,
  options: ConnectOptions,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = openClient(address, options);
  try {
    return await work(client);
  } catch (error) {
    throw error instanceof DeadlineExceeded ? noAnswer(address, error) : error;
  } finally {
    client.close();
  }
}

/** The error of an address where nobody answers. A server that does not know the client's key looks the same. */
export function noAnswer(address: string, reason: Error): MecgymError {
  const hint = address.startsWith("tcp:") ? "; such a server answers only clients whose keys it knows (--keys)" : "";
  const expected = `a server that answers (${reason.message})${hint}`;
  return new MecgymError("invalidOption", { path: "address", got: address, expected });
}

/** @throws MecgymError `invalidOption` */
function openClient(address: string, { keys, timeoutSeconds }: ConnectOptions): Client {
  const options: ClientOptions = {
    requestDeadlineMs: timeoutSeconds * 1000,
    ...(keys === undefined ? {} : { keys: readClientKeys(keys) }),
  };
  try {
    return new Client(address, options);
  } catch (error) {
    const expected = `a ZeroMQ address (${(error as Error).message})`;
    throw new MecgymError("invalidOption", { path: "address", got: address, expected });
  }
}
