/** Python environments of the clone: finds a Python, makes an environment with it, and installs into it once. */

import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { dropStamp, hasStamp, run, SetupError, say, sha256, withLock, writeStamp } from "./install.mjs";
import { pythonOf, root } from "./venv.mjs";

/** No Python on this machine is recent enough. */
export class NoPythonError extends SetupError {}

const quiet = ["--quiet", "--disable-pip-version-check", "--no-input"];

/**
 * Makes the environment in `folder` and installs `wanted` (arguments of pip) into it. This is done once, and again if
 * one of `files` has changed. `find` chooses the Python for a new environment. `name` names the stamp.
 */
export async function setUpEnvironment({ name, folder, oldest, find, files, wanted, announcement }) {
  const python = pythonOf(folder);
  // an environment holds absolute paths, so one that was moved or copied no longer works
  const stamp = `${sha256(...files)} ${root}\n`;
  const isDone = () => existsSync(python) && hasStamp(name, stamp);
  if (isDone()) return;
  await withLock(async () => {
    if (isDone()) return;
    dropStamp(name);
    if (!isOwnEnvironment(folder, oldest)) makeEnvironment(folder, find());
    say(announcement);
    await run("pip install", python, ["-m", "pip", "install", ...quiet, ...wanted]);
    writeStamp(name, stamp);
  });
}

function makeEnvironment(folder, { command, version }) {
  say(`making a Python environment in ${folder.slice(root.length)} with ${command} ${version}`);
  const { status } = spawnSync(command, ["-m", "venv", "--clear", folder], { cwd: root, stdio: "ignore" });
  if (status === 0 && existsSync(pythonOf(folder))) return;
  rmSync(folder, { recursive: true, force: true });
  throw new SetupError(
    `${command} cannot make environments (its venv or ensurepip module is missing); install it, on Debian and Ubuntu ` +
      `with \`apt-get install python${minorOf(version)}-venv\`, or set MECGYM_PYTHON to another Python`,
  );
}

function minorOf(version) {
  return version.split(".").slice(0, 2).join(".");
}

/** Version of a Python; undefined if it cannot be run. */
function versionOf(command, prefix) {
  const code = "import platform, sys; print(platform.python_version(), sys.prefix)";
  const { status, stdout } = spawnSync(command, ["-c", code], {
    stdio: ["ignore", "pipe", "ignore"],
    encoding: "utf8",
  });
  if (status !== 0) return undefined;
  const [version, ...rest] = stdout.trim().split(" ");
  return prefix === undefined || rest.join(" ") === prefix ? version : undefined;
}

function isRecent(version, oldest) {
  if (version === undefined) return false;
  const [major, minor] = version.split(".").map((part) => Number.parseInt(part, 10));
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}

/** Whether an environment exists, was made in this place and is recent enough. */
function isOwnEnvironment(folder, oldest) {
  const python = pythonOf(folder);
  if (!existsSync(python) || !isRecent(versionOf(python, folder), oldest)) return false;
  return spawnSync(python, ["-m", "pip", "--version"], { stdio: "ignore" }).status === 0;
}

/** The Python to use: that of MECGYM_PYTHON, which must be suitable, or the first suitable one on the PATH. */
export function findPython(oldest) {
  const chosen = chosenPython();
  if (chosen === undefined) return findOnPath(oldest);
  if (isRecent(chosen.version, oldest)) return chosen;
  throw new SetupError(
    chosen.version === undefined
      ? `MECGYM_PYTHON is ${chosen.command}, which cannot be run`
      : `MECGYM_PYTHON is ${chosen.command}, Python ${chosen.version}; mecgym needs ${oldest.join(".")} or newer`,
  );
}

/** The Python for libraries that need a newer one than mecgym does. MECGYM_PYTHON is ignored if it is too old. */
export function findNewerPython(oldest) {
  const chosen = chosenPython();
  return isRecent(chosen?.version, oldest) ? chosen : findOnPath(oldest);
}

function chosenPython() {
  const command = process.env.MECGYM_PYTHON;
  return command ? { command, version: versionOf(command) } : undefined;
}

function findOnPath(oldest) {
  const names = ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];
  const found = [];
  for (const name of names) {
    const version = versionOf(name);
    if (isRecent(version, oldest)) return { command: name, version };
    if (version !== undefined) found.push(version);
  }
  throw new NoPythonError(
    `no Python ${oldest.join(".")} or newer found${found.length > 0 ? ` (only ${found.join(", ")})` : ""}; ` +
      "install one, or set MECGYM_PYTHON to its path",
  );
}
