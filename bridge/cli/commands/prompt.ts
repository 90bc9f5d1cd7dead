/** `mecgym prompt`: prints one decision in words, or measures prompts: their length, and whether they say enough. */

import { Command, Option } from "commander";
import { makePolicy } from "../../../benchmarks/policies/index.js";
import {
  MecgymError,
  makeEnv,
  type ObservationData,
  type PerturbationId,
  perturbationIds,
  renderPrompt,
  type TemplateId,
  templateIds,
} from "../../../env/index.js";
import { integer, printJson, withExample } from "../support/program.js";
import { printAgreement, printStats } from "../support/prompt-figures.js";
import { readScenario, SCENARIO_HELP } from "../support/scenarios.js";

interface PromptCommandOptions {
  readonly seed: number;
  readonly decision: number;
  readonly template?: TemplateId;
  readonly perturbation: PerturbationId;
  readonly system?: boolean;
  readonly reasoning?: boolean;
  readonly stats?: boolean;
  readonly agreement?: boolean;
  readonly json?: boolean;
}

export function promptCommand(): Command {
  const command = new Command("prompt")
    .description("Print the prompt of one decision that the oracle reaches; or measure prompts.")
    .argument("[scenario]", SCENARIO_HELP, "paper-v1")
    .option("--seed <s>", "episode seed; also seeds the perturbation", integer(0), 0)
    .option("--decision <n>", "which decision of the episode, from 0", integer(0), 0)
    .addOption(
      new Option("--template <id>", "wording (default: en-v1; all, if prompts are measured)").choices(templateIds),
    )
    .addOption(new Option("--perturbation <id>", "disturbance").choices(perturbationIds).default("standard"))
    .option("--system", "with a system message")
    .option("--reasoning", "ask for reasoning before the decision")
    .option("--stats", "measure characters and o200k_base tokens at 3 to 128 servers, busy states included")
    .addOption(
      new Option(
        "--agreement",
        "measure how often the printed numbers lead the oracle to the same decision, in 10,000 states",
      ).conflicts("stats"),
    )
    .option("--json", "print JSON: all parts of the prompt, or the figures")
    .action(async (scenario: string, options: PromptCommandOptions) => {
      if (options.stats) return printStats(options);
      if (options.agreement) return printAgreement(options);
      const { template = "en-v1", perturbation, seed, system = false, reasoning } = options;
      const prompt = renderPrompt(stateOf(scenario, seed, options.decision), {
        template,
        perturbation,
        seed,
        system,
        instruction: reasoning ? "reasoning" : "direct",
      });
      if (options.json) printJson(prompt);
      else process.stdout.write(`${prompt.text}\n`);
    });
  return withExample(command, "prompt paper-v1 --seed 7 --decision 40 --perturbation shuffled");
}

/** @throws MecgymError `unknownScenario`, `invalidSeed`, `invalidOption` if the episode has no such decision */
function stateOf(scenario: string, seed: number, decision: number): ObservationData {
  const env = makeEnv(readScenario(scenario, "scenario"));
  const policy = makePolicy("oracle");
  let step = env.reset(seed);
  for (let i = 0; i < decision; i++) {
    step = env.step(policy(step.observation));
    if (!step.truncated) continue;
    const expected = `a decision of episode ${seed}, from 0 to ${i}`;
    throw new MecgymError("invalidOption", { path: "--decision", got: decision, expected });
  }
  return step.observation;
}
