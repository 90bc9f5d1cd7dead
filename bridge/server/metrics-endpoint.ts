/** The HTTP endpoint where Prometheus reads the server's metrics, on loopback only. */

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { MecgymError } from "../../env/errors.js";
import { METRICS_CONTENT_TYPE, renderMetrics } from "./prometheus.js";
import type { ServerStats } from "./stats.js";

const HOST = "127.0.0.1";

export interface MetricsEndpoint {
  readonly url: string;
  close(): void;
}

/**
 * Answers `GET /metrics` on loopback.
 *
 * @param port 0 for any free port
 * @throws MecgymError `invalidOption` if the port is taken
 */
export async function serveMetrics(port: number, stats: () => ServerStats): Promise<MetricsEndpoint> {
  const server = createServer((request, response) => {
    const status = statusOf(request);
    if (status !== 200) {
      response.writeHead(status, { "content-type": "text/plain" }).end("GET /metrics\n");
      return;
    }
    renderMetrics(stats()).then(
      (text) => response.writeHead(200, { "content-type": METRICS_CONTENT_TYPE }).end(text),
      (error) => response.writeHead(500, { "content-type": "text/plain" }).end(`${String(error)}\n`),
    );
  });
  server.headersTimeout = 5000;
  server.maxConnections = 16;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const expected = `a port of ${HOST} that no other process has (${error.message})`;
      reject(new MecgymError("invalidOption", { path: "--metrics-port", got: port, expected }));
    });
    server.listen(port, HOST, resolve);
  });
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}/metrics`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * The HTTP status of a request. The host name is checked because a web page whose name resolves to this machine would
 * still send its own name.
 */
function statusOf({ method, url, headers }: IncomingMessage): number {
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(headers.host ?? "")) return 403;
  if (url !== "/metrics") return 404;
  return method === "GET" || method === "HEAD" ? 200 : 405;
}
