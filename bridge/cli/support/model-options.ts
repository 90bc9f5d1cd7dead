/** The options of `mecgym run` that let a model play behind an OpenAI-compatible endpoint, and the playing itself. */

import { join } from "node:path";
import { type Command, Option } from "commander";
import { AnswerFile } from "../../../benchmarks/models/answer-file.js";
import { type Form, forms } from "../../../benchmarks/models/completion.js";
import { Endpoint, type EndpointOptions } from "../../../benchmarks/models/endpoint.js";
import { type ModelPlayed, playModel } from "../../../benchmarks/models/play-model.js";
import { policies } from "../../../benchmarks/policies/index.js";
import type { ExternalPolicy } from "../../../benchmarks/runs/run-suite.js";
import type { Suite } from "../../../benchmarks/suites/suites.js";
import { checkOption } from "../../../env/checks.js";
import { type PerturbationId, perturbationIds, type TemplateId, templateIds } from "../../../env/index.js";
import { parseJson } from "../../../env/json.js";
import { writeWhole } from "./output.js";
import { EXIT_INTERRUPTED, integer, number } from "./program.js";
import { startProgress } from "./progress.js";

/** Files of a run with a model, next to those of every run. */
export const MODEL_FILES = ["answers.jsonl", "usage.json"] as const;

export interface ModelOptions {
  readonly model?: string;
  readonly baseUrl?: string;
  readonly name?: string;
  readonly keyVariable: string;
  readonly concurrency: number;
  readonly form: Form;
  readonly template: TemplateId;
  readonly perturbation: PerturbationId;
  readonly system?: boolean;
  readonly reasoning?: boolean;
  readonly temperature: number;
  readonly maxTokens?: number;
  readonly body?: string;
  readonly requestSeconds: number;
  readonly giveUpSeconds: number;
}

/** Tokens of an answer, by default: a decision, or reasoning that ends in one. */
const MAX_TOKENS = { direct: 64, reasoning: 2048 };

export function addModelOptions(command: Command): Command {
  const choice = (flags: string, what: string, choices: readonly string[], usual: string) =>
    new Option(flags, what).choices(choices).default(usual);
  return command
    .option("--model <name>", "a model that plays too, over HTTP; needs --base-url")
    .option("--base-url <url>", "an OpenAI-compatible endpoint, such as http://127.0.0.1:8000/v1")
    .option("--name <name>", "the model's name in the result (default: --model)")
    .option("--key-variable <name>", "environment variable that holds the endpoint's key", "OPENAI_API_KEY")
    .option("--concurrency <n>", "questions in flight", integer(1, 1024), 8)
    .addOption(choice("--form <form>", "chat messages, or a plain text to continue", forms, "chat"))
    .addOption(choice("--template <id>", "wording of the questions", templateIds, "en-v1"))
    .addOption(choice("--perturbation <id>", "perturbation of the questions", perturbationIds, "standard"))
    .option("--system", "begin each question with a system message")
    .option("--reasoning", "ask for reasoning that ends in the decision, instead of only the decision")
    .option("--temperature <t>", "temperature of the answers", number(0, 100), 0)
    .option(
      "--max-tokens <n>",
      `tokens of an answer (default: ${MAX_TOKENS.direct}, or ${MAX_TOKENS.reasoning} with --reasoning)`,
      integer(1),
    )
    .option("--body <json>", "further fields of each request as a JSON object; null removes a field")
    .option("--request-seconds <s>", "the most that one request may take", number(0.001, 86_400), 120)
    .option(
      "--give-up-seconds <s>",
      "the most that one question may take with all retries",
      number(0.001, 604_800),
      600,
    );
}

/** What a model is asked with, checked before anything is played. */
export interface ModelToPlay {
  readonly name: string;
  readonly concurrency: number;
  readonly endpoint: EndpointOptions;
  readonly prompt: {
    readonly template: TemplateId;
    readonly perturbation: PerturbationId;
    readonly system: boolean;
    readonly instruction: "direct" | "reasoning";
  };
  /** What the result says about it. */
  readonly parameters: Readonly<Record<string, number | string>>;
}

/**
 * The model that the options name; undefined if they name none.
 *
 * @throws MecgymError `invalidOption`
 */
export function modelOf(options: ModelOptions): ModelToPlay | undefined {
  const { model, baseUrl, form, template, perturbation, temperature, concurrency } = options;
  if (model === undefined) {
    checkOption(baseUrl === undefined, "--base-url", baseUrl, "--model too: the name of the model to ask for");
    return undefined;
  }
  checkOption(model !== "", "--model", model, "a name");
  checkOption(
    baseUrl !== undefined && isPlainUrl(baseUrl),
    "--base-url",
    baseUrl === undefined ? undefined : "…",
    URL_RULE,
  );
  const name = options.name ?? model;
  const isNative = policies.some((native) => native.name === name.split(":")[0]);
  checkOption(name !== "" && !isNative, options.name === undefined ? "--model" : "--name", name, NAME_RULE);
  const instruction = options.reasoning ? "reasoning" : "direct";
  const maxTokens = options.maxTokens ?? MAX_TOKENS[instruction];
  const body = bodyOf(options.body);
  const system = options.system ?? false;
  const key = process.env[options.keyVariable];
  return {
    name,
    concurrency,
    endpoint: {
      model,
      baseUrl: baseUrl as string,
      key: key === "" ? undefined : key,
      keyVariable: options.keyVariable,
      form,
      temperature,
      maxTokens,
      body,
      requestSeconds: options.requestSeconds,
      giveUpSeconds: options.giveUpSeconds,
    },
    prompt: { template, perturbation, system, instruction },
    parameters: {
      model,
      form,
      template,
      perturbation,
      system: system ? "yes" : "no",
      instruction,
      temperature,
      maxTokens,
      ...(Object.keys(body).length === 0 ? {} : { body: JSON.stringify(body) }),
    },
  };
}

const NAME_RULE = "a name that no native policy has; --name gives the model another one in the result";
const URL_RULE = "an http or https address without user name, password, query and fragment";

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return ["http:", "https:"].includes(protocol) && [username, password, search, hash].every((part) => part === "");
}

function bodyOf(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {};
  let body: unknown;
  try {
    body = parseJson(text);
  } catch {
    body = undefined;
  }
  const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
  checkOption(isObject, "--body", text, "a JSON object");
  const fields = body as Record<string, unknown>;
  for (const name of ["model", "messages", "prompt", "stream", "n"]) {
    checkOption(!(name in fields), "--body", name, "fields other than model, messages, prompt, stream and n");
  }
  return fields;
}

/** Asks the model for every decision of a suite. Answers go to a file at once, and what asking took to another. */
export async function askModel(
  { name, concurrency, endpoint, prompt, parameters }: ModelToPlay,
  suite: Suite,
  { counts, firstSeed }: { readonly counts: readonly number[]; readonly firstSeed: number },
  { folder, isResumed }: { readonly folder: string; readonly isResumed: boolean },
): Promise<ExternalPolicy> {
  const file = new AnswerFile(join(folder, MODEL_FILES[0]), endpoint.form, isResumed);
  const progress = startProgress(`${suite.id}, ${name}`);
  const stop = new AbortController();
  const interrupt = () => {
    progress.stop();
    process.stderr.write("mecgym: interrupted; answers are kept, and --resume continues after them\n");
    process.exit(EXIT_INTERRUPTED);
  };
  process.once("SIGINT", interrupt);
  let played: ModelPlayed;
  try {
    const play = { settings: suite.settings, counts, firstSeed, prompt, concurrency, onProgress: progress.update };
    played = await playModel(play, new Endpoint(endpoint, stop.signal), file, stop);
  } finally {
    progress.stop();
    process.removeListener("SIGINT", interrupt);
    file.close();
  }
  writeWhole(join(folder, MODEL_FILES[1]), `${JSON.stringify(played.usage, null, 2)}\n`);
  process.stderr.write(`${name}: ${usageText(played.usage)}\n`);
  return { name, isInWords: true, parameters, logs: played.logs, failures: played.failures };
}

function usageText(usage: ModelPlayed["usage"]): string {
  const { questions, keptAnswers, retries, promptTokens, completionTokens, cutAnswers, answerSeconds } = usage;
  const kept = keptAnswers === 0 ? "" : `, ${keptAnswers} of them answered before`;
  const cut = cutAnswers === 0 ? "" : `, ${cutAnswers} answers cut at the limit of tokens`;
  const seconds = questions === 0 ? 0 : answerSeconds / questions;
  return (
    `${questions} questions${kept}, ${retries} retries${cut}, ${promptTokens} + ${completionTokens} tokens, ` +
    `${seconds.toFixed(3)} s an answer`
  );
}
