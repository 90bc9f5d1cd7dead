/** `npm test`: installs what is missing, runs the TypeScript and Python tests, and counts both in one last line. */

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { add, finish, readPytest, run } from "./counts.mjs";
import { root, venvPython } from "./venv.mjs";

const reports = { vitest: join(root, ".setup", "vitest.json"), pytest: join(root, ".setup", "pytest.xml") };

function readVitest() {
  if (!existsSync(reports.vitest)) return undefined;
  const report = JSON.parse(readFileSync(reports.vitest, "utf8"));
  // a file that cannot be loaded fails without a failed test
  const brokenFiles = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  ).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

mkdirSync(join(root, ".setup"), { recursive: true });
for (const report of Object.values(reports)) rmSync(report, { force: true });

// one after another, so that the TypeScript tests run even if there is no Python, and vice versa
run(process.execPath, [join(root, "scripts", "setup.mjs"), "--node-only"]);
run(process.execPath, [join(root, "scripts", "setup.mjs"), "--python-only"]);

const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const vitestArgs = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${reports.vitest}`];
const isVitestOk = existsSync(vitest) && run(process.execPath, [vitest, ...vitestArgs]);
add("vitest", isVitestOk, readVitest());

const pytestArgs = ["-c", "bridge/python/pyproject.toml", "bridge/python/tests", "benchmarks/peers/tests"];
const isPytestOk =
  existsSync(venvPython) && run(venvPython, ["-m", "pytest", ...pytestArgs, `--junitxml=${reports.pytest}`]);
add("pytest", isPytestOk, readPytest(reports.pytest));

finish();
