/** The bridge's socket: a ZeroMQ ROUTER that hands messages to a SessionHost and sends what it answers. */

import { type ListenOptions, listen } from "./listening.js";
import { MAX_BODY_BYTES, PROTOCOL_VERSION } from "./protocol.js";
import { defaultLimits, type Limits, type Message, SessionHost } from "./session.js";
import { Traffic, type TrafficStats } from "./traffic.js";

export interface ServerOptions extends Pick<ListenOptions, "address" | "security" | "ownerKey"> {
  readonly packageVersion: string;
  readonly limits?: Limits;
  /** Called with one line for each event an operator may want to see. */
  readonly log?: (event: string, details: Record<string, unknown>) => void;
}

/** Longest time the end of a server waits for the socket to close. */
const CLOSE_DEADLINE_MS = 2000;

export interface Server {
  readonly address: string;
  /** Public key that clients have to know, where the connection is encrypted. */
  readonly serverKey: string | undefined;
  readonly protocolVersion: string;
  readonly instance: string;
  /** What went through its socket. */
  readonly traffic: () => TrafficStats;
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
  const host = new SessionHost(options.packageVersion, options.limits ?? defaultLimits, (error) =>
    log("internal error", { error: error instanceof Error ? error.stack : String(error) }),
  );
  const listening = await listen({ ...options, maxMessageBytes: MAX_BODY_BYTES, log });
  const { socket, address, serverKey, gate } = listening;
  const traffic = new Traffic(gate);

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
      for (const reply of host.handle(message)) await sendReply(identity, reply);
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
    traffic: () => traffic.describe(),
    ended,
    close() {
      closing ??= (async () => {
        isClosing = true;
        const closed = listening.close();
        let timer: NodeJS.Timeout | undefined;
        const deadline = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, CLOSE_DEADLINE_MS);
        });
        await Promise.race([requests.catch(() => {}), deadline]);
        clearTimeout(timer);
        await closed;
      })();
      return closing;
    },
  };
  ended.catch(() => void server.close());
  return server;
}
