/** `mecgym serve`: runs the bridge server until it is told to end. */

import { availableParallelism } from "node:os";
import { Command, Option } from "commander";
import pino from "pino";
import { type Limits, limitNames, limitTable } from "../limits.js";
import { startServer } from "../server.js";
import { jobBook } from "./job-book.js";
import { policyBook } from "./policy-book.js";
import { EXIT_CHECK_FAILED, integer, packageVersion, withExample } from "./program.js";
import { ownerKeyOf, type SecurityOptions, securityOf, withSecurityOptions } from "./serve-keys.js";
import { workerEntry } from "./worker-pool.js";

interface ServeOptions extends SecurityOptions, Limits {
  readonly untilStdinCloses?: boolean;
  readonly threads: number;
  readonly logLevel: string;
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
  const logger = pino({ level: options.logLevel }, pino.destination(2));
  const own = Object.fromEntries(limitNames.map((name) => [name, options[name]])) as Limits;
  // a client that owns its server may be silent for as long as it likes: the server goes when it does
  const limits = options.untilStdinCloses ? { ...own, leaseSeconds: 0 } : own;
  const { threads: count } = options;
  const server = await startServer({
    packageVersion,
    limits,
    policies: policyBook,
    jobs: jobBook(count),
    ...(count === 0 ? {} : { threads: { count, entry: workerEntry() } }),
    log: (event, details) => logger[event === "internal error" ? "error" : "info"](details, event),
    ...securityOf(options),
    ...(options.untilStdinCloses ? { ownerKey: () => ownerKeyOf(process.stdin) } : {}),
  });
  const stop = (reason: string) => {
    logger.info({ reason }, "ending");
    void server.close();
  };
  process.once("SIGTERM", () => stop("SIGTERM"));
  process.once("SIGINT", () => stop("SIGINT"));
  process.once("SIGHUP", () => stop("SIGHUP"));
  if (options.untilStdinCloses) {
    process.stdin.once("end", () => stop("standard input ended"));
    process.stdin.once("error", () => stop("standard input failed"));
    process.stdin.resume();
  }
  const { address, serverKey, protocolVersion, instance } = server;
  process.stdout.write(`${JSON.stringify({ address, serverKey, protocolVersion, instance, pid: process.pid })}\n`);
  try {
    await server.ended;
  } catch (error) {
    process.stderr.write(`mecgym: the server has ended: ${String(error)}\n`);
    process.exitCode = EXIT_CHECK_FAILED;
  }
  await server.close();
  process.stdin.destroy();
}
