/** The bridge's socket: a ZeroMQ ROUTER that hands messages to a SessionHost and sends what it answers. */

import { PROTOCOL_VERSION } from "../wire/protocol.js";
import { defaultLimits, type HostOptions, type Message, SessionHost } from "./dispatcher.js";
import { type ListenOptions, listen } from "./socket/bind.js";
import type { ServerStats } from "./stats.js";
import { Traffic } from "./traffic.js";

export interface ServerOptions
  extends Pick<ListenOptions, "address" | "security" | "ownerKey">,
    Omit<HostOptions, "report" | "nowMs" | "transport"> {
  /** Called with one line for each event an operator may want to see. */
  readonly log?: (event: string, details: Record<string, unknown>) => void;
}

/** Time between two looks at leases, ms. */
const REAP_MS = 1000;
/** Longest time the end of a server waits for the socket to close. */
const CLOSE_DEADLINE_MS = 2000;

export interface Server {
  readonly address: string;
  /** Public key that clients have to know, where the connection is encrypted. */
  readonly serverKey: string | undefined;
  readonly protocolVersion: string;
  readonly instance: string;
  /** What it does, as `stats` answers. */
  readonly stats: () => ServerStats;
  /** Ends the server between two requests. */
  close(): Promise<void>;
  /** Settles when the server has ended; rejects where it did not end because it was told to. */
  readonly ended: Promise<void>;
}

/**
 * Binds a server and starts to answer.
 *
 * @throws MecgymError `invalidOption` for an address that cannot be served
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const log = options.log ?? (() => {});
  const { limits = defaultLimits } = options;
  // a body that is too large gets an error; one that is far too large is not even read
  const listening = await listen({ ...options, maxMessageBytes: 2 * limits.maxBodyBytes, log });
  const { socket, address, serverKey, gate } = listening;
  const traffic = new Traffic(gate);

  const host = new SessionHost({
    ...options,
    transport: () => traffic.describe(),
    report: (error) => log("internal error", { error: error instanceof Error ? error.stack : String(error) }),
  });
  const reaper = setInterval(() => host.reap(), REAP_MS).unref();
  let isClosing = false;
  const requests = serve();
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
      traffic.countIn(message);
      // with a send timeout of 0 a send is over when it returns, so replies need not wait for each other
      host.handle(message, (reply) => void sendReply(identity, reply));
    }
  }
  async function sendReply(identity: Buffer, reply: Message): Promise<void> {
    try {
      await socket.send([identity, ...reply]);
      traffic.countOut(reply);
    } catch (error) {
      // the client has gone, or takes nothing any more: its reply waits in the session, should it ask again
      traffic.countUndelivered();
      log("reply not delivered", { error: String(error) });
    }
  }

  let closing: Promise<void> | undefined;
  // without its gate the server would take up no new client, and say nothing
  const ended = gate === undefined ? requests : Promise.race([requests, gate.ended]);
  const server: Server = {
    address,
    serverKey,
    protocolVersion: PROTOCOL_VERSION,
    instance: host.instance,
    stats: () => host.stats(),
    ended,
    close() {
      closing ??= (async () => {
        isClosing = true;
        clearInterval(reaper);
        const closed = listening.close();
        let timer: NodeJS.Timeout | undefined;
        const deadline = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, CLOSE_DEADLINE_MS);
        });
        await Promise.race([requests.catch(() => {}), deadline]);
        clearTimeout(timer);
        await closed;
        await host.close();
      })();
      return closing;
    },
  };
  ended.catch(() => void server.close());
  return server;
}
