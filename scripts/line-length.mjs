/** `node scripts/line-length.mjs [FILE…]`: fails on source lines that are too long, comments and texts included. */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { root } from "./venv.mjs";

/** Biome breaks only code at this length. For Python, ruff checks all lines (E501). */
const MAX_LENGTH = 120;
const SOURCES = /\.(?:ts|mts|mjs|cjs)$/;
/** Folders whose files are written by programs, or kept as they were. */
const EXCLUDED = /(?:^|\/)(?:generated|golden|released|results|__snapshots__)\//;

let count = 0;
for (const path of process.argv.length > 2 ? process.argv.slice(2) : sources()) {
  for (const [i, line] of linesOf(path).entries()) {
    // code points: a letter outside the basic plane is one character
    const length = [...line].length;
    if (length <= MAX_LENGTH) continue;
    count += 1;
    console.error(`${path}:${i + 1}: ${length} characters, expected at most ${MAX_LENGTH}`);
  }
}
if (count > 0) process.exit(1);

/** The sources that git tracks, and new ones that it does not ignore. */
function sources() {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard"];
  const { status, stdout, stderr } = spawnSync("git", args, { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(`git cannot list the files of the clone: ${stderr}`);
  return [...new Set(stdout.split("\n"))].filter((path) => SOURCES.test(path) && !EXCLUDED.test(path));
}

/** The lines of a file; none if it was deleted and git still lists it. */
function linesOf(path) {
  try {
    return readFileSync(resolve(root, path), "utf8").split("\n");
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
}
