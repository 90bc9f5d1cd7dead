/** The figures that `mecgym prompt` prints: how long prompts are, and whether their numbers lead to the right decision. */

import { markdownTable } from "markdown-table";
import {
  agreementScenarios,
  measureAgreement,
  type PromptAgreement,
} from "../../../benchmarks/studies/prompt-agreement.js";
import { measurePrompts, type PromptLengths, statsServers } from "../../../benchmarks/studies/prompt-stats.js";
import { type PerturbationId, type TemplateId, templateIds } from "../../../env/index.js";
import { packageVersion } from "../../composition/package-version.js";
import { printJson } from "./program.js";
import { startProgress } from "./progress.js";

interface FiguresOptions {
  readonly seed: number;
  readonly template?: TemplateId;
  readonly perturbation: PerturbationId;
  readonly json?: boolean;
}

/** Tokens that prompts stay under at 6 servers: those of en-v1 whatever the perturbation, others without one. */
const goals: Partial<Record<TemplateId, number>> = { "en-v1": 600, "en-compact-v1": 150 };
/** States of each template; shares and losses that are aimed at. */
const NUM_STATES = 10_000;
const MIN_AGREEMENT_PERCENT = 99.9;
const MAX_MEAN_LOSS_SLOTS = 0.001;

type Better = "higher" | "lower";

function figure(id: string, value: number, unit: string, goal: number | null, better: Better = "lower") {
  return { id, value, unit, goal, better, low: value, high: value };
}

function templatesOf({ template }: FiguresOptions): readonly TemplateId[] {
  return template === undefined ? templateIds : [template];
}

/** Characters and tokens at several numbers of servers. */
export async function printStats(options: FiguresOptions): Promise<void> {
  const { perturbation, seed } = options;
  const lengths = await withProgress((update) =>
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

/** How often the oracle decides by the printed numbers as it does by the state. */
export async function printAgreement(options: FiguresOptions): Promise<void> {
  const { perturbation, seed } = options;
  const templates = templatesOf(options);
  const measured = await withProgress(async (update) => {
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

async function withProgress<T>(
  work: (update: (done: number, total: number, what: string) => void) => Promise<T>,
): Promise<T> {
  const progress = startProgress("prompt");
  try {
    return await work((done, total, what) => progress.update(done, total, what));
  } finally {
    progress.stop();
  }
}
