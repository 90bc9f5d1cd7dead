/** `mecgym capacity`: finds how many users a server can have before a policy loses control of its queues. */

import { join } from "node:path";
import { Command } from "commander";
import { markdownTable } from "markdown-table";
import { type Figure, figureOf } from "../../../benchmarks/figures.js";
import { policies } from "../../../benchmarks/policies/index.js";
import {
  type Capacity,
  findCapacities,
  type Probe,
  type ProbeKey,
  serversOf,
} from "../../../benchmarks/studies/capacity.js";
import { scenarioHash, splits } from "../../../env/index.js";
import { packageVersion } from "../../composition/package-version.js";
import { PartFiles, prepareFolder, writeWhole } from "../support/output.js";
import { integer, list, withExample } from "../support/program.js";
import { readScenario, SCENARIO_HELP } from "../support/scenarios.js";
import { programId, withWorkers, workersOption } from "../support/workers.js";

/** Tolls of `priced` in the map. No toll is tuned for numbers of users that no suite has. */
const TOLLS = [1, 2, 4, 10, 30];

/** All except those with rollouts, which take a thousand times as long. */
const defaultPolicies = policies
  .filter((policy) => !policy.needsRollout)
  .flatMap(({ name }) => (name === "priced" ? TOLLS.map((toll) => `priced:tollSlots=${toll}`) : [name]));

const FILES = ["capacity.json", "table.md"] as const;

interface CommandOptions {
  readonly policies?: readonly string[];
  readonly scenario: string;
  readonly episodes: number;
  readonly seed: number;
  readonly most: number;
  readonly workers?: number;
  readonly out: string;
  readonly resume?: boolean;
  readonly json?: boolean;
}

export function capacityCommand(): Command {
  const command = new Command("capacity")
    .description("Find the largest number of users per server at which native policies stay stable.")
    .option("--policies <names>", `policies, separated by commas (default: ${defaultPolicies.join(",")})`, list)
    .option(
      "--scenario <scenario>",
      `${SCENARIO_HELP}; of 1,000 slots or more, and its number of users is replaced`,
      "paper-long-v1",
    )
    .option(
      "--episodes <n>",
      "episodes for each number of users, the same seeds for all numbers",
      integer(2, 10_000),
      100,
    )
    .option("--seed <s>", "first episode seed", integer(0), splits.test.start)
    .option("--most <n>", "most users per server to try", integer(1, 1000), 16)
    .addOption(workersOption())
    .option("--out <folder>", "where to write", join("results", "capacity"))
    .option("--resume", "continue after what an interrupted run has finished")
    .option("--json", "print the figures instead of the table")
    .action(run);
  return withExample(command, "capacity --policies oracle,adaptive --episodes 40");
}

async function run(options: CommandOptions): Promise<void> {
  const { episodes, seed, out } = options;
  const names = options.policies ?? defaultPolicies;
  const scenario = readScenario(options.scenario);
  const numServers = serversOf(scenario);
  prepareFolder(out, FILES);
  const store = new PartFiles<ProbeKey, Probe>(out, { id: programId() }, options.resume ?? false);
  const search = { policies: names, scenario, episodes, firstSeed: seed, mostUsers: options.most * numServers };
  const capacities = await withWorkers("capacity", options.workers, episodes, (runner, onProgress) =>
    findCapacities({ ...search, runner, store, onProgress }),
  );
  const conditions = {
    ...{ scenario: scenario.id, scenarioHash: scenarioHash(scenario), numServers, episodeSlots: scenario.episodeSlots },
    ...{ episodes, firstSeed: seed, mostUsersPerServer: options.most, packageVersion },
  };
  const figures = figuresOf(capacities, numServers);
  const document = `${JSON.stringify({ figures, capacities, conditions }, null, 2)}\n`;
  const table = renderCapacities(capacities, numServers, conditions);
  writeWhole(join(out, FILES[0]), document);
  writeWhole(join(out, FILES[1]), table);
  store.remove();
  process.stdout.write(options.json ? document : table);
  process.stderr.write(`wrote ${join(out, FILES[0])} and ${FILES[1]}\n`);
}

function figuresOf(capacities: readonly Capacity[], numServers: number): Figure[] {
  return capacities.map(({ policy, users, low, high }) => {
    const perServer = { value: users / numServers, low: low / numServers, high: high / numServers };
    return figureOf(`capacity/${policy}/users-per-server`, "users/server", perServer, "higher");
  });
}

/** The table, largest capacity first. */
function renderCapacities(
  capacities: readonly Capacity[],
  numServers: number,
  { scenario, episodeSlots, episodes, mostUsersPerServer }: Readonly<Record<string, string | number>>,
): string {
  const most = Number(mostUsersPerServer) * numServers;
  const perServer = (users: number) => `${users === most ? "≥ " : ""}${(users / numServers).toFixed(2)}`;
  const shareAt = ({ probes }: Capacity, users: number) => {
    const probe = probes.find((one) => one.users === users);
    return probe === undefined ? "" : `${((100 * probe.collapsed) / probe.episodes).toFixed(1)} %`;
  };
  const rows = [...capacities]
    .sort((a, b) => b.users - a.users)
    .map((one) => [
      one.policy,
      perServer(one.users),
      `${perServer(one.low)} to ${perServer(one.high)}`,
      String(one.users),
      shareAt(one, one.users),
      shareAt(one, one.users + 1),
    ]);
  const header = ["policy", "users per server", "certain within", "users", "collapsed", "collapsed with one more"];
  return [
    `Scenario ${scenario} with other numbers of users: ${numServers} servers, ` +
      `${episodes} episodes of ${episodeSlots} slots for each number.`,
    markdownTable([header, ...rows], { align: ["l", "r", "r", "r", "r", "r"] }),
    "",
  ].join("\n\n");
}
