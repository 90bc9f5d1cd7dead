/** `mecgym prompt`: one decision in words, or how long such prompts are. */

import { Command, Option } from "commander";
import { markdownTable } from "markdown-table";
import { makePolicy } from "../../benchmarks/policies/index.js";
import { measurePrompts, type PromptLengths, statsServers } from "../../benchmarks/prompt-stats.js";
import {
  MecgymError,
  makeEnv,
  type ObservationData,
  type PerturbationId,
  perturbationIds,
  renderPrompt,
  type TemplateId,
  templateIds,
} from "../../env/index.js";
import { integer, packageVersion, printJson, withExample } from "./program.js";
import { startProgress } from "./progress.js";

interface PromptCommandOptions {
  readonly seed: number;
  readonly decision: number;
  readonly template?: TemplateId;
  readonly perturbation: PerturbationId;
  readonly system?: boolean;
  readonly reasoning?: boolean;
  readonly stats?: boolean;
  readonly json?: boolean;
}

/** Tokens that prompts stay under at 6 servers: those of en-v1 whatever the perturbation, others without one. */
const goals: Partial<Record<TemplateId, number>> = { "en-v1": 600, "en-compact-v1": 150 };

export function promptCommand(): Command {
  const command = new Command("prompt")
    .description("Print the prompt of one decision, which the oracle comes to; or measure how long prompts are.")
    .argument("[scenario]", "id of a frozen scenario", "paper-v1")
    .option("--seed <s>", "episode seed, also of the perturbation", integer(0), 0)
    .option("--decision <n>", "which decision of the episode, from 0", integer(0), 0)
    .addOption(new Option("--template <id>", "wording (default: en-v1; with --stats, all)").choices(templateIds))
    .addOption(new Option("--perturbation <id>", "disturbance").choices(perturbationIds).default("standard"))
    .option("--system", "with a system message")
    .option("--reasoning", "ask for reasoning before the decision")
    .option("--stats", "characters and o200k_base tokens at 3 to 128 servers, busy states among them")
    .option("--json", "print JSON: all parts of the prompt, or the figures")
    .action(async (scenario: string, options: PromptCommandOptions) => {
      if (options.stats) return printStats(options);
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

/** @throws MecgymError `unknownScenario`, `invalidSeed`, `invalidOption` where the episode has no such decision */
function stateOf(scenario: string, seed: number, decision: number): ObservationData {
  const env = makeEnv(scenario);
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

async function printStats(options: PromptCommandOptions): Promise<void> {
  const progress = startProgress("prompt");
  let lengths: PromptLengths[];
  try {
    const measured = options.template === undefined ? templateIds : [options.template];
    lengths = await measurePrompts(measured, options.perturbation, options.seed, (done, total) =>
      progress.update(done, total, "prompts"),
    );
  } finally {
    progress.stop();
  }
  const goalOf = ({ template, numServers }: PromptLengths) =>
    numServers === 6 && (template === "en-v1" || options.perturbation === "standard")
      ? (goals[template] ?? null)
      : null;
  if (options.json) {
    printJson({
      figures: lengths.flatMap((row) => {
        const id = `prompt/${row.template}/servers=${row.numServers}`;
        const figure = (name: string, value: number, unit: string, goal: number | null) => ({
          ...{ id: `${id}/${name}`, value, unit, goal, better: "lower", low: value, high: value },
        });
        return [
          figure("maxCharacters", row.maxCharacters, "characters", null),
          figure("meanTokens", row.meanTokens, "tokens", null),
          figure("maxTokens", row.maxTokens, "tokens", goalOf(row)),
        ];
      }),
      conditions: { perturbation: options.perturbation, seed: options.seed, servers: statsServers, packageVersion },
    });
    return;
  }
  const rows = lengths.map((row) => [
    row.template,
    String(row.numServers),
    String(row.maxCharacters),
    row.meanTokens.toFixed(0),
    String(row.maxTokens),
    goalOf(row) === null ? "" : `under ${goalOf(row)}`,
  ]);
  const header = ["template", "servers", "characters, most", "tokens, mean", "tokens, most", "goal"];
  process.stdout.write(`${markdownTable([header, ...rows], { align: ["l", "r", "r", "r", "r", "l"] })}\n`);
}
