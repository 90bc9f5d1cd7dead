/** A local OpenAI-compatible endpoint for tests: it answers by rule, and misbehaves on request. */

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A question as it came. */
export interface Asked {
  readonly path: string;
  readonly authorization: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: a body may have any fields
  readonly body: any;
  /** The question itself, whatever its form. */
  readonly text: string;
}

/** Handles a request; "answer" lets the server answer by its rule. */
export type Behaviour = (response: ServerResponse, asked: Asked) => "answer" | undefined;

export class ModelServer {
  readonly asked: Asked[] = [];
  /** What happens to the next requests, one after another; those that follow are answered. */
  readonly next: Behaviour[] = [];
  /** The answer to a question. */
  answer: (asked: Asked) => string | null = ({ text }) => `Server ${1 + (hashOf(text) % 6)}`;
  /** Time before each answer, ms. */
  delayMs = 0;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let received = "";
    for await (const chunk of request.setEncoding("utf8")) received += chunk;
    const body = JSON.parse(received);
    const text = body.prompt ?? body.messages.at(-1).content;
    const asked = { path: request.url ?? "", authorization: request.headers.authorization, body, text };
    this.asked.push(asked);
    const behaviour = this.next.shift();
    if (behaviour !== undefined && behaviour(response, asked) !== "answer") return;
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    sendJson(response, 200, completion(asked, this.answer(asked)));
  }
}

export function hashOf(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32LE(0);
}

export function completion({ body }: Asked, answer: string | null): object {
  const choice = body.prompt === undefined ? { message: { role: "assistant", content: answer } } : { text: answer };
  return {
    id: "1",
    model: body.model,
    choices: [{ index: 0, finish_reason: "stop", ...choice }],
    usage: { prompt_tokens: 100, completion_tokens: 3, total_tokens: 103 },
  };
}

export function sendJson(response: ServerResponse, status: number, value: unknown, headers: object = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
}

/** The ways in which an endpoint misbehaves. */
export const misbehaviours = {
  busy:
    (seconds: string): Behaviour =>
    (response) => {
      sendJson(response, 429, { error: { message: "too many requests" } }, { "retry-after": seconds });
      return undefined;
    },
  broken: (response: ServerResponse) => {
    sendJson(response, 500, { error: { message: "out of memory" } });
    return undefined;
  },
  silent: () => undefined,
  /** It begins a reply and never ends it. */
  slow: (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "application/json" }).write('{"choices": [');
    return undefined;
  },
  cutOff: (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "1000" }).write('{"choices": [');
    setTimeout(() => response.destroy(), 20);
    return undefined;
  },
  hungUp: (response: ServerResponse) => {
    response.destroy();
    return undefined;
  },
  notJson: (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<html>Bad gateway</html>");
    return undefined;
  },
  empty: (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "application/json" }).end();
    return undefined;
  },
  wrongSchema: (response: ServerResponse) => {
    sendJson(response, 200, { choices: [{ message: { role: "assistant" } }] });
    return undefined;
  },
  noChoices: (response: ServerResponse) => {
    sendJson(response, 200, { object: "list", choices: [] });
    return undefined;
  },
} satisfies Record<string, Behaviour | ((seconds: string) => Behaviour)>;
