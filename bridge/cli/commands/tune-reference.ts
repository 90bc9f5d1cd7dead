/** `mecgym tune reference`: chooses, for each scenario, the native policy that foresight is measured by. */

import { Command } from "commander";
import { markdownTable } from "markdown-table";
import { type Estimate, intervalText } from "../../../benchmarks/figures.js";
import { suites } from "../../../benchmarks/suites/suites.js";
import { type ReferenceChoice, tuneReference } from "../../../benchmarks/tuning/tune-reference.js";
import { splits } from "../../../env/index.js";
import { packageVersion } from "../../composition/package-version.js";
import { integer, list, printJson, withExample } from "../support/program.js";
import { readScenarios, SCENARIO_HELP } from "../support/scenarios.js";
import { changeManifest, checkManifestScenario, latencyFigure, MANIFEST_HELP } from "../support/tuning-output.js";
import { withWorkers, workersOption } from "../support/workers.js";

interface TuneReferenceOptions {
  readonly scenario?: readonly string[];
  readonly policies: readonly string[];
  readonly episodes: number;
  readonly seed: number;
  readonly workers?: number;
  readonly manifest?: string;
  readonly json?: boolean;
}

/** Scenarios that a suite plays episodes of. */
const episodicScenarios = [
  ...new Set(
    suites.flatMap(({ settings }) => settings.filter((one) => one.protocol === "episodic").map((one) => one.scenario)),
  ),
];

export function tuneReferenceCommand(): Command {
  const command = new Command("reference")
    .description("Choose the best native policy of each scenario; foresight is measured by it.")
    .option(
      "--scenario <list>",
      `${SCENARIO_HELP}; several with commas (default: all scenarios with episodic settings in a suite)`,
      list,
    )
    .option("--policies <names>", "candidates", list, ["oracle", "lacs", "priced", "adaptive", "rollout"])
    .option("--episodes <n>", "episodes for each candidate, the same ones for all", integer(2, 10_000), 40)
    .option("--seed <s>", "first validation seed", integer(0), splits.validation.start)
    .addOption(workersOption())
    .option("--manifest <file>", `${MANIFEST_HELP}, each scenario as soon as it is finished`)
    .option("--json", "print JSON")
    .action(async (options: TuneReferenceOptions) => {
      const { policies: names, episodes, seed, manifest } = options;
      const scenarios = readScenarios(options.scenario ?? episodicScenarios);
      for (const scenario of scenarios) checkManifestScenario(manifest, scenario);
      if (manifest !== undefined) changeManifest(manifest, () => {});
      const choices = await withWorkers(
        "tune reference",
        options.workers,
        episodes,
        async (runner, onProgress) => {
          const found: ReferenceChoice[] = [];
          let done = 0;
          for (const scenario of scenarios) {
            const tick = (count: number, policy: string) => {
              done += count;
              onProgress(done, scenarios.length * names.length * episodes, `${scenario.id} ${policy}`);
            };
            const choice = await tuneReference(scenario, names, episodes, seed, runner, tick);
            found.push(choice);
            if (manifest !== undefined) keepChoice(manifest, choice);
          }
          return found;
        },
        "the manifest has the scenarios that are finished",
      );
      if (options.json) {
        const figures = choices.flatMap(({ scenario, candidates }) =>
          candidates.map(({ policy, averageLatencySlots }) =>
            latencyFigure(`${scenario}/${policy}`, averageLatencySlots),
          ),
        );
        printJson({ figures, choices, conditions: { episodes, firstSeed: seed, policies: names, packageVersion } });
      } else process.stdout.write(`${renderChoices(choices)}\n`);
    });
  return withExample(command, "tune reference --scenario load-24-users-v1 --policies priced,adaptive");
}

/** Writes a choice into a manifest, with four decimals: more than the intervals support. */
function keepChoice(path: string, { scenario, reference, firstSeed, episodes, candidates }: ReferenceChoice): void {
  const short = ({ value, low, high }: Estimate) => [value, low, high].map((one) => Number(one.toFixed(4)));
  changeManifest(path, ({ scenarios }) => {
    scenarios[scenario] = {
      ...scenarios[scenario],
      reference,
      chosenFrom: {
        firstSeed,
        episodes,
        averageLatencySlots: Object.fromEntries(
          candidates.map(({ policy, averageLatencySlots }) => [policy, short(averageLatencySlots)]),
        ),
      },
    };
  });
}

function renderChoices(choices: readonly ReferenceChoice[]): string {
  return markdownTable(
    [
      ["scenario", "policy", "average latency (slots)", "more than the best (slots)"],
      ...choices.flatMap(({ scenario, candidates }) =>
        candidates.map(({ policy, averageLatencySlots, differenceToBestSlots }, i) => [
          i === 0 ? scenario : "",
          policy,
          intervalText(averageLatencySlots, 3),
          i === 0 ? "the reference" : intervalText(differenceToBestSlots, 3),
        ]),
      ),
    ],
    { align: ["l", "l", "r", "r"] },
  );
}
