/**
 * The command `mecgym` of a clone: builds `dist/` if a source has changed, then runs it in this process, so that
 * signals, standard input and standard output are the command's own.
 *
 * Standard output belongs to the command (`serve` prints one line of JSON there), so everything else goes to standard
 * error.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { entryPoints } from "./entries.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const command = join(root, "dist", "cli.mjs");
const record = join(root, ".setup", "build.json");
/** The script of the page that `mecgym report` writes. */
const pageScript = join(root, "dist", "replay.js");

if (!existsSync(join(root, "node_modules", ".package-lock.json"))) {
  const { status } = spawnSync(process.execPath, [join(root, "scripts", "setup.mjs"), "--node-only"], {
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) process.exit(1);
}
if (!isBuilt()) {
  // in a process of its own: esbuild's service shares standard error with whoever started it, and makes it blocking
  const { status } = spawnSync(process.execPath, [join(root, "scripts", "build.mjs")], { stdio: ["ignore", 2, 2] });
  if (status !== 0) process.exit(1);
}

process.argv[1] = command;
await import(pathToFileURL(command).href);

/** Modification time and size of a file; undefined if it does not exist. */
function stateOf(path) {
  const stat = statSync(join(root, path), { throwIfNoEntry: false });
  return stat && `${stat.mtimeMs} ${stat.size}`;
}

/** Whether every input of the last build is unchanged. esbuild's list of inputs is complete. */
function isBuilt() {
  try {
    if (!existsSync(pageScript)) return false;
    for (const name of Object.keys(entryPoints)) if (!existsSync(join(root, "dist", `${name}.mjs`))) return false;
    const inputs = Object.entries(JSON.parse(readFileSync(record, "utf8")));
    return inputs.length > 0 && inputs.every(([path, state]) => stateOf(path) === state);
  } catch {
    return false;
  }
}
