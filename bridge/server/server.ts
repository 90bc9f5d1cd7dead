/** Starts a server: binds its socket, connects it to a dispatcher, and ends both together. */

import { PROTOCOL_VERSION } from "../wire/protocol.js";
import { Dispatcher, type DispatcherOptions } from "./dispatcher.js";
import { faultLog } from "./fault-log.js";
import { defaultLimits } from "./limits.js";
import { type BindOptions, bindServer } from "./socket/bind.js";
import { MessageSocket } from "./socket/message-socket.js";
import type { ServerStats } from "./stats.js";

export interface ServerOptions
  extends Pick<BindOptions, "address" | "security" | "ownerKey">,
    Omit<DispatcherOptions, "report" | "nowMs" | "transport"> {
  /** Called with each event that an operator may want to see. */
  readonly log?: (event: string, details: Record<string, unknown>) => void;
}

/** How often leases are checked, ms. */
const REAP_INTERVAL_MS = 1000;

export interface Server {
  readonly address: string;
  /** The public key that clients need, if the connection is encrypted. */
  readonly serverKey: string | undefined;
  readonly protocolVersion: string;
  readonly instance: string;
  /** The result of `stats`. */
  readonly stats: () => ServerStats;
  /** Ends the server between two requests. */
  close(): Promise<void>;
  /** Settles when the server has ended; rejects if it ended without being told to. */
  readonly ended: Promise<void>;
}

/**
 * Binds a server and starts to answer.
 *
 * @throws MecgymError `invalidOption` for an address that cannot be served
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { limits = defaultLimits, log = () => {} } = options;
  // a body that is too large is refused with an error; one that is twice as large is not even read
  const bound = await bindServer({ ...options, maxMessageBytes: 2 * limits.maxBodyBytes, log });
  const dispatcher = new Dispatcher({
    ...options,
    transport: () => socket.stats(),
    report: faultLog(log),
  });
  const socket = new MessageSocket(
    bound,
    (message, sendKept, send) => dispatcher.handle(message, sendKept, send),
    limits.maxQueuedBytes,
    log,
  );
  const reaper = setInterval(() => {
    dispatcher.reap();
    socket.sweep();
  }, REAP_INTERVAL_MS).unref();

  let closing: Promise<void> | undefined;
  const close = async () => {
    clearInterval(reaper);
    await socket.close();
    await dispatcher.close();
  };
  const server: Server = {
    address: bound.address,
    serverKey: bound.serverKey,
    protocolVersion: PROTOCOL_VERSION,
    instance: dispatcher.instance,
    stats: () => dispatcher.stats(),
    ended: socket.ended,
    close() {
      closing ??= close();
      return closing;
    },
  };
  server.ended.catch(() => void server.close());
  return server;
}
