/** What an OpenAI-compatible endpoint replies to a question: the answer in it, and what it took. */

/** How a question is put: as chat messages, or as one plain text to continue. */
export const forms = ["chat", "plain"] as const;
export type Form = (typeof forms)[number];

export interface Completion {
  /** What the model answered; its reasoning, if an endpoint returns that apart, is no part of it. */
  readonly text: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Whether the answer ended at the limit of tokens. */
  readonly isCut: boolean;
}

/** What is wrong with a reply; undefined if it is a completion. */
export type ReadCompletion = Completion | { readonly expected: string };

/** Reads a reply's JSON value. A model that answers nothing has the answer "". */
export function readCompletion(value: unknown, form: Form): ReadCompletion {
  const [choice] = listOf(fieldOf(value, "choices"));
  const path = form === "chat" ? "choices[0].message.content" : "choices[0].text";
  const content = form === "chat" ? fieldOf(fieldOf(choice, "message"), "content") : fieldOf(choice, "text");
  // a model that only reasoned or called a tool has no content, but it has a message
  const isSilent = content === null && form === "chat";
  const text = isSilent ? "" : textOf(content);
  if (text === undefined) return { expected: `a completion with ${path}` };
  const usage = fieldOf(value, "usage");
  return {
    text,
    promptTokens: countOf(fieldOf(usage, "prompt_tokens")),
    completionTokens: countOf(fieldOf(usage, "completion_tokens")),
    isCut: fieldOf(choice, "finish_reason") === "length",
  };
}

/** A text, or a list of parts of which some are texts. */
function textOf(content: unknown): string | undefined {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return undefined;
  return content
    .map((part) => fieldOf(part, "text"))
    .filter((text) => typeof text === "string")
    .join("");
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function countOf(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
