/** Binds a server's socket: in a private folder, at a path, or with keys where others can reach it. */

import { lstatSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { Context, capability, Router } from "zeromq";
import { MecgymError } from "../../../env/errors.js";
import { type KeyPair, makeKeyPair } from "../../wire/keys.js";
import { type Address, badAddress, makePrivateFolder, parseAddress, socketIn } from "./addresses.js";
import { aloneIn, clearDeadFolders, clearStaleSocket, removeSocket } from "./socket-files.js";
import { type Gate, openGate, ZAP_DOMAIN } from "./zap-handler.js";

/** A client that has not proved its key by then is cut off, ms. */
const HANDSHAKE_DEADLINE_MS = 5000;
/** Connections that may wait to be taken up. */
const BACKLOG = 1024;

export interface ListenOptions {
  /** What to bind; a fresh `ipc://` path in a private folder where left out. */
  readonly address?: string;
  /** The server's keys, and the public keys of the clients it lets in. */
  readonly security?: { readonly keys: KeyPair; readonly allowed: Iterable<string> };
  /**
   * Public key of the one client the server is for. Asked for where there is no address and no private folder can hold a
   * socket: then it is loopback TCP, encrypted, since that is open to every user of the machine.
   */
  readonly ownerKey?: () => Promise<string>;
  readonly maxMessageBytes: number;
  readonly log: (event: string, details: Record<string, unknown>) => void;
}

export interface Listening {
  readonly socket: Router;
  readonly address: string;
  /** The server's public key, where it has one. */
  readonly serverKey: string | undefined;
  readonly gate: Gate | undefined;
  /** Closes the socket and takes away what it left in the file system. */
  close(): Promise<void>;
}

/** @throws MecgymError `invalidOption` for an address that cannot be served */
export async function listen(options: ListenOptions): Promise<Listening> {
  if (!capability.curve) {
    throw new MecgymError("invalidOption", { path: "zeromq", got: "none", expected: "a build of ZeroMQ with CURVE" });
  }
  if (options.address === undefined) return listenForOwner(options);
  const address = parseAddress(options.address);
  if (!address.isPrivate && options.security === undefined) {
    throw badAddress(
      address.text,
      "keys and a list of clients (--keys, --allow) at an address that others can reach, " +
        "or an ipc:// path in a folder of yours that nobody else can enter (mode 700)",
    );
  }
  return bind(address, options);
}

async function listenForOwner(options: ListenOptions): Promise<Listening> {
  await clearDeadFolders();
  const folder = makePrivateFolder();
  if (folder !== undefined) {
    const removeFolder = () => rmSync(folder, { recursive: true, force: true });
    try {
      const path = socketIn(folder);
      const listening = await bind({ text: `ipc://${path}`, path, isPrivate: true }, options);
      return { ...listening, close: () => listening.close().finally(removeFolder) };
    } catch (error) {
      removeFolder();
      throw error;
    }
  }
  if (options.ownerKey === undefined) {
    throw badAddress(
      undefined,
      "an address with keys and a list of clients (--address, --keys, --allow): no private ipc path can be made here, " +
        "since the system has none or its temporary folder has too long a path",
    );
  }
  const security = { keys: makeKeyPair(), allowed: [await options.ownerKey()] };
  return bind(parseAddress("tcp://127.0.0.1:*"), { ...options, security });
}

async function bind(address: Address, options: ListenOptions): Promise<Listening> {
  const { path } = address;
  if (path === undefined) return bindSocket(address, options);
  return aloneIn(dirname(path), async () => {
    await clearStaleSocket(path);
    const listening = await bindSocket(address, options);
    const { ino } = lstatSync(path);
    const close = async () => {
      const work = async () => {
        listening.close();
        removeSocket(path, ino);
      };
      // a folder that is gone, or full, is no reason not to end
      await aloneIn(dirname(path), work).catch(work);
    };
    return { ...listening, close };
  });
}

async function bindSocket({ text }: Address, options: ListenOptions): Promise<Listening> {
  const { security, maxMessageBytes, log } = options;
  const context = security === undefined ? undefined : new Context();
  const gate =
    security === undefined
      ? undefined
      : await openGate(context as Context, security.allowed, (from) => log("client refused", { from }));
  const socket = new Router({
    linger: 0,
    mandatory: true, // else a reply to a client that is gone is dropped in silence
    sendTimeout: 0,
    sendHighWaterMark: 4096,
    receiveHighWaterMark: 4096,
    maxMessageSize: maxMessageBytes,
    ...(security === undefined
      ? {}
      : {
          context: context as Context,
          curveServer: true,
          curveSecretKey: security.keys.secretKey,
          zapDomain: ZAP_DOMAIN,
          zapEnforceDomain: true,
          handshakeInterval: HANDSHAKE_DEADLINE_MS,
          backlog: BACKLOG,
        }),
  });
  const close = async () => {
    socket.close();
    gate?.close();
  };
  try {
    await socket.bind(text);
  } catch (error) {
    close();
    throw badAddress(text, whyNotBound(error as NodeJS.ErrnoException));
  }
  const boundAddress = text.startsWith("tcp:") ? (socket.lastEndpoint as string) : text;
  return { socket, address: boundAddress, serverKey: security?.keys.publicKey, gate, close };
}

function whyNotBound(error: NodeJS.ErrnoException): string {
  const reasons: Record<string, string> = {
    EADDRINUSE: "a port that no other process has",
    EADDRNOTAVAIL: "an address of this machine",
    ENODEV: "an address or interface of this machine",
    EACCES: "an address that this user may bind",
  };
  return `${reasons[error.code ?? ""] ?? "an address to bind"} (${error.message})`;
}
