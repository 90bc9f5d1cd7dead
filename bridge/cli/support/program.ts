/** What all subcommands share: exit codes, one clear line for bad input, option parsers, and JSON output. */

import { type Command, CommanderError, InvalidArgumentError } from "commander";
import { WorkerDied } from "../../../benchmarks/jobs/worker-pool.js";
import { ModelFailed } from "../../../benchmarks/models/faults.js";
import { MecgymError } from "../../../env/errors.js";
import { packageVersion } from "../../composition/package-version.js";

/** Exit codes: 0 done, 1 a check failed or the work broke down, 2 bad usage or bad input. */
export const EXIT_CHECK_FAILED = 1;
const EXIT_BAD_INPUT = 2;
/** The code by which a shell reports a process that Ctrl-C ended. */
export const EXIT_INTERRUPTED = 130;

/** Runs the program on the process's arguments; bad input ends in one line on standard error and exit code 2. */
export async function runProgram(program: Command): Promise<void> {
  program.version(packageVersion);
  configure(program);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // a reader that has seen enough (`mecgym … | head`) is not an error; the command finishes its work
    if (error.code === "EPIPE") return;
    process.stderr.write(`mecgym: cannot write to standard output: ${error.message}\n`);
    process.exit(EXIT_BAD_INPUT);
  });
  process.stderr.on("error", () => {}); // nobody is left to read it
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_BAD_INPUT;
    else if (error instanceof MecgymError) {
      process.stderr.write(`mecgym: ${error.message}\n`);
      process.exitCode = EXIT_BAD_INPUT;
    } else if (error instanceof WorkerDied) {
      process.stderr.write(`mecgym: ${error.message}; finished parts are kept, and --resume continues after them\n`);
      process.exitCode = EXIT_CHECK_FAILED;
    } else if (error instanceof ModelFailed) {
      process.stderr.write(`mecgym: ${error.message}; answers are kept, and --resume continues after them\n`);
      process.exitCode = EXIT_CHECK_FAILED;
    } else throw error;
  }
}

function configure(command: Command): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) => write(`mecgym: ${text.replace(/^error: /, "")}`),
  });
  command.commands.forEach(configure);
}

/** Adds an example to a subcommand's help. */
export function withExample(command: Command, example: string): Command {
  return command.addHelpText("after", `\nExample:\n  $ mecgym ${example}`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Makes a parser of an integer option. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isSafeInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`expected an integer from ${min} to ${max}.`);
    }
    return value;
  };
}

/** Makes a parser of a number option with bounds. */
export function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`expected a number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** Parses a comma-separated list. */
export function list(text: string): string[] {
  const items = text.split(",").map((item) => item.trim());
  if (items.some((item) => item === "")) throw new InvalidArgumentError("expected names separated by commas.");
  return items;
}
