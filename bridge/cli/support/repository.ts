/** Where the clone is that this command was built in, or runs in. */

import { fileURLToPath } from "node:url";

/** The root of the clone; of a package a folder without any of a clone's files, so nothing is found there. */
export function repositoryRoot(): string {
  const isBuilt = !import.meta.url.endsWith(".ts");
  return fileURLToPath(new URL(isBuilt ? ".." : "../../..", import.meta.url));
}
