/** `mecgym scenarios`: lists the frozen scenarios, or shows one with every field. */

import { Command } from "commander";
import { markdownTable } from "markdown-table";
import { listScenarios, type Scenario, scenarioHash } from "../../../env/scenario/scenario.js";
import { printJson, withExample } from "../support/program.js";
import { readScenario, SCENARIO_HELP } from "../support/scenarios.js";

export function scenariosCommand(): Command {
  const command = new Command("scenarios")
    .description("List the frozen scenarios, or show one with every field and its content hash.")
    .argument("[scenario]", `scenario to show: ${SCENARIO_HELP}`)
    .option("--json", "print JSON")
    .action((id: string | undefined, options: { json?: boolean }) => {
      if (id !== undefined) {
        printJson(described(readScenario(id, "scenario")));
        return;
      }
      const scenarios = listScenarios();
      if (options.json) printJson(scenarios.map(described));
      else {
        const rows = scenarios.map((scenario) => [
          scenario.id,
          JSON.stringify(scenario.numServers),
          String(scenario.episodeSlots),
          scenarioHash(scenario).slice(0, 12),
          scenario.description,
        ]);
        process.stdout.write(`${markdownTable([["id", "servers", "slots", "hash", "description"], ...rows])}\n`);
      }
    });
  return withExample(command, "scenarios paper-v1");
}

function described(scenario: Scenario): Record<string, unknown> {
  return { hash: scenarioHash(scenario), ...scenario };
}
