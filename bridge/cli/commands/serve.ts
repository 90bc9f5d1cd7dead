/** `mecgym serve`: runs the bridge server until it is told to end. */

import { availableParallelism } from "node:os";
import { Command, Option } from "commander";
import { workerEntry } from "../../../benchmarks/jobs/worker-pool.js";
import { MecgymError } from "../../../env/errors.js";
import { benchmarkJobs } from "../../composition/benchmark-jobs.js";
import { nativePolicies } from "../../composition/native-policies.js";
import { packageVersion } from "../../composition/package-version.js";
import { type Limits, limitNames, limitTable } from "../../server/limits.js";
import { type MetricsEndpoint, serveMetrics } from "../../server/metrics-endpoint.js";
import { startServer } from "../../server/server.js";
import { BoundedLog, makeLogger } from "../support/logger.js";
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
    .description("Serve environments over ZeroMQ; print one line of JSON when ready.")
    .option(
      "--until-stdin-closes",
      "end when standard input ends, as it does when the client that owns the server is gone",
    )
    .option(
      "--threads <n>",
      "threads for sessions of many lanes and for large queries; 0 does everything in one thread",
      integer(0, 256),
      Math.max(2, availableParallelism()),
    )
    .option(
      "--metrics-port <n>",
      "port of 127.0.0.1 that answers Prometheus, GET /metrics; 0 takes a free port",
      integer(0, 65_535),
    )
    .addOption(
      new Option("--log-level <level>", "least urgent level that is logged to standard error")
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
  const destination = new BoundedLog(process.stderr);
  const logger = makeLogger(options.logLevel, destination);
  const own = Object.fromEntries(limitNames.map((name) => [name, options[name]])) as Limits;
  // the owner of a server may be silent for as long as it likes: the server ends when its owner does
  const limits = options.untilStdinCloses ? { ...own, leaseSeconds: 0 } : own;
  const { threads: count } = options;
  const end = new AbortController();
  const stop = (reason: string) => {
    if (!end.signal.aborted) logger.info({ reason }, "ending");
    end.abort();
  };
  // handled from the start: a server that is told to end while it starts removes what it has created
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, () => stop(signal));
  const server = await startServer({
    packageVersion,
    limits,
    policies: nativePolicies,
    jobs: benchmarkJobs(count),
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
    // lines that nobody reads would keep the process alive
    if (!(await destination.flush())) process.exit();
  }
}

const levelOf: Readonly<Record<string, "error" | "debug">> = {
  "internal error": "error",
  // one for each attempt: a flood of attempts must not become a flood of lines
  "client refused": "debug",
  "reply not delivered": "debug",
};

/** @throws MecgymError `invalidOption` if nobody can read the line: nobody could find such a server */
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
