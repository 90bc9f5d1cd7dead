/** `mecgym serve`: runs the bridge server until it is told to end. */

import { Command, Option } from "commander";
import pino from "pino";
import { startServer } from "../server.js";
import { defaultLimits } from "../session.js";
import { EXIT_CHECK_FAILED, integer, packageVersion, withExample } from "./program.js";
import { ownerKeyOf, type SecurityOptions, securityOf, withSecurityOptions } from "./serve-keys.js";

interface ServeOptions extends SecurityOptions {
  readonly untilStdinCloses?: boolean;
  readonly maxSessions: number;
  readonly maxLanes: number;
  readonly maxInFlight: number;
  readonly logLevel: string;
}

export function serveCommand(): Command {
  const command = new Command("serve")
    .description("Serve environments over ZeroMQ; prints one line of JSON when ready.")
    .option("--until-stdin-closes", "end when standard input ends: the life line of a client that owns the server")
    .option("--max-sessions <n>", "sessions at once", integer(1, 65_536), defaultLimits.maxSessions)
    .option("--max-lanes <n>", "lanes of all sessions together", integer(1, 16_777_216), defaultLimits.maxLanes)
    .option("--max-in-flight <n>", "unacknowledged requests of a group", integer(1, 1024), defaultLimits.maxInFlight)
    .addOption(
      new Option("--log-level <level>", "least urgent event to log on standard error")
        .choices(["trace", "debug", "info", "warn", "error", "silent"])
        .default("warn"),
    )
    .action(serve);
  return withExample(withSecurityOptions(command), "serve --address tcp://*:5555 --keys keys --allow keys/client.key");
}

async function serve(options: ServeOptions): Promise<void> {
  const logger = pino({ level: options.logLevel }, pino.destination(2));
  const { maxSessions, maxLanes, maxInFlight } = options;
  const server = await startServer({
    packageVersion,
    limits: { maxSessions, maxLanes, maxInFlight },
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
