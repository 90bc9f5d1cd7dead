/** Checks that a server keeps the protocol: each a rule of docs/protocol.md, tried over a real connection. */

import { Wire } from "../client/raw-socket.js";
import { branchingChecks } from "./branching.js";
import { laneChecks } from "./lanes.js";
import { messageChecks } from "./messages.js";
import { sequenceChecks } from "./sequences.js";
import { type Check, type Connecting, resultOf, ServerUnderTest } from "./server-under-test.js";

export interface CheckOutcome {
  readonly name: string;
  readonly rule: string;
  readonly outcome: "pass" | "fail" | "skip";
  /** What was wrong, or why there was nothing to check. */
  readonly reason?: string;
}

export interface ComplianceOptions extends Connecting {
  /** Names of the checks to try; all of them where left out. */
  readonly only?: readonly string[];
  readonly onOutcome?: (outcome: CheckOutcome) => void;
}

export const checks: readonly Check[] = [...messageChecks, ...laneChecks, ...sequenceChecks, ...branchingChecks];

/**
 * Tries every rule, each with a connection of its own.
 *
 * @throws Error where the server does not even answer `hello`
 */
export async function checkServer(options: ComplianceOptions): Promise<CheckOutcome[]> {
  const first = new Wire(options.address, options.keys, options.deadlineMs);
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
