/** `npm test`: installs what is missing, runs the TypeScript and the Python tests, and adds both up in one last line. */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root, venvPython } from "./venv.mjs";

const reports = { vitest: join(root, ".setup", "vitest.json"), pytest: join(root, ".setup", "pytest.xml") };
const total = { passed: 0, failed: 0, skipped: 0 };

/** Runs a command with its output shown as it comes; false where it failed or could not be started. */
function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (error) console.error(`mecgym: ${command} could not be started (${error.code})`);
  return status === 0;
}

/** Adds a runner's counts. A runner that failed without a failed test, or left no report, counts as one failed test. */
function add(name, isOk, counts) {
  const failed = isOk && counts ? counts.failed : Math.max(counts?.failed ?? 0, 1);
  if (failed > (counts?.failed ?? 0)) console.error(`mecgym: ${name} did not run to its end`);
  total.passed += counts?.passed ?? 0;
  total.failed += failed;
  total.skipped += counts?.skipped ?? 0;
}

function readVitest() {
  if (!existsSync(reports.vitest)) return undefined;
  const report = JSON.parse(readFileSync(reports.vitest, "utf8"));
  // a file that cannot be loaded fails without any test of its own
  const brokenFiles = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  ).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function readPytest() {
  if (!existsSync(reports.pytest)) return undefined;
  const suites = [...readFileSync(reports.pytest, "utf8").matchAll(/<testsuite [^>]*>/g)].map(([tag]) => tag);
  if (suites.length === 0) return undefined;
  const sum = (field) =>
    suites.reduce((all, tag) => all + Number(tag.match(new RegExp(`\\b${field}="(\\d+)"`))?.[1] ?? 0), 0);
  const failed = sum("failures") + sum("errors");
  const skipped = sum("skipped");
  return { passed: Math.max(0, sum("tests") - failed - skipped), failed, skipped };
}

mkdirSync(join(root, ".setup"), { recursive: true });
for (const report of Object.values(reports)) rmSync(report, { force: true });

// one after the other, so that the TypeScript tests run even where there is no Python, and the other way round
run(process.execPath, [join(root, "scripts", "setup.mjs"), "--node-only"]);
run(process.execPath, [join(root, "scripts", "setup.mjs"), "--python-only"]);

const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const vitestArgs = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${reports.vitest}`];
const isVitestOk = existsSync(vitest) && run(process.execPath, [vitest, ...vitestArgs]);
add("vitest", isVitestOk, readVitest());

const pytestArgs = ["-c", "bridge/python/pyproject.toml", "bridge/python/tests", "benchmarks/peers/tests"];
const isPytestOk =
  existsSync(venvPython) && run(venvPython, ["-m", "pytest", ...pytestArgs, `--junitxml=${reports.pytest}`]);
add("pytest", isPytestOk, readPytest());

const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 ? 1 : 0;
