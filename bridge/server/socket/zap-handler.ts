/** Decides which clients come in: the ZAP handler (ZeroMQ RFC 27) that a server asks about each key. */

import { type Context, Router } from "zeromq";
import { decodeZ85 } from "../../wire/keys.js";

/** Where a server looks for its handler. */
const HANDLER_ADDRESS = "inproc://zeromq.zap.01";
/** A socket with a domain asks; one without would let everyone in. */
export const ZAP_DOMAIN = "mecgym";
const KEY_BYTES = 32;

export interface Gate {
  readonly accepted: number;
  readonly refused: number;
  /** Settles when it answers no more; rejects unless it was closed. */
  readonly ended: Promise<void>;
  close(): void;
}

/**
 * Starts to answer, before the server's socket is bound.
 *
 * @param context that of the server's socket: each server has a gate of its own
 * @param allowed public keys that may come in, as Z85
 * @param onRefusal told of the address of whoever is refused
 */
export async function openGate(
  context: Context,
  allowed: Iterable<string>,
  onRefusal: (address: string) => void,
): Promise<Gate> {
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
