/** The figures of `mecgym prompt`: how long prompts are, and whether their numbers lead to the right decision. */

import { markdownTable } from "markdown-table";
import { type Figure, figureOf } from "../../../benchmarks/figures.js";
import {
  agreementScenarios,
  measureAgreement,
  type PromptAgreement,
} from "../../../benchmarks/studies/prompt-agreement.js";
import { measurePrompts, type PromptLengths, statsServers } from "../../../benchmarks/studies/prompt-stats.js";
import { type PerturbationId, type TemplateId, templateIds } from "../../../env/index.js";
import { packageVersion } from "../../composition/package-version.js";
import { printJson } from "./program.js";
import { withProgress } from "./progress.js";

interface FiguresOptions {
  readonly seed: number;
  readonly template?: TemplateId;
  readonly perturbation: PerturbationId;
  readonly json?: boolean;
}

/** Most tokens of a prompt at 6 servers: for en-v1 under every perturbation, for the others without one. */
const goals: Partial<Record<TemplateId, number>> = { "en-v1": 600, "en-compact-v1": 150 };
/** States per template, and the goals for shares and losses. */
const NUM_STATES = 10_000;
const MIN_AGREEMENT_PERCENT = 99.9;
const MAX_MEAN_LOSS_SLOTS = 0.001;

/** A figure that is counted, not estimated: its interval is the value itself. */
function figure(id: string, value: number, unit: string, goal: number | null, better: Figure["better"] = "lower") {
  return figureOf(id, unit, { value, low: value, high: value }, better, goal);
}

function templatesOf({ template }: FiguresOptions): readonly TemplateId[] {
  return template === undefined ? templateIds : [template];
}

/** Characters and tokens at several numbers of servers. */
export async function printStats(options: FiguresOptions): Promise<void> {
  const { perturbation, seed } = options;
  const lengths = await withProgress("prompt", (update) =>
    measurePrompts(templatesOf(options), perturbation, seed, (done, total) => update(done, total, "prompts")),
  );
  const goalOf = ({ template, numServers }: PromptLengths) =>
    numServers === 6 && (template === "en-v1" || perturbation === "standard") ? (goals[template] ?? null) : null;
  if (options.json) {
    printJson({
      figures: lengths.flatMap((row) => {
        const id = `prompt/${row.template}/servers=${row.numServers}`;
        return [
          figure(`${id}/maxCharacters`, row.maxCharacters, "characters", null),
          figure(`${id}/meanTokens`, row.meanTokens, "tokens", null),
          figure(`${id}/maxTokens`, row.maxTokens, "tokens", goalOf(row)),
        ];
      }),
      conditions: { perturbation, seed, servers: statsServers, packageVersion },
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

/** How often the printed numbers lead the oracle to the same decision as the state does. */
export async function printAgreement(options: FiguresOptions): Promise<void> {
  const { perturbation, seed } = options;
  const templates = templatesOf(options);
  const measured = await withProgress("prompt", async (update) => {
    const rows: PromptAgreement[] = [];
    for (const [i, template] of templates.entries()) {
      const total = templates.length * NUM_STATES;
      const onProgress = (done: number) => update(i * NUM_STATES + done, total, "states");
      rows.push(await measureAgreement(template, perturbation, NUM_STATES, seed, onProgress));
    }
    return rows;
  });
  if (options.json) {
    printJson({
      figures: measured.flatMap((row) => {
        const id = `prompt/${row.template}`;
        return [
          figure(`${id}/agreement`, row.agreementPercent, "%", MIN_AGREEMENT_PERCENT, "higher"),
          figure(`${id}/meanLoss`, row.meanLossSlots, "slots", MAX_MEAN_LOSS_SLOTS),
          figure(`${id}/maxLoss`, row.maxLossSlots, "slots", null),
        ];
      }),
      conditions: { perturbation, seed, states: NUM_STATES, scenarios: agreementScenarios, packageVersion },
    });
    return;
  }
  const rows = measured.map((row) => [
    row.template,
    String(row.numStates),
    `${row.agreementPercent.toFixed(2)} %`,
    row.meanLossSlots.toExponential(1),
    row.maxLossSlots.toFixed(4),
  ]);
  const header = ["template", "states", "same decision", "mean loss, slots", "largest loss, slots"];
  process.stdout.write(`${markdownTable([header, ...rows], { align: ["l", "r", "r", "r", "r"] })}\n`);
}
