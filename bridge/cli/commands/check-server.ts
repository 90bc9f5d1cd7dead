/** `mecgym check-server`: checks whether a server, whoever wrote it, keeps the protocol. */

import type { Command } from "commander";
import { MecgymError } from "../../../env/errors.js";
import { type CheckOutcome, checkServer, checks } from "../../conformance/index.js";
import { readClientKeys } from "../../keys/key-files.js";
import { type ConnectOptions, clientCommand, noAnswer } from "../support/connecting.js";
import { EXIT_CHECK_FAILED, list, printJson, withExample } from "../support/program.js";

export function checkServerCommand(): Command {
  const command = clientCommand("check-server")
    .description("Try the rules of docs/protocol.md on a server; exit code 1 if it breaks one.")
    .option("--only <names>", "checks to try, separated by commas (default: all)", list)
    .option("--json", "print the outcomes as JSON")
    .action(check);
  return withExample(command, "check-server tcp://server:5555 --keys mecgym-keys");
}

interface CheckOptions extends ConnectOptions {
  readonly only?: readonly string[];
  readonly json?: boolean;
}

async function check(address: string, options: CheckOptions): Promise<void> {
  const { keys, timeoutSeconds, only, json } = options;
  const unknown = only?.find((name) => !checks.some((one) => one.name === name));
  if (unknown !== undefined) {
    const expected = `names of checks: ${checks.map(({ name }) => name).join(", ")}`;
    throw new MecgymError("invalidOption", { path: "--only", got: unknown, expected });
  }
  let outcomes: CheckOutcome[];
  try {
    outcomes = await checkServer({
      address,
      deadlineMs: timeoutSeconds * 1000,
      ...(only === undefined ? {} : { only }),
      ...(keys === undefined ? {} : { keys: readClientKeys(keys) }),
      onOutcome: (outcome) => {
        if (!json) process.stdout.write(`${describe(outcome)}\n`);
      },
    });
  } catch (error) {
    throw error instanceof MecgymError ? error : noAnswer(address, error as Error);
  }
  const count = (outcome: CheckOutcome["outcome"]) => outcomes.filter((one) => one.outcome === outcome).length;
  const [passed, failed, skipped] = [count("pass"), count("fail"), count("skip")];
  if (json) printJson({ address, passed, failed, skipped, checks: outcomes });
  else process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} not tried\n`);
  if (failed > 0) process.exitCode = EXIT_CHECK_FAILED;
}

function describe({ name, rule, outcome, reason }: CheckOutcome): string {
  return `${outcome}  ${name}: ${rule}${reason === undefined ? "" : `\n      ${reason}`}`;
}
