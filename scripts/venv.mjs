/**
 * The clone's Python environment: its path, and `node scripts/venv.mjs MODULE ARGS…`, which runs a Python module in
 * `bridge/python`, the folder with the settings of the Python tools.
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const venv = join(root, ".venv");
export const venvPython = pythonOf(venv);

/** Path of an environment's Python. */
export function pythonOf(folder) {
  return process.platform === "win32" ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (!existsSync(venvPython)) {
    console.error("mecgym: there is no .venv yet; run `node scripts/setup.mjs` first");
    process.exit(1);
  }
  const { status } = spawnSync(venvPython, ["-m", ...process.argv.slice(2)], {
    cwd: join(root, "bridge", "python"),
    stdio: "inherit",
  });
  process.exit(status ?? 1);
}
