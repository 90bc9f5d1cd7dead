/** The package of `npm run package` works without the rest of the checkout. */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "mecgym-package-"));
const installed = join(folder, "node_modules", "mecgym");
/** Time to build and pack, ms; generous for a machine under load. */
const LIMIT_MS = 120_000;

function run(cwd: string, command: string, ...args: string[]): string {
  const shell = process.platform === "win32" && command === "npm"; // there npm is a script
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8", shell });
  expect(status, stderr).toBe(0);
  return stdout;
}

beforeAll(() => {
  run(root, "npm", "run", "--silent", "package", "--", "--silent", "--pack-destination", folder);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  mkdirSync(installed, { recursive: true });
  run(folder, "tar", "-xf", tarball, "-C", installed, "--strip-components=1");
  // it uses the checkout's dependencies, which the lock file pins
  symlinkSync(join(root, "node_modules"), join(installed, "node_modules"), "junction");
}, LIMIT_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("has the command and its threads", () => {
  const cli = join(installed, "dist", "cli.mjs");
  const out = join(folder, "out");
  run(folder, process.execPath, cli, "run", "paper-table-2", "--episodes", "4", "--workers", "2", "--out", out);
  expect(readdirSync(out)).toContain("result.json");
});

it("has the library", () => {
  const code = 'import { makeEnv } from "mecgym"; process.stdout.write(makeEnv("paper-v1", { seed: 7 }).scenario.id);';
  expect(run(folder, process.execPath, "--input-type=module", "-e", code)).toBe("paper-v1");
  expect(readdirSync(join(installed, "dist", "types"))).toContain("index.d.ts");
});

it("has nothing that is only for developing", () => {
  const names = readdirSync(installed).filter((name) => name !== "node_modules");
  expect(names.sort()).toEqual(["CHANGELOG.md", "LICENSE", "README.md", "dist", "package.json"]);
});
