/** docs/protocol.md: the bytes and numbers it shows are those of the code, and what it names exists. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { decodeHeader, encodeHeader } from "../../../bridge/wire/header.js";
import { PROTOCOL_VERSION, type Request } from "../../../bridge/wire/protocol.js";
import { BatchEnv } from "../../../env/index.js";
import { findProblem } from "../../../schemas/validate.js";

const root = join(fileURLToPath(new URL(".", import.meta.url)), "..", "..", "..");
const page = readFileSync(join(root, "docs", "protocol.md"), "utf8");

/** Blocks of bytes in hexadecimal, in their order. */
const blocks = [...page.matchAll(/```\n((?:[0-9a-f]{2}[ \n])+)```/g)].map(([, hex]) =>
  Uint8Array.from(hex.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16)),
);

describe("docs/protocol.md", () => {
  it("is about the current version", () =>
    expect(page).toContain(`# The bridge protocol, version ${PROTOCOL_VERSION}`));

  it("shows the bytes of valid messages, as the client sends them", () => {
    expect(blocks).toHaveLength(4);
    const [ping, pong, step] = blocks.map((bytes, i) => (i < 3 ? decodeHeader(bytes) : {}));
    expect(findProblem("request", structuredClone(ping))).toBeUndefined();
    expect(findProblem("reply", structuredClone(pong))).toBeUndefined();
    expect(findProblem("request", structuredClone(step))).toBeUndefined();
    for (const [i, header] of [ping, pong, step].entries()) {
      expect(Buffer.from(blocks[i]).equals(encodeHeader(header as unknown as Request))).toBe(true);
    }
    expect([...new Int32Array(blocks[3].buffer)]).toEqual([0, 3]);
  });

  it("shows the numbers of an episode", () => {
    const env = new BatchEnv({
      scenarios: ["paper-v1"],
      numLanes: 2,
      autoreset: "next-step",
      invalidActions: "costliest",
    });
    const pair = (values: ArrayLike<number>, width = 1) => `${values[0]}, ${values[width]}`;
    env.reset([7, 8]);
    expect(page).toContain(`| reset, seeds 7 and 8 | | ${pair(env.observation, env.observationSize)} | |`);
    for (const actions of [
      [1, 0],
      [2, 3],
      [5, 9],
    ]) {
      env.step(actions);
      const sizes = pair(env.observation, env.observationSize);
      expect(page).toContain(`| step | ${pair(actions)} | ${sizes} | ${pair(env.costSlots)} |`);
    }
  });
});
