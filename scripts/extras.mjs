/**
 * `node scripts/extras.mjs NAME…`: runs tests with libraries too large for `npm test`, in environments of their own.
 *
 * `test/extras/NAME` has the tests of NAME and the list of what they need, with versions. The list is complete: it is
 * installed as it is, without looking at what its packages ask for, together with the Python package. Libraries whose
 * lists agree share an environment. Without a name all tests run: those with PyTorch in this process, and at the same
 * time the others in a process of their own, whose output is shown when it is done. The last line counts the tests.
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

const isLinux = process.platform === "linux";
// Linux only has PyTorch with CUDA, which loads CUDA's libraries even if it computes on the CPU
const torch = { environment: "torch", oldest: [3, 11], downloadMB: isLinux ? 2590 : 250 };
/** Tests of the package itself that other versions of a library must pass too. */
const ownTest = (name) => join("bridge", "python", "tests", `${name}.py`);
/**
 * For each name: the libraries, the environment that they share, the oldest Python of the pinned versions, and the
 * megabytes to download if the environment is empty.
 */
const extras = {
  trl: { libraries: "PyTorch, Transformers, TRL and Datasets", ...torch },
  sb3: { libraries: "PyTorch, Stable-Baselines3 and sb3-contrib", ...torch },
  cleanrl: { libraries: "only PyTorch", ...torch },
  ray: { libraries: "PyTorch, Ray and RLlib", ...torch },
  minari: { libraries: "Minari", ...torch },
  openenv: { libraries: "OpenEnv", environment: "openenv", oldest: [3, 11], downloadMB: 100 },
  verifiers: { libraries: "verifiers and OpenEnv", environment: "verifiers", oldest: [3, 11], downloadMB: 140 },
  wheel: { libraries: "pip and Node from PyPI", environment: "wheel", oldest: [3, 10], downloadMB: 80 },
  // the machine brings Go, without which the tests are skipped
  embedding: { libraries: "pytest, for the host in Go", environment: "wheel", oldest: [3, 10], downloadMB: 5 },
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
  rliable: { libraries: "rliable and SciPy", environment: "jax", oldest: [3, 11], downloadMB: 140 },
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
    // its tests exist nevertheless, so they are counted
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

/** A list of requirements and the lists that it includes. */
function withIncluded(list) {
  const included = readFileSync(join(root, list), "utf8").matchAll(/^-r (.+)$/gm);
  return [list, ...[...included].flatMap(([, other]) => withIncluded(join(dirname(list), other)))];
}

/** Counts the tests in a folder by their `def` lines. */
function countTests(folder) {
  const files = readdirSync(join(root, folder)).filter((file) => /^test_.*\.py$/.test(file));
  const texts = files.map((file) => readFileSync(join(root, folder, file), "utf8"));
  return texts.reduce((all, text) => all + (text.match(/^def test_/gm)?.length ?? 0), 0);
}

/** Starts tests in another process. The returned function waits for it, shows its output, and counts. */
function startTests(names) {
  const log = join(root, ".setup", "extras-others.log");
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
  const countOthers = startTests(others);
  await testAll(withTorch);
  await countOthers();
  // last, because it builds the wheel in the folder that the others install from
  await testAll(["wheel"]);
}
finish();
