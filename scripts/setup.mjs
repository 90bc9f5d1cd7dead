/**
 * Installs what a fresh clone needs: the npm packages, and a Python environment in `.venv` with the Python package.
 *
 * It runs before anything is installed, so it uses nothing but Node. Where nothing is to be done it prints nothing.
 */

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, venv, venvPython } from "./venv.mjs";

const stamps = join(root, ".setup");
const oldestPython = [3, 10];
const isWindows = process.platform === "win32";
const signals = ["SIGINT", "SIGTERM", "SIGHUP"];

class SetupError extends Error {}

function say(line) {
  console.log(`mecgym: ${line}`);
}

function sha256(...files) {
  const hash = createHash("sha256");
  for (const file of files) {
    if (!existsSync(join(root, file))) throw new SetupError(`${file} is missing; is this a complete clone?`);
    hash.update(readFileSync(join(root, file))).update("\0");
  }
  return hash.digest("hex");
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** A stamp is written after the work it stands for, under another name first: half an installation leaves none. */
function writeStamp(name, text) {
  mkdirSync(stamps, { recursive: true });
  const file = join(stamps, name);
  writeFileSync(`${file}.${process.pid}`, text);
  renameSync(`${file}.${process.pid}`, file);
}

function hasStamp(name, text) {
  const file = join(stamps, name);
  return existsSync(file) && readFileSync(file, "utf8") === text;
}

function dropStamp(name) {
  rmSync(join(stamps, name), { force: true });
}

/**
 * Runs an installer to its end with its output shown. A signal is passed on and its effect waited for, because npm
 * tidies up for a while, and a second attempt must not meet it doing so.
 */
function run(name, command, args, options = {}) {
  return new Promise((settle, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"], ...options });
    let isInterrupted = false;
    const passOn = (signal) => {
      isInterrupted = true;
      child.kill(signal);
    };
    for (const signal of signals) process.on(signal, passOn);
    const end = (problem) => {
      for (const signal of signals) process.off(signal, passOn);
      if (problem === undefined) settle();
      else reject(new SetupError(problem));
    };
    child.once("error", (error) => end(`${name} could not be started (${error.code})`));
    child.once("close", (code) => {
      if (isInterrupted) end(`${name} was interrupted; run the same command again`);
      else end(code === 0 ? undefined : `\`${name}\` failed; its messages above say why`);
    });
  });
}

/** Does `work` when no other set-up of this clone is at it. */
async function alone(work) {
  const lock = join(stamps, "lock");
  const own = join(stamps, `lock.${process.pid}`);
  mkdirSync(stamps, { recursive: true });
  writeFileSync(own, String(process.pid));
  try {
    for (let hasSaid = false; !isTaken(own, lock); hasSaid = true) {
      if (!hasSaid) say("another set-up of this clone is running; waiting for it");
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    rmSync(own, { force: true });
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Tries to take the lock, also from a set-up that is gone or, should its number live on, from half an hour ago. */
function isTaken(own, lock) {
  try {
    linkSync(own, lock); // unlike writing a file, this is one step: nobody reads an empty lock
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  if (!isAlive(Number(readText(lock))) || age > 1_800_000) rmSync(lock, { force: true });
  return false;
}

function readText(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// npm packages

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
  await alone(async () => {
    if (isDone()) return;
    dropStamp("node");
    say("installing the npm packages with `npm ci`; it downloads about 100 MB, which may take a minute");
    // on Windows npm is a script, which only a shell runs
    if (isWindows) await run("npm ci", "npm ci --ignore-scripts", [], { shell: true });
    else await run("npm ci", "npm", ["ci", "--ignore-scripts"]);
    writeStamp("node", stamp);
  });
}

/**
 * Whether node_modules is what package-lock.json says, going by the list that npm keeps there. It is after a plain
 * `npm install`, and then there is nothing to install again.
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

// ---------------------------------------------------------------------------------------------------------------------
// Python environment

async function setUpPython() {
  const files = ["bridge/python/pyproject.toml", "bridge/python/constraints.txt"];
  // an environment holds absolute paths, so one that was moved or copied is no longer good
  const stamp = `${sha256(...files)} ${root}\n`;
  const isDone = () => existsSync(venvPython) && hasStamp("python", stamp);
  if (isDone()) return;
  await alone(async () => {
    if (isDone()) return;
    dropStamp("python");
    if (!isOwnEnvironment()) makeEnvironment();
    say("installing the Python package and its tests' needs with pip; this may take a minute");
    const quiet = ["--quiet", "--disable-pip-version-check", "--no-input"];
    const wanted = ["-c", "bridge/python/constraints.txt", "-e", "bridge/python[test]"];
    await run("pip install", venvPython, ["-m", "pip", "install", ...quiet, ...wanted]);
    writeStamp("python", stamp);
  });
}

function makeEnvironment() {
  const { command, version } = findPython();
  say(`making a Python environment in .venv with ${command} ${version}`);
  const { status } = spawnSync(command, ["-m", "venv", "--clear", venv], { cwd: root, stdio: "ignore" });
  if (status === 0 && existsSync(venvPython)) return;
  rmSync(venv, { recursive: true, force: true });
  throw new SetupError(
    `${command} cannot make environments (its venv or ensurepip module is missing); install it, on Debian and Ubuntu ` +
      `with \`apt-get install python${minorOf(version)}-venv\`, or set MECGYM_PYTHON to another Python`,
  );
}

function minorOf(version) {
  return version.split(".").slice(0, 2).join(".");
}

/** Version of a Python, or undefined where it cannot be run. */
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

function isRecent(version) {
  if (version === undefined) return false;
  const [major, minor] = version.split(".").map((part) => Number.parseInt(part, 10));
  return major > oldestPython[0] || (major === oldestPython[0] && minor >= oldestPython[1]);
}

/** Whether .venv is there, was made here and is recent enough. */
function isOwnEnvironment() {
  if (!existsSync(venvPython) || !isRecent(versionOf(venvPython, venv))) return false;
  return spawnSync(venvPython, ["-m", "pip", "--version"], { stdio: "ignore" }).status === 0;
}

function findPython() {
  const chosen = process.env.MECGYM_PYTHON;
  if (chosen) {
    const version = versionOf(chosen);
    if (isRecent(version)) return { command: chosen, version };
    throw new SetupError(
      version === undefined
        ? `MECGYM_PYTHON is ${chosen}, which cannot be run`
        : `MECGYM_PYTHON is ${chosen}, Python ${version}; mecgym needs ${oldestPython.join(".")} or newer`,
    );
  }
  const names = ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];
  const found = [];
  for (const name of names) {
    const version = versionOf(name);
    if (isRecent(version)) return { command: name, version };
    if (version !== undefined) found.push(version);
  }
  throw new SetupError(
    `no Python ${oldestPython.join(".")} or newer found${found.length > 0 ? ` (only ${found.join(", ")})` : ""}; ` +
      "install one, or set MECGYM_PYTHON to its path",
  );
}

// ---------------------------------------------------------------------------------------------------------------------

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
