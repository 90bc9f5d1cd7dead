/** Asks a model behind an OpenAI-compatible endpoint, as often as it takes within named time limits. */

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI from "openai";
import { parseJson } from "../../env/json.js";
import type { Prompt } from "../../schemas/generated/types.js";
import { type Completion, type Form, readCompletion } from "./completion.js";
import { BadReply, backOffMs, faultOf, ModelFailed } from "./faults.js";

export interface EndpointOptions {
  readonly model: string;
  /** Such as `http://127.0.0.1:8000/v1`. */
  readonly baseUrl: string;
  /** Undefined for an endpoint that asks for none. */
  readonly key: string | undefined;
  /** The environment variable that the key comes from, for errors. */
  readonly keyVariable: string;
  readonly form: Form;
  readonly temperature: number;
  readonly maxTokens: number;
  /** Further fields of each request's body; null removes a field. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The most that one request may take, seconds. */
  readonly requestSeconds: number;
  /** The most that one question may take with all its attempts, seconds. */
  readonly giveUpSeconds: number;
  /** Wait after the first failed attempt, ms; it doubles with each further one. */
  readonly firstBackOffMs?: number;
}

/** A question as it is sent. */
export interface Question {
  readonly body: Readonly<Record<string, unknown>>;
  /** SHA-256 of form and body: two questions with the same are the same. */
  readonly hash: string;
}

export interface Reply {
  readonly completion: Completion;
  /** The reply's JSON value as it came. */
  readonly raw: unknown;
  /** Attempts, with the one that was answered. */
  readonly attempts: number;
  /** Time of the last attempt, ms. */
  readonly milliseconds: number;
}

export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #client: OpenAI;
  readonly #stop: AbortSignal;
  /** No request starts before this time, ms: an endpoint that asks for a wait asks all lanes. */
  #notBeforeMs = 0;

  /** @param stop ends all requests and waits */
  constructor(options: EndpointOptions, stop: AbortSignal) {
    this.#options = options;
    this.#stop = stop;
    this.#client = new OpenAI({
      baseURL: options.baseUrl,
      // the client wants a key even for endpoints that do not
      apiKey: options.key ?? "none",
      organization: null,
      project: null,
      maxRetries: 0,
      // the limit of a request is kept here, because the client's own ends with the headers of the reply
      timeout: 1000 * options.requestSeconds + 60_000,
      logLevel: "off",
    });
  }

  question(prompt: Pick<Prompt, "messages" | "text">): Question {
    const { form, model, temperature, maxTokens, body: more } = this.#options;
    const put = form === "chat" ? { messages: prompt.messages } : { prompt: prompt.text };
    const all = { model, ...put, temperature, max_tokens: maxTokens, ...more };
    const body = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
    return { body, hash: createHash("sha256").update(JSON.stringify({ form, body })).digest("hex") };
  }

  /** @throws ModelFailed if the endpoint refuses for good, or a limit has passed */
  async ask({ body, hash }: Question): Promise<Reply> {
    const { giveUpSeconds, firstBackOffMs = 500 } = this.#options;
    const startMs = Date.now();
    for (let attempt = 0; ; attempt++) {
      await this.#wait(this.#notBeforeMs - Date.now());
      const sentMs = Date.now();
      try {
        const { completion, raw } = await this.#send(body);
        return { completion, raw, attempts: attempt + 1, milliseconds: Date.now() - sentMs };
      } catch (error) {
        this.#stop.throwIfAborted();
        const { reason, mayPass, retryAfterMs } = faultOf(error, Date.now());
        if (!mayPass) throw this.#failed(reason, attempt + 1);
        const waitMs = Math.max(backOffMs(firstBackOffMs, attempt, hash), retryAfterMs);
        if (Date.now() + waitMs - startMs > 1000 * giveUpSeconds) {
          const asked = retryAfterMs > 0 ? `, which asks for ${Math.ceil(retryAfterMs / 1000)} s` : "";
          throw this.#failed(`${reason}${asked}; giveUpSeconds is ${giveUpSeconds}`, attempt + 1);
        }
        if (retryAfterMs > 0) this.#notBeforeMs = Math.max(this.#notBeforeMs, Date.now() + retryAfterMs);
        await this.#wait(waitMs);
      }
    }
  }

  async #wait(milliseconds: number): Promise<void> {
    this.#stop.throwIfAborted();
    if (milliseconds > 0) await sleep(milliseconds, undefined, { signal: this.#stop });
  }

  /** One attempt. */
  async #send(body: object): Promise<{ completion: Completion; raw: unknown }> {
    const { form, requestSeconds } = this.#options;
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    this.#stop.addEventListener("abort", abort, { once: true });
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      abort();
    }, 1000 * requestSeconds);
    try {
      const path = form === "chat" ? "/chat/completions" : "/completions";
      const response = await this.#client.post(path, { body, signal: attempt.signal }).asResponse();
      return this.#read(await response.text());
    } catch (error) {
      throw isLate ? new BadReply(`no whole reply; requestSeconds is ${requestSeconds}`) : error;
    } finally {
      clearTimeout(timer);
      this.#stop.removeEventListener("abort", abort);
    }
  }

  #read(text: string): { completion: Completion; raw: unknown } {
    let raw: unknown;
    try {
      // an endpoint may repeat what it was sent, and the key stands in no file
      raw = parseJson(this.#withoutKey(text));
    } catch {
      throw new BadReply(`a reply that is not JSON (${JSON.stringify(text.slice(0, 40))})`);
    }
    const completion = readCompletion(raw, this.#options.form);
    if ("expected" in completion) throw new BadReply(`a reply that is not ${completion.expected}`);
    return { completion, raw };
  }

  #failed(reason: string, attempts: number): ModelFailed {
    const { model, baseUrl, key, keyVariable } = this.#options;
    const hint = /^status 40[13]\b/.test(reason)
      ? key === undefined
        ? `; ${keyVariable} is not set`
        : `; the key comes from ${keyVariable}`
      : "";
    const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
    return new ModelFailed(this.#withoutKey(`${model} at ${baseUrl} has no answer after ${tries}: ${reason}${hint}`));
  }

  #withoutKey(text: string): string {
    const { key } = this.#options;
    return key === undefined ? text : text.replaceAll(key, "[key]");
  }
}
