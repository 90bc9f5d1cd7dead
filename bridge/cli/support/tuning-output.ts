/** What commands that tune share: the manifest they write into, and a figure with its interval in a table. */

import { readFileSync } from "node:fs";
import type { Estimate } from "../../../benchmarks/metrics/statistics.js";
import { MecgymError } from "../../../env/index.js";
import { writeWhole } from "./output.js";

export const MANIFEST_HELP = "write what was found into this manifest (benchmarks/policies/manifest.json)";

/** A manifest as it lies in a file; the parts that are not searched stay as they are. */
interface ManifestFile {
  adaptive: object;
  scenarios: Record<string, object>;
}

/**
 * Changes a manifest: it is read before the work and again after it, so that two searches can share one.
 *
 * @throws MecgymError `invalidOption` where the file is no manifest or cannot be written
 */
export function changeManifest(path: string, change: (manifest: ManifestFile) => void): void {
  let manifest: ManifestFile;
  try {
    manifest = JSON.parse(readFileSync(path, "utf8"));
    if (typeof manifest.scenarios !== "object" || typeof manifest.adaptive !== "object")
      throw new Error("other fields");
  } catch (error) {
    const expected = `a manifest of policies (${error instanceof Error ? error.message : error})`;
    throw new MecgymError("invalidOption", { path: "--manifest", got: path, expected });
  }
  change(manifest);
  writeWhole(path, `${JSON.stringify(manifest, null, 2)}\n`);
}

export function intervalText({ value, low, high }: Estimate): string {
  return `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}
