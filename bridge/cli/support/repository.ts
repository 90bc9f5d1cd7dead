/** Where the clone is that this command was built in or runs in, and the Python in it. */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { pythonIn } from "../../../benchmarks/speed/peer-process.js";

/** The root of the clone. In a package it is a folder without any of a clone's files, so nothing is found there. */
export function repositoryRoot(): string {
  const isBuilt = !import.meta.url.endsWith(".ts");
  return fileURLToPath(new URL(isBuilt ? ".." : "../../..", import.meta.url));
}

/** The Python in the clone's `.venv`; undefined if it was not set up. */
export function repositoryPython(): string | undefined {
  const python = pythonIn(repositoryRoot(), ".venv");
  return existsSync(python) ? python : undefined;
}
