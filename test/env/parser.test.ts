/** The answer parser: hand-written completions, every decision string, and noise in linear time. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCompletion, perturbationIds, renderAction, renderPrompt, templateIds } from "../../env/index.js";
import { makeState, withOneRate } from "./states.js";

interface Completion {
  readonly kind: string;
  readonly text: string;
  /** The action, or the reason why there is none. */
  readonly want: number | string;
}

const file = join(dirname(fileURLToPath(import.meta.url)), "..", "golden", "completions.jsonl");
const completions: Completion[] = readFileSync(file, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));
const kinds = [...new Set(completions.map(({ kind }) => kind))];

describe("hand-written completions", () => {
  it("are many, and of many kinds", () => {
    expect(completions.length).toBeGreaterThanOrEqual(200);
    expect(kinds.length).toBeGreaterThanOrEqual(12);
  });

  for (const kind of kinds) {
    it.each(completions.filter((one) => one.kind === kind))(`${kind}: $text`, ({ text, want }) => {
      expect(parseCompletion(text)).toEqual(typeof want === "number" ? { action: want } : { failure: want });
    });
  }
});

describe("parseCompletion", () => {
  const action = fc.integer({ min: 0, max: 512 });
  const template = fc.constantFrom(...templateIds);

  it("reads every decision string back, whatever stands before it", () => {
    const reasoning = "Server 1 takes 3.2 slots. I first chose Local, but that is late.\n本地太慢。\n";
    fc.assert(
      fc.property(action, template, fc.boolean(), (a, id, hasReasoning) => {
        const answer = renderAction(a, id);
        expect(parseCompletion(hasReasoning ? `${reasoning}${answer}` : answer)).toEqual({ action: a });
      }),
    );
  });

  it("takes the last of several decision strings", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(action, template), { minLength: 1, maxLength: 6 }), (answers) => {
        const text = answers.map(([a, id]) => renderAction(a, id)).join("\n");
        expect(parseCompletion(text)).toEqual({ action: answers.at(-1)?.[0] });
      }),
    );
  });

  it("finds no decision in a prompt", () => {
    for (const id of templateIds) {
      for (const perturbation of perturbationIds) {
        for (const numServers of [1, 3, 11]) {
          const state = withOneRate(makeState(numServers, true));
          const { text } = renderPrompt(state, { template: id, perturbation, system: true, seed: 3 });
          expect(parseCompletion(text)).toHaveProperty("failure");
        }
      }
    }
  });

  it("never throws, and answers with an integer or a known reason", () => {
    const known = ["empty", "noDecision", "ambiguous", "unfinishedReasoning"];
    const part = fc.constantFrom(...completions.map(({ text }) => text), "\ud800", "<think>", "</think>", "{", '"');
    fc.assert(
      fc.property(fc.array(fc.oneof(part, fc.string()), { maxLength: 8 }), (parts) => {
        const result = parseCompletion(parts.join(" "));
        if ("action" in result) {
          expect(Number.isInteger(result.action) && result.action >= -1 && result.action < 2 ** 31).toBe(true);
        } else expect(known).toContain(result.failure);
      }),
      { numRuns: 1000 },
    );
  });

  it("ignores the shape of letters, digits and signs", () => {
    const wide = (text: string) =>
      text.replace(/[!-~]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0)).replace(/ /g, "\u3000");
    fc.assert(
      fc.property(action, template, (a, id) => {
        expect(parseCompletion(wide(renderAction(a, id)))).toEqual({ action: a });
        expect(parseCompletion(renderAction(a, id).toUpperCase())).toEqual({ action: a });
      }),
    );
  });
});

describe("100 kB of noise", () => {
  /** Pieces that come close to what the parser looks for. */
  const pieces = [
    "server 1 or ",
    "server ",
    "1",
    "1.",
    "第1",
    "服务器",
    "local ",
    "local-",
    '"action": ',
    '\\"',
    "best a b c is ",
    "is the ",
    "offload(",
    "not ",
    "，",
    "**",
    "<think>",
    " ",
    "\n",
    "server #(([[**",
    "would ",
  ];

  it.each(pieces)("%j over and over is read, with the answer after it", (piece) => {
    const noise = piece.repeat(Math.ceil(100_000 / piece.length));
    const text = `${noise.replaceAll("<think>", "<think></think>")}\n\nAnswer: Server 3\n`;
    expect(parseCompletion(text)).toEqual({ action: 3 });
  });

  it.each(pieces)("%j: eight times the text takes no more than about eight times as long", (piece) => {
    const timeOf = (length: number) => {
      const text = piece.repeat(Math.ceil(length / piece.length));
      const times = Array.from({ length: 5 }, () => {
        const start = performance.now();
        parseCompletion(text);
        return performance.now() - start;
      });
      return Math.min(...times);
    };
    timeOf(25_000);
    // quadratic time would be 64 times as long
    expect(timeOf(200_000)).toBeLessThan(32 * timeOf(25_000) + 20);
  });
});
