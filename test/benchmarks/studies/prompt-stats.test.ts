/** Lengths of prompts: the limits that the documentation promises hold over many states and draws. */

import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { describe, expect, it } from "vitest";
import { measurePrompts } from "../../../benchmarks/studies/prompt-stats.js";
import { perturbationIds, type TemplateId } from "../../../env/index.js";
import { enV1 } from "../../../env/language/templates/en-v1.js";

const longest = async (template: TemplateId, perturbation: (typeof perturbationIds)[number], seeds: number) => {
  let tokens = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const [row] = await measurePrompts([template], perturbation, seed, undefined, [6]);
    expect(row).toMatchObject({ template, numServers: 6, numPrompts: 40 });
    expect(row.meanTokens).toBeLessThanOrEqual(row.maxTokens);
    tokens = Math.max(tokens, row.maxTokens);
  }
  return tokens;
};

describe("prompts at 6 servers with a history of 10 slots", { timeout: 300_000 }, () => {
  it.each(perturbationIds)("stay under 600 tokens: en-v1 %s", async (perturbation) => {
    const tokens = await longest("en-v1", perturbation, 8);
    expect(tokens).toBeGreaterThan(500); // a prompt that lost its history would be short
    expect(tokens).toBeLessThan(600);
  });

  it("stay under 150 tokens: en-compact-v1", async () => {
    expect(await longest("en-compact-v1", "standard", 4)).toBeLessThan(150);
  });

  it("have room for three sentences of noise, of three tokens each", () => {
    expect(new Set(enV1.noise).size).toBeGreaterThanOrEqual(12);
    for (const sentence of enV1.noise) expect([sentence, countTokens(`${sentence}\n`)]).toEqual([sentence, 3]);
  });
});
