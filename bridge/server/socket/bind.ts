/** Binds a server's socket: in a private folder, or at a given address, with keys if others can reach it. */

import { lstatSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { Context, capability, Router } from "zeromq";
import { MecgymError } from "../../../env/errors.js";
import { type KeyPair, makeKeyPair } from "../../keys/curve.js";
import { type Address, badAddress, makePrivateFolder, parseAddress, socketIn } from "./addresses.js";
import { withFolderLock } from "./folder-lock.js";
import { clearDeadFolders, clearStaleSocket, removeSocket } from "./socket-files.js";
import { startZapHandler, ZAP_DOMAIN, type ZapHandler } from "./zap-handler.js";

/** A client that has not proved its key after this time is disconnected, ms. */
const HANDSHAKE_DEADLINE_MS = 5000;
/** Connections that may wait to be accepted. */
const BACKLOG = 1024;

export interface BindOptions {
  /** What to bind; by default a new `ipc://` path in a private folder. */
  readonly address?: string;
  /** The server's keys, and the public keys of the clients it accepts. */
  readonly security?: { readonly keys: KeyPair; readonly allowed: Iterable<string> };
  /**
   * The public key of the one client that the server is for. It is asked for if there is no address and no private
   * folder can hold a socket. The server then binds loopback TCP, encrypted because every user of the machine can
   * reach it.
   */
  readonly ownerKey?: () => Promise<string>;
  readonly maxMessageBytes: number;
  readonly log: (event: string, details: Record<string, unknown>) => void;
}

export interface BoundSocket {
  readonly socket: Router;
  readonly address: string;
  /** The server's public key, if it has one. */
  readonly serverKey: string | undefined;
  readonly zapHandler: ZapHandler | undefined;
  /** Closes the socket, and removes its files. */
  close(): Promise<void>;
}

/** @throws MecgymError `invalidOption` for an address that cannot be served */
export async function bindServer(options: BindOptions): Promise<BoundSocket> {
  if (!capability.curve) {
    throw new MecgymError("invalidOption", { path: "zeromq", got: "none", expected: "a build of ZeroMQ with CURVE" });
  }
  if (options.address === undefined) return bindForOwner(options);
  const address = parseAddress(options.address);
  if (!address.isPrivate && options.security === undefined) {
    throw badAddress(
      address.text,
      "keys and a list of clients (--keys, --allow) at an address that others can reach, " +
        "or an ipc:// path in a folder of yours that nobody else can enter (mode 700)",
    );
  }
  return bindAddress(address, options);
}

async function bindForOwner(options: BindOptions): Promise<BoundSocket> {
  await clearDeadFolders();
  const folder = makePrivateFolder();
  if (folder !== undefined) {
    const removeFolder = () => rmSync(folder, { recursive: true, force: true });
    try {
      const path = socketIn(folder);
      const bound = await bindAddress({ text: `ipc://${path}`, path, isPrivate: true }, options);
      return { ...bound, close: () => bound.close().finally(removeFolder) };
    } catch (error) {
      removeFolder();
      throw error;
    }
  }
  if (options.ownerKey === undefined) {
    throw badAddress(
      undefined,
      "an address with keys and a list of clients (--address, --keys, --allow): no private ipc path can be made, " +
        "because the system has none, or its temporary folder (TMPDIR) is missing, cannot be written to, or has a " +
        "path that is too long",
    );
  }
  const security = { keys: makeKeyPair(), allowed: [await options.ownerKey()] };
  return bindAddress(parseAddress("tcp://127.0.0.1:*"), { ...options, security });
}

async function bindAddress(address: Address, options: BindOptions): Promise<BoundSocket> {
  const { path } = address;
  if (path === undefined) return bindSocket(address, options);
  return withFolderLock(dirname(path), async () => {
    await clearStaleSocket(path);
    const bound = await bindSocket(address, options);
    const { ino } = lstatSync(path);
    const close = async () => {
      const work = async () => {
        bound.close();
        removeSocket(path, ino);
      };
      // the server ends even if the folder is gone or full
      await withFolderLock(dirname(path), work).catch(work);
    };
    return { ...bound, close };
  });
}

async function bindSocket({ text }: Address, options: BindOptions): Promise<BoundSocket> {
  const { security, maxMessageBytes, log } = options;
  const context = security === undefined ? undefined : new Context();
  const zapHandler =
    security === undefined
      ? undefined
      : await startZapHandler(context as Context, security.allowed, (from) => log("client refused", { from }));
  const socket = new Router({
    linger: 0,
    mandatory: true, // otherwise a reply to a client that is gone would be dropped silently
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
    zapHandler?.close();
  };
  try {
    await socket.bind(text);
  } catch (error) {
    close();
    throw badAddress(text, reasonNotBound(error as NodeJS.ErrnoException));
  }
  const boundAddress = text.startsWith("tcp:") ? (socket.lastEndpoint as string) : text;
  return { socket, address: boundAddress, serverKey: security?.keys.publicKey, zapHandler, close };
}

function reasonNotBound(error: NodeJS.ErrnoException): string {
  const reasons: Record<string, string> = {
    EADDRINUSE: "a port that no other process has",
    EADDRNOTAVAIL: "an address of this machine",
    ENODEV: "an address or interface of this machine",
    EACCES: "an address that this user may bind",
  };
  return `${reasons[error.code ?? ""] ?? "an address to bind"} (${error.message})`;
}
