/** The ZAP handler (ZeroMQ RFC 27): the server asks it about each client's key. */

import { type Context, Router } from "zeromq";
import { decodeZ85 } from "../../keys/curve.js";

/** Where ZeroMQ looks for the handler of a context. */
const HANDLER_ADDRESS = "inproc://zeromq.zap.01";
/** A socket asks only if it has a domain. Without one, it would accept everyone. */
export const ZAP_DOMAIN = "mecgym";
const KEY_BYTES = 32;

export interface ZapHandler {
  readonly accepted: number;
  readonly refused: number;
  /** Settles when the handler stops answering; rejects unless it was closed. */
  readonly ended: Promise<void>;
  close(): void;
}

/**
 * Starts a handler. It must answer before the server's socket is bound.
 *
 * @param context the context of the server's socket: each server has a handler of its own
 * @param allowed public keys of the clients to accept, as Z85
 * @param onRefusal called with the address of each client that is refused
 */
export async function startZapHandler(
  context: Context,
  allowed: Iterable<string>,
  onRefusal: (address: string) => void,
): Promise<ZapHandler> {
  const keys = new Set([...allowed].map((key) => decodeZ85(key)?.toString("hex")));
  const socket = new Router({ context, linger: 0 });
  await socket.bind(HANDLER_ADDRESS);
  let accepted = 0;
  let refused = 0;
  let isClosed = false;
  const answer = async () => {
    for (;;) {
      let frames: Buffer[];
      try {
        frames = await socket.receive();
      } catch (error) {
        if (isClosed) return;
        throw error;
      }
      const [route, empty, version, id, domain, address, , mechanism, key] = frames;
      const isAllowed =
        domain?.toString() === ZAP_DOMAIN &&
        mechanism?.toString() === "CURVE" &&
        key?.length === KEY_BYTES &&
        keys.has(key.toString("hex"));
      if (isAllowed) accepted += 1;
      else {
        refused += 1;
        onRefusal(String(address));
      }
      const [code, text] = isAllowed ? ["200", "OK"] : ["400", "this key is not on the list"];
      await socket.send([route, empty, version, id, code, text, "", ""]);
    }
  };
  return {
    get accepted() {
      return accepted;
    },
    get refused() {
      return refused;
    },
    ended: answer(),
    close() {
      isClosed = true;
      socket.close();
    },
  };
}
