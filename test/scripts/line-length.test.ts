/** The check of line lengths: what it counts, and where it says that a line is too long. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const script = fileURLToPath(new URL("../../scripts/line-length.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "mecgym-lines-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function check(text: string) {
  const file = join(folder, "file.ts");
  writeFileSync(file, text);
  const { status, stderr } = spawnSync(process.execPath, [script, file], { encoding: "utf8" });
  return { status, stderr: stderr.replaceAll(file, "file.ts") };
}

it("accepts lines of 120 characters, whatever their bytes and UTF-16 units", () => {
  const lines = ["x".repeat(120), "器".repeat(120), "𝛾".repeat(120), ""];
  expect(check(lines.join("\n"))).toEqual({ status: 0, stderr: "" });
});

it("names every line that is longer, comments included", () => {
  const { status, stderr } = check(`x\n// ${"y".repeat(118)}\nz\n${"𝛾".repeat(130)}`);
  expect(status).toBe(1);
  expect(stderr).toBe(
    "file.ts:2: 121 characters, expected at most 120\nfile.ts:4: 130 characters, expected at most 120\n",
  );
});
