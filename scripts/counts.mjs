/** Runs test commands one after another and adds up their counts in one last line. */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { root } from "./venv.mjs";

const total = { passed: 0, failed: 0, skipped: 0 };

/** Runs a command and shows its output as it comes. Returns false if it failed or could not be started. */
export function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (error) console.error(`mecgym: ${command} could not be started (${error.code})`);
  return status === 0;
}

/** Adds a runner's counts. If it failed without a failed test, or left no report, it counts as one failed test. */
export function add(name, isOk, counts) {
  const failed = isOk && counts ? counts.failed : Math.max(counts?.failed ?? 0, 1);
  if (failed > (counts?.failed ?? 0)) console.error(`mecgym: ${name} did not run to its end`);
  total.passed += counts?.passed ?? 0;
  total.failed += failed;
  total.skipped += counts?.skipped ?? 0;
}

/** Reads the counts in a JUnit report of pytest; undefined if there is no report. */
export function readPytest(report) {
  if (!existsSync(report)) return undefined;
  const suites = [...readFileSync(report, "utf8").matchAll(/<testsuite [^>]*>/g)].map(([tag]) => tag);
  if (suites.length === 0) return undefined;
  const sum = (field) =>
    suites.reduce((all, tag) => all + Number(tag.match(new RegExp(`\\b${field}="(\\d+)"`))?.[1] ?? 0), 0);
  const failed = sum("failures") + sum("errors");
  const skipped = sum("skipped");
  return { passed: Math.max(0, sum("tests") - failed - skipped), failed, skipped };
}

/** Prints the last line, and sets the exit code to 1 if any test failed. */
export function finish() {
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}
