/**
 * `npm run lint`: Biome, the length of lines, ruff, and the layers of the Python package. `npm run format` (`--fix`)
 * repairs what it can instead.
 */

import { join } from "node:path";
import { run } from "./counts.mjs";
import { root } from "./venv.mjs";

/** Folders with Python sources, as seen from `bridge/python`, where ruff's settings are. */
const PYTHON = [
  ".",
  ...["docs/examples", "benchmarks/peers", "benchmarks/chaos", "benchmarks/training", "test/extras"].map(
    (folder) => `../../${folder}`,
  ),
];

const isFix = process.argv.includes("--fix");
const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
const script = (name) => join(root, "scripts", name);
const ruff = (command, ...options) => [
  script("venv.mjs"),
  "ruff",
  command,
  ...options,
  ...PYTHON,
  "--config",
  "pyproject.toml",
];

const checks = isFix
  ? [[biome, "check", "--write", "."], ruff("check", "--fix"), ruff("format")]
  : [
      [biome, "check", "--error-on-warnings", "."],
      [script("line-length.mjs")],
      ruff("check"),
      ruff("format", "--check"),
      [script("venv.mjs"), "pytest", "-q", "tests/package/test_layers.py"],
    ];
// all of them, so that one run shows everything that is wrong
const outcomes = checks.map((args) => run(process.execPath, args));
if (outcomes.includes(false)) process.exitCode = 1;
