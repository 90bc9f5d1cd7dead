/** The answer parser: hand-written completions, every decision string, and noise in linear time. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCompletion, perturbationIds, renderAction, renderPrompt, templateIds } from "../../../env/index.js";
import { Reader } from "../../../env/language/parser/reader.js";
import { afterReasoning, normalise } from "../../../env/language/parser/text.js";
import { tokenPattern } from "../../../env/language/parser/tokens.js";
import { makeState, withOneRate } from "../states.js";

interface Completion {
  readonly kind: string;
  readonly text: string;
  /** The action, or the reason why there is none. */
  readonly want: number | string;
}

const file = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "golden", "completions.jsonl");
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

  it("reads it alike where much white space keeps it from being read at a glance", () => {
    fc.assert(
      fc.property(action, template, (a, id) => {
        const answer = renderAction(a, id);
        expect(parseCompletion(`${answer}${"\n".repeat(40)}`)).toEqual(parseCompletion(answer));
      }),
    );
  });

  /** The rules alone, read from the front in one go. */
  function readWhole(completion: string) {
    const text = normalise(completion);
    if (text.trim() === "") return { failure: "empty" };
    const answer = afterReasoning(text);
    if (answer === undefined) return { failure: "unfinishedReasoning" };
    const reader = new Reader(answer);
    reader.read(0, answer.length);
    return reader.result();
  }

  it("gives what a reading of the whole text gives, for completions put together and changed", () => {
    const piece = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...completions.map(({ text }) => text)) },
      {
        weight: 6,
        arbitrary: fc.constantFrom(
          ...["Server 3", "server 0", "Local execution", "local.", "本地执行", "卸载到边缘服务器4", "I choose", "not "],
          ...[
            "<server>",
            "</server>",
            "<parameter=server>",
            "-2",
            "7",
            "or Server 5",
            "if Server 1 is",
            "wait,",
            "?",
            ".",
          ],
          ...[
            "<think>",
            "</think>",
            "<ｔhink>",
            "＜think＞",
            "◁think▷",
            "◁/think▷",
            "\u200b",
            "Server ３",
            "②",
            "\u2028",
          ],
        ),
      },
      { weight: 5, arbitrary: fc.constantFrom("\n", "\n\n", " ", "\r\n", "\n    ", "\n   \n ", "\t", ", ") },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 6 }) },
    );
    const text = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join(""));
    const change = fc.record({
      at: fc.nat(),
      cut: fc.nat(4),
      put: fc.constantFrom("", "\n", " ", "<", ">", "3", "s", "-", "."),
    });
    fc.assert(
      fc.property(text, fc.array(change, { maxLength: 4 }), (whole, changes) => {
        const changed = changes.reduce((now, { at, cut, put }) => {
          const from = at % (now.length + 1);
          return now.slice(0, from) + put + now.slice(from + cut);
        }, whole);
        expect(parseCompletion(changed)).toEqual(readWhole(changed));
      }),
      { numRuns: 5000 },
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
    "server 1, ",
    "server 1 or 2, ",
    "server 1 because ",
    "if server 1, ",
    "server 1 is slow, ",
    "1".repeat(39),
    "twenty-",
    "一百",
    "第一百二十",
    "server: ",
    "②",
    "\u200b",
    "answer ",
    "is the ",
    "has the lowest total ",
    "<parameter=server>",
    "</think>",
    "\ud83d\ude00",
  ];

  it.each(pieces)("%j over and over is read, with the answer after it", (piece) => {
    const noise = piece.repeat(Math.ceil(100_000 / piece.length));
    const text = `${noise.replaceAll("<think>", "<think></think>")}\n\nAnswer: Server 3\n`;
    expect(parseCompletion(text)).toEqual({ action: 3 });
  });

  it("meets a pattern whose parts are all bounded, so that at each place it takes a bounded number of steps", () => {
    // outside of classes, where they mean themselves
    const outside = tokenPattern.source.replace(/\\./g, "").replace(/\[[^\]]*\]/g, "[]");
    expect(outside).toMatch(/\{0,4\}/);
    expect(outside.match(/[*+]|\{\d+,\}/g)).toBeNull();
  });

  it.each(pieces)("%j: twice the text is no more than twice the work", (piece) => {
    const work = (length: number) => countWork(() => parseCompletion(piece.repeat(Math.ceil(length / piece.length))));
    const [once, twice] = [work(100_000), work(200_000)];
    expect(once).toBeGreaterThanOrEqual(100_000);
    expect(twice).toBeLessThanOrEqual(2 * once + 1000);
  });
});

/** What a run goes through, counted and not timed: characters that expressions and slices pass, and entries of lists. */
function countWork(run: () => void): number {
  let work = 0;
  const { exec } = RegExp.prototype;
  const { slice } = String.prototype;
  const lists = Array.prototype as unknown as Record<string, (...args: unknown[]) => unknown>;
  const names = ["filter", "every", "some", "map"];
  const originals = names.map((name) => lists[name]);
  RegExp.prototype.exec = function (text) {
    const start = this.global ? this.lastIndex : 0;
    const match = exec.call(this, text);
    work += 1 + (match === null || !this.global ? text.length : this.lastIndex) - start;
    return match;
  };
  String.prototype.slice = function (...args) {
    const part = slice.apply(this, args);
    work += 1 + part.length;
    return part;
  };
  for (const [i, name] of names.entries()) {
    lists[name] = function (this: unknown[], ...args) {
      work += 1 + this.length;
      return originals[i].apply(this, args);
    };
  }
  try {
    run();
  } finally {
    RegExp.prototype.exec = exec;
    String.prototype.slice = slice;
    for (const [i, name] of names.entries()) lists[name] = originals[i];
  }
  return work;
}
