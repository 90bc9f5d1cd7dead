/** The bridge's socket: a ZeroMQ ROUTER that hands messages to a SessionHost and sends what it answers. */

import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Router } from "zeromq";
import { MecgymError } from "../env/errors.js";
import { MAX_BODY_BYTES, PROTOCOL_VERSION } from "./protocol.js";
import { defaultLimits, type Limits, type Message, SessionHost } from "./session.js";

export interface ServerOptions {
  /** `ipc://` path to bind; a fresh one in a private folder where left out. */
  readonly address?: string;
  readonly packageVersion: string;
  readonly limits?: Limits;
  /** Called with one line for each event an operator may want to see. */
  readonly log?: (event: string, details: Record<string, unknown>) => void;
}

/** Longest path of a Unix socket that every system takes, with room to spare. */
const MAX_IPC_PATH_BYTES = 100;
/** Longest time the end of a server waits for the socket to close. */
const CLOSE_DEADLINE_MS = 2000;

export interface Server {
  readonly address: string;
  readonly protocolVersion: string;
  readonly instance: string;
  /** Ends the server between two requests. */
  close(): Promise<void>;
  /** Settles when the server has ended. */
  readonly ended: Promise<void>;
}

/**
 * Binds a server and starts to answer.
 *
 * @throws MecgymError `invalidOption` for an address that cannot be served
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const log = options.log ?? (() => {});
  const host = new SessionHost(options.packageVersion, options.limits ?? defaultLimits, (error) =>
    log("internal error", { error: error instanceof Error ? error.stack : String(error) }),
  );
  const folder = options.address === undefined ? makePrivateFolder() : undefined;
  const address = options.address ?? `ipc://${join(folder as string, "s")}`;
  const path = checkAddress(address);
  if (options.address !== undefined) await clearStaleSocket(path);

  const socket = new Router({
    linger: 0,
    mandatory: true,
    sendTimeout: 0,
    sendHighWaterMark: 4096,
    receiveHighWaterMark: 4096,
    maxMessageSize: MAX_BODY_BYTES,
  });
  try {
    await socket.bind(address);
  } catch (error) {
    socket.close();
    throw new MecgymError("invalidOption", {
      path: "address",
      got: address,
      expected: `an address to bind (${String(error)})`,
    });
  }

  let isClosing = false;
  const ended = serve();
  async function serve(): Promise<void> {
    while (!isClosing) {
      let frames: Buffer[];
      try {
        frames = await socket.receive();
      } catch (error) {
        if (isClosing) return;
        throw error;
      }
      const [identity, ...message] = frames;
      for (const reply of host.handle(message)) await sendReply(socket, identity, reply, log);
    }
  }

  let closing: Promise<void> | undefined;
  return {
    address,
    protocolVersion: PROTOCOL_VERSION,
    instance: host.instance,
    ended,
    close() {
      closing ??= (async () => {
        isClosing = true;
        socket.close();
        let timer: NodeJS.Timeout | undefined;
        const deadline = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, CLOSE_DEADLINE_MS);
        });
        await Promise.race([ended.catch(() => {}), deadline]);
        clearTimeout(timer);
        if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
        else rmSync(path, { force: true });
      })();
      return closing;
    },
  };
}

async function sendReply(
  socket: Router,
  identity: Buffer,
  reply: Message,
  log: (event: string, details: Record<string, unknown>) => void,
): Promise<void> {
  try {
    await socket.send([identity, ...reply]);
  } catch (error) {
    // the client has gone, or takes nothing any more: its reply waits in the session, should it ask again
    log("reply not delivered", { error: String(error) });
  }
}

function makePrivateFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "mecgym-")); // mode 0700
  if (Buffer.byteLength(join(folder, "s")) <= MAX_IPC_PATH_BYTES) return folder;
  rmSync(folder, { recursive: true, force: true });
  const short = join("/tmp", `mecgym-${process.pid.toString(36)}-${Date.now().toString(36)}`);
  mkdirSync(short, { mode: 0o700 });
  return short;
}

/** @returns the path of an ipc address */
function checkAddress(address: string): string {
  const refuse = (expected: string) => new MecgymError("invalidOption", { path: "address", got: address, expected });
  if (!address.startsWith("ipc://") || address.length === "ipc://".length) {
    throw refuse(
      "an ipc:// path; an address that others can reach needs encryption, which this version does not serve",
    );
  }
  const path = address.slice("ipc://".length);
  if (Buffer.byteLength(path) > MAX_IPC_PATH_BYTES) throw refuse(`a path of at most ${MAX_IPC_PATH_BYTES} bytes`);
  if (!existsSync(dirname(path))) throw refuse(`a path in a folder that exists`);
  return path;
}

/**
 * Removes the socket file of a server that is gone; a second bind of a live one would steal it without an error.
 *
 * @throws MecgymError `invalidOption` where a server listens, or anything but a dead socket stands
 */
async function clearStaleSocket(path: string): Promise<void> {
  const refuse = (expected: string) =>
    new MecgymError("invalidOption", { path: "address", got: `ipc://${path}`, expected });
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket()) throw refuse("a path where nothing stands, or the socket of a server that is gone");
  const failure = await new Promise<string | undefined>((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? String(error)));
  });
  if (failure === undefined) throw refuse("an address that no running server holds");
  if (failure !== "ECONNREFUSED") throw refuse(`a socket that can be asked whether a server holds it (${failure})`);
  rmSync(path, { force: true });
}
