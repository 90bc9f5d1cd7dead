/** The documentation quotes docs/examples exactly, and the first steps print the output recorded there. */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { resolveScenario } from "../env/index.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const readme = read("README.md");
const kept = read("docs/examples/first-steps.txt");

/** Time for a child to start and play one episode, ms; generous for a machine under load. */
const LIMIT_MS = 60_000;

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  if (error !== undefined) throw error;
  expect(status, stderr).toBe(0);
  return stdout.replaceAll("\r\n", "\n");
}

describe("the README quotes", () => {
  it("docs/examples/campus.json, and a scenario of its fields", () => {
    const text = read("docs/examples/campus.json");
    expect(readme).toContain(`\`\`\`json\n${text}\`\`\`\n`);
    expect(resolveScenario(JSON.parse(text)).id).toBe("campus");
  });

  it.each([
    ["first-steps.ts", "ts"],
    ["first_steps.py", "python"],
    ["first-steps.txt", "text"],
  ])("docs/examples/%s", (file, language) => {
    expect(readme).toContain(`\`\`\`${language}\n${read(`docs/examples/${file}`)}\`\`\`\n`);
  });
});

it("docs/datasets.md quotes docs/examples/train_trl.py", () => {
  expect(read("docs/datasets.md")).toContain(`\`\`\`python\n${read("docs/examples/train_trl.py")}\`\`\`\n`);
});

describe("the first steps print the recorded output", () => {
  it(
    "in TypeScript",
    () => {
      const tsx = join(root, "node_modules", "tsx", "dist", "cli.mjs");
      expect(run(process.execPath, tsx, "docs/examples/first-steps.ts")).toBe(kept);
    },
    LIMIT_MS,
  );
});
