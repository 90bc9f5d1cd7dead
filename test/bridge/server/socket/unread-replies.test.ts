/** Replies that a client does not read: their bytes are bounded, and their memory comes back. */

import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { Dealer } from "zeromq";
import { bindServer } from "../../../../bridge/server/socket/bind.js";
import { MessageSocket } from "../../../../bridge/server/socket/message-socket.js";
import { atEnd } from "../../servers.js";

const MIB = 1024 * 1024;
const MAX_BYTES = 48 * MIB;

/** A server that answers every message with 1 MiB. */
async function largeReplies() {
  const bound = await bindServer({ maxMessageBytes: MIB, log: () => {} });
  const socket = new MessageSocket(
    bound,
    (_message, _sendKept, send) => send([Buffer.from("header"), new Uint8Array(MIB)]),
    MAX_BYTES,
    () => {},
  );
  atEnd(() => socket.close());
  return { address: bound.address, socket };
}

function connectTo(address: string): Dealer {
  const dealer = new Dealer({ linger: 0, receiveHighWaterMark: 1, receiveTimeout: 60_000 });
  dealer.connect(address);
  atEnd(() => dealer.close());
  return dealer;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(20);
}

it("are dropped beyond a limit, other clients are served, and the memory comes back", {
  timeout: 300_000,
}, async () => {
  const { address, socket } = await largeReplies();
  const before = process.memoryUsage().arrayBuffers;
  const silent = connectTo(address);
  for (let i = 0; i < 200; i++) await silent.send("please");
  await until(() => socket.stats().messagesIn === 200);
  await until(() => socket.stats().messagesOut + socket.stats().undelivered === 200);
  // what the kernel holds is no longer the server's memory
  expect(socket.stats().messagesOut).toBeLessThan(60);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MAX_BYTES + 80 * MIB);
  // whoever reads gets any number of bytes
  const reader = connectTo(address);
  for (let i = 0; i < 150; i++) {
    await reader.send("please");
    expect((await reader.receive())[1]).toHaveLength(MIB);
  }
  silent.close();
  const endMs = performance.now() + 60_000;
  while (process.memoryUsage().arrayBuffers - before > 4 * MIB && performance.now() < endMs) {
    await sleep(200);
    socket.sweep();
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * MIB);
});
