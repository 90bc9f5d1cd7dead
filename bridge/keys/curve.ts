/** CURVE keys of encrypted connections: pairs, their text form, and the socket options that use them. */

import { curveKeyPair } from "zeromq";

/** A pair of CURVE keys, each 40 characters of Z85. */
export interface KeyPair {
  readonly publicKey: string;
  readonly secretKey: string;
}

/** What a client needs: its own pair, and the public key of the server it trusts. */
export interface ClientKeys extends KeyPair {
  readonly serverKey: string;
}

export const makeKeyPair = (): KeyPair => curveKeyPair();

/** Options of a socket that connects with keys, or without. */
export function curveOptions(keys: ClientKeys | undefined) {
  if (keys === undefined) return {};
  return { curveServerKey: keys.serverKey, curvePublicKey: keys.publicKey, curveSecretKey: keys.secretKey };
}

const Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** Bytes of a Z85 text (ZeroMQ RFC 32); undefined if the text is not Z85. */
export function decodeZ85(text: string): Buffer | undefined {
  if (text.length % 5 !== 0) return undefined;
  const bytes = Buffer.alloc((text.length / 5) * 4);
  for (let i = 0; i < text.length; i += 5) {
    let value = 0;
    for (const letter of text.slice(i, i + 5)) {
      const digit = Z85.indexOf(letter);
      if (digit < 0) return undefined;
      value = value * 85 + digit;
    }
    if (value > 0xffff_ffff) return undefined;
    bytes.writeUInt32BE(value, (i / 5) * 4);
  }
  return bytes;
}
