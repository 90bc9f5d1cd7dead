/** The compliance suite of the protocol: each check tries one rule of docs/protocol.md over a real connection. */

import { RawSocket } from "../client/raw-socket.js";
import { branchingChecks } from "./branching.js";
import { laneChecks } from "./lanes.js";
import { messageChecks } from "./messages.js";
import { queryChecks } from "./queries.js";
import { sequenceChecks } from "./sequences.js";
import { type Check, type ConnectionOptions, resultOf, ServerUnderTest } from "./server-under-test.js";

export interface CheckOutcome {
  readonly name: string;
  readonly rule: string;
  readonly outcome: "pass" | "fail" | "skip";
  /** How the rule is broken, or why the check was skipped. */
  readonly reason?: string;
}

export interface ComplianceOptions extends ConnectionOptions {
  /** Names of the checks to run; all by default. */
  readonly only?: readonly string[];
  readonly onOutcome?: (outcome: CheckOutcome) => void;
}

export const checks: readonly Check[] = [
  ...messageChecks,
  ...laneChecks,
  ...queryChecks,
  ...sequenceChecks,
  ...branchingChecks,
];

/**
 * Runs the checks, each with its own connection.
 *
 * @throws Error if the server does not even answer `hello`
 */
export async function checkServer(options: ComplianceOptions): Promise<CheckOutcome[]> {
  const first = new RawSocket(options.address, options.keys, options.deadlineMs);
  const hello = await first.ask("hello").finally(() => first.close());
  const result = resultOf(hello);
  const outcomes: CheckOutcome[] = [];
  for (const { name, rule, needs, run } of checks) {
    if (options.only?.includes(name) === false) continue;
    const server = new ServerUnderTest(options, result);
    let outcome: CheckOutcome;
    if (needs !== undefined && !server.capabilities.includes(needs)) {
      outcome = { name, rule, outcome: "skip", reason: `no capability ${needs}` };
    } else {
      outcome = await run(server).then(
        () => ({ name, rule, outcome: "pass" }),
        (error) => ({ name, rule, outcome: "fail", reason: (error as Error).message }),
      );
    }
    await server.close();
    outcomes.push(outcome);
    options.onOutcome?.(outcome);
  }
  return outcomes;
}
