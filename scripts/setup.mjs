/**
 * Installs what a fresh clone needs: the npm packages, and a Python environment in `.venv` with the Python package.
 *
 * It runs before anything is installed, so it uses only Node. If there is nothing to do, it prints nothing.
 */

import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { dropStamp, hasStamp, readJson, run, SetupError, say, sha256, withLock, writeStamp } from "./install.mjs";
import { findPython, setUpEnvironment } from "./python.mjs";
import { root, venv } from "./venv.mjs";

const oldestPython = [3, 10];
const isWindows = process.platform === "win32";

async function setUpNode() {
  const stamp = `${sha256("package-lock.json")} ${process.version} ${process.platform}-${process.arch}\n`;
  const isDone = () => {
    if (!existsSync(join(root, "node_modules", ".package-lock.json"))) return false;
    if (hasStamp("node", stamp)) return true;
    if (!isAsLocked()) return false;
    writeStamp("node", stamp);
    return true;
  };
  if (isDone()) return;
  await withLock(async () => {
    if (isDone()) return;
    // npm would follow the link and empty the folder of another clone
    if (lstatSync(join(root, "node_modules"), { throwIfNoEntry: false })?.isSymbolicLink()) {
      throw new SetupError(
        "node_modules is a link to packages that are not those of package-lock.json; remove it, and run this again",
      );
    }
    dropStamp("node");
    say("installing the npm packages with `npm ci`; it downloads about 100 MB, which may take a minute");
    // on Windows npm is a script, which only a shell can run
    if (isWindows) await run("npm ci", "npm ci --ignore-scripts", [], { shell: true });
    else await run("npm ci", "npm", ["ci", "--ignore-scripts"]);
    writeStamp("node", stamp);
  });
}

/**
 * Whether node_modules agrees with package-lock.json, judged by the list that npm keeps there. After a plain
 * `npm install` it does, and nothing needs to be installed again.
 */
function isAsLocked() {
  const wanted = readJson(join(root, "package-lock.json"))?.packages;
  const found = readJson(join(root, "node_modules", ".package-lock.json"))?.packages;
  if (!wanted || !found) return false;
  for (const [path, entry] of Object.entries(found)) {
    if (wanted[path]?.version !== entry.version) return false;
    if (wanted[path].integrity && entry.integrity && wanted[path].integrity !== entry.integrity) return false;
  }
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || path in found) continue;
    const isForHere =
      (entry.os ?? [process.platform]).includes(process.platform) &&
      (entry.cpu ?? [process.arch]).includes(process.arch) &&
      entry.libc === undefined;
    if (!entry.optional || (entry.os !== undefined && isForHere)) return false;
  }
  return true;
}

async function setUpPython() {
  await setUpEnvironment({
    name: "python",
    folder: venv,
    oldest: oldestPython,
    find: () => findPython(oldestPython),
    files: ["bridge/python/pyproject.toml", "bridge/python/constraints.txt"],
    wanted: ["-c", "bridge/python/constraints.txt", "-e", "bridge/python[test]"],
    announcement: "installing the Python package and what its tests need with pip; this may take a minute",
  });
}

const options = process.argv.slice(2);
try {
  const unknown = options.find((option) => option !== "--node-only" && option !== "--python-only");
  if (unknown) throw new SetupError(`unknown option ${unknown}; there are --node-only and --python-only`);
  if (Number.parseInt(process.versions.node, 10) < 20) {
    throw new SetupError(`this is Node ${process.versions.node}; mecgym needs 20 or newer`);
  }
  if (!options.includes("--python-only")) await setUpNode();
  if (!options.includes("--node-only")) await setUpPython();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`mecgym: ${error.message}`);
  process.exitCode = 1;
}
