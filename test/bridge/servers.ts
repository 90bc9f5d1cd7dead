/** Servers, clients and folders of a test. They are closed and removed when it ends. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { Client, type ClientOptions } from "../../bridge/client/client.js";
import { type Server, type ServerOptions, startServer } from "../../bridge/server/server.js";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Calls `close` after the test. */
export function atEnd(close: () => unknown): void {
  closers.push(close);
}

export async function serve(options: Partial<ServerOptions> = {}): Promise<Server> {
  const server = await startServer({ packageVersion: "0", ...options });
  atEnd(() => server.close());
  return server;
}

export function connect(address: string, options: ClientOptions = {}): Client {
  const client = new Client(address, { requestDeadlineMs: 5000, ...options });
  atEnd(() => client.close());
  return client;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "mecgym-test-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
