/**
 * `node scripts/extras.mjs NAME…`: tests with libraries too large for `npm test`, in environments of their own.
 *
 * The tests of NAME and the list of what they need, with versions, are in `test/extras/NAME`. The list is complete and
 * installed as it stands, without looking at what its packages ask for, and the Python package beside it. Libraries whose
 * lists agree share an environment. Without a name all are run: those around PyTorch, and beside them, in a process of its
 * own whose output comes when it is done, the others. The last line counts the tests.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { add, finish, readPytest, run } from "./counts.mjs";
import { SetupError, say } from "./install.mjs";
import { findNewerPython, NoPythonError, setUpEnvironment } from "./python.mjs";
import { pythonOf, root } from "./venv.mjs";

/**
 * Libraries, the environment they share, the oldest Python the pinned versions have, and megabytes to download where
 * nothing of the environment is there: here and on other systems.
 */
const isLinux = process.platform === "linux";
// for Linux there is PyTorch with CUDA alone, which loads CUDA's libraries even where it computes on the CPU
const torch = { environment: "torch", oldest: [3, 11], downloadMB: isLinux ? 2590 : 250 };
/** Of the package's own tests, those that another version of a library has to pass too. */
const ownTest = (name) => join("bridge", "python", "tests", `${name}.py`);
const extras = {
  trl: { libraries: "PyTorch, Transformers, TRL and Datasets", ...torch },
  sb3: { libraries: "PyTorch, Stable-Baselines3 and sb3-contrib", ...torch },
  cleanrl: { libraries: "PyTorch alone", ...torch },
  ray: { libraries: "PyTorch, Ray and RLlib", ...torch },
  minari: { libraries: "Minari", ...torch },
  openenv: { libraries: "OpenEnv", environment: "openenv", oldest: [3, 11], downloadMB: 100 },
  verifiers: { libraries: "verifiers and OpenEnv", environment: "verifiers", oldest: [3, 11], downloadMB: 140 },
  wheel: { libraries: "pip and Node from PyPI", environment: "wheel", oldest: [3, 10], downloadMB: 80 },
  gymnasium: {
    libraries: "the oldest Gymnasium and MoviePy",
    environment: "gymnasium",
    oldest: [3, 10],
    downloadMB: 95,
    also: [
      "bench/test_play",
      "envs/test_numeric",
      "envs/test_vector",
      "envs/test_wrappers",
      "remote/transport/test_fork",
      "render/test_renderer",
    ].map(ownTest),
  },
  jax: { libraries: "JAX", environment: "jax", oldest: [3, 11], downloadMB: 140 },
  envpool: { libraries: "EnvPool", environment: "envpool", oldest: [3, 11], downloadMB: 330 },
};

async function test(name) {
  const { libraries, environment, oldest, downloadMB, also = [] } = extras[name];
  const tests = join("test", "extras", name);
  const list = join(tests, "requirements.txt");
  const folder = join(root, ".setup", `venv-${environment}`);
  try {
    await setUpEnvironment({
      name: `extras-${name}`,
      folder,
      oldest,
      find: () => findNewerPython(oldest),
      files: [...withIncluded(list), "bridge/python/pyproject.toml"],
      wanted: ["--no-deps", "--no-compile", "-r", list, "-e", "bridge/python"],
      announcement: `installing ${libraries} with pip; it downloads up to ${downloadMB} MB, once`,
    });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`mecgym: ${name}: ${error.message}`);
    // its tests are there all the same, so they are counted
    if (error instanceof NoPythonError) add(name, true, { passed: 0, failed: 0, skipped: countTests(tests) });
    else add(name, false, undefined);
    return;
  }
  const report = join(root, ".setup", `pytest-${name}.xml`);
  rmSync(report, { force: true });
  const settings = ["-c", "bridge/python/pyproject.toml", `--rootdir=${root}`, "-o", "faulthandler_timeout=280"];
  const pytestArgs = [...settings, tests, ...also, `--junitxml=${report}`];
  add(name, run(pythonOf(folder), ["-m", "pytest", ...pytestArgs]), readPytest(report));
}

/** A list, and the lists that it takes in. */
function withIncluded(list) {
  const included = readFileSync(join(root, list), "utf8").matchAll(/^-r (.+)$/gm);
  return [list, ...[...included].flatMap(([, other]) => withIncluded(join(dirname(list), other)))];
}

/** How many tests a folder has, going by their first lines. */
function countTests(folder) {
  const files = readdirSync(join(root, folder)).filter((file) => /^test_.*\.py$/.test(file));
  const texts = files.map((file) => readFileSync(join(root, folder, file), "utf8"));
  return texts.reduce((all, text) => all + (text.match(/^def test_/gm)?.length ?? 0), 0);
}

/** Runs the tests of some names in a process of its own; what is returned waits for it, shows what it said, and counts. */
function testBeside(names) {
  const log = join(root, ".setup", "extras-beside.log");
  const output = openSync(log, "w");
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...names], {
    cwd: root,
    stdio: ["ignore", output, output],
  });
  const ended = once(child, "exit");
  return async () => {
    const [code] = await ended;
    closeSync(output);
    const lines = readFileSync(log, "utf8").trimEnd().split("\n");
    const last = lines.pop().match(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/);
    console.log(lines.join("\n"));
    const [, passed, failed, skipped = 0] = last?.map(Number) ?? [];
    add(names.join(", "), code === 0, last === null ? undefined : { passed, failed, skipped: skipped || 0 });
  };
}

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !(name in extras));
if (unknown !== undefined) {
  console.error(`mecgym: unknown name ${unknown}; there are ${Object.keys(extras).join(", ")}`);
  process.exit(2);
}
mkdirSync(join(root, ".setup"), { recursive: true });
run(process.execPath, [join(root, "scripts", "setup.mjs"), "--node-only"]);

async function testAll(names) {
  for (const name of names) {
    say(`tests with ${extras[name].libraries}`);
    await test(name);
  }
}
if (asked.length > 0) await testAll(asked);
else {
  const withTorch = Object.keys(extras).filter((name) => extras[name].environment === "torch");
  const others = Object.keys(extras).filter((name) => !withTorch.includes(name) && name !== "wheel");
  const countOthers = testBeside(others);
  await testAll(withTorch);
  await countOthers();
  // it makes the wheel in the folder that the others install from
  await testAll(["wheel"]);
}
finish();
