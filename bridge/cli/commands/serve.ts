/** `mecgym serve`: runs the bridge server until it is told to end. */

import { availableParallelism } from "node:os";
import { Command, Option } from "commander";
import { workerEntry } from "../../../benchmarks/jobs/worker-pool.js";
import { MecgymError } from "../../../env/errors.js";
import { jobBook } from "../../composition/benchmark-jobs.js";
import { policyBook } from "../../composition/native-policies.js";
import { packageVersion } from "../../composition/package-version.js";
import { type MetricsEndpoint, serveMetrics } from "../../server/prometheus.js";
import { startServer } from "../../server/server.js";
import { type Limits, limitNames, limitTable } from "../../wire/limits.js";
import { makeLogger } from "../support/logger.js";
import { EXIT_CHECK_FAILED, integer, withExample } from "../support/program.js";
import { ownerKeyOf, type SecurityOptions, securityOf, withSecurityOptions } from "../support/serve-keys.js";

interface ServeOptions extends SecurityOptions, Limits {
  readonly untilStdinCloses?: boolean;
  readonly threads: number;
  readonly logLevel: string;
  readonly metricsPort?: number;
}

export function serveCommand(): Command {
  const command = new Command("serve")
    .description("Serve environments over ZeroMQ; prints one line of JSON when ready.")
    .option("--until-stdin-closes", "end when standard input ends: the life line of a client that owns the server")
    .option(
      "--threads <n>",
      "threads for sessions of many lanes and for large questions; 0 does all in one",
      integer(0, 256),
      Math.max(2, availableParallelism()),
    )
    .option(
      "--metrics-port <n>",
      "port of 127.0.0.1 for Prometheus, GET /metrics; 0 takes a free one",
      integer(0, 65_535),
    )
    .addOption(
      new Option("--log-level <level>", "least urgent event to log on standard error")
        .choices(["trace", "debug", "info", "warn", "error", "silent"])
        .default("warn"),
    )
    .action(serve);
  for (const name of limitNames) {
    const { what, min, max, default: value } = limitTable[name];
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    command.option(`--${flag} <n>`, what, integer(min, max), value);
  }
  return withExample(withSecurityOptions(command), "serve --address tcp://*:5555 --keys keys --allow keys/client.key");
}

async function serve(options: ServeOptions): Promise<void> {
  const logger = makeLogger(options.logLevel, 2);
  const own = Object.fromEntries(limitNames.map((name) => [name, options[name]])) as Limits;
  // a client that owns its server may be silent for as long as it likes: the server goes when it does
  const limits = options.untilStdinCloses ? { ...own, leaseSeconds: 0 } : own;
  const { threads: count } = options;
  const end = new AbortController();
  const stop = (reason: string) => {
    if (!end.signal.aborted) logger.info({ reason }, "ending");
    end.abort();
  };
  // from the start on: a server that is told to end while it starts takes away what it has made
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, () => stop(signal));
  const server = await startServer({
    packageVersion,
    limits,
    policies: policyBook,
    jobs: jobBook(count),
    ...(count === 0 ? {} : { threads: { count, entry: workerEntry() } }),
    log: (event, details) => logger[levelOf[event] ?? "info"](details, event),
    ...securityOf(options),
    ...(options.untilStdinCloses ? { ownerKey: () => ownerKeyOf(process.stdin) } : {}),
  });
  end.signal.addEventListener("abort", () => void server.close());
  let metrics: MetricsEndpoint | undefined;
  try {
    if (options.metricsPort !== undefined) metrics = await serveMetrics(options.metricsPort, server.stats);
    if (options.untilStdinCloses) {
      process.stdin.once("end", () => stop("standard input ended"));
      process.stdin.once("error", () => stop("standard input failed"));
      process.stdin.resume();
    }
    const { address, serverKey, protocolVersion, instance } = server;
    await writeLine({ address, serverKey, protocolVersion, instance, pid: process.pid, metrics: metrics?.url });
    logger.info({ address, metrics: metrics?.url }, "ready");
    if (end.signal.aborted) void server.close();
    await server.ended;
  } catch (error) {
    if (error instanceof MecgymError) throw error;
    logger.fatal({ error: String(error) }, "failed");
    process.stderr.write(`mecgym: the server has ended: ${String(error)}\n`);
    process.exitCode = EXIT_CHECK_FAILED;
  } finally {
    metrics?.close();
    await server.close();
    process.stdin.destroy();
  }
}

const levelOf: Readonly<Record<string, "error" | "debug">> = {
  "internal error": "error",
  // one for each that knocks: a flood of them must not become a flood of lines
  "client refused": "debug",
  "reply not delivered": "debug",
};

/** @throws MecgymError `invalidOption` where nobody can read the line: such a server could not be found */
function writeLine(line: object): Promise<void> {
  process.stdout.removeAllListeners("error");
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      const expected = `a place that takes the ready line (${error.message})`;
      reject(new MecgymError("invalidOption", { path: "standard output", got: "none", expected }));
    };
    process.stdout.on("error", fail);
    process.stdout.write(`${JSON.stringify(line)}\n`, (error) => (error ? fail(error) : resolve()));
  });
}
