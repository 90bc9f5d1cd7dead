/** What the tuning commands share: the manifest that they write into, and the figure of a candidate. */

import type { Estimate, Figure } from "../../../benchmarks/figures.js";
import { listScenarios, MecgymError, type Scenario, scenarioHash } from "../../../env/index.js";
import { parseJson } from "../../../env/json.js";
import { readRegularFile } from "../../keys/regular-file.js";
import { reasonOf } from "./input.js";
import { writeWhole } from "./output.js";

export const MANIFEST_HELP = "write the result into this manifest (benchmarks/policies/manifest.json)";

/** A manifest as it is in the file. Parts that a command does not search stay as they are. */
interface ManifestFile {
  adaptive: object;
  scenarios: Record<string, object>;
}

/**
 * Changes a manifest. It is read before the work and again after it, so that two searches can share one.
 *
 * @throws MecgymError `invalidOption` if the file is not a manifest or cannot be written
 */
export function changeManifest(path: string, change: (manifest: ManifestFile) => void): void {
  let manifest: ManifestFile;
  try {
    manifest = parseJson(readRegularFile(path).toString("utf8")) as ManifestFile;
    if (typeof manifest.scenarios !== "object" || typeof manifest.adaptive !== "object")
      throw new Error("other fields");
  } catch (error) {
    const expected = `a manifest of policies (${reasonOf(error)})`;
    throw new MecgymError("invalidOption", { path: "--manifest", got: path, expected });
  }
  change(manifest);
  writeWhole(path, `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * Refuses a manifest for one's own scenario: it has frozen ones only, by id.
 *
 * @throws MecgymError `invalidOption`
 */
export function checkManifestScenario(path: string | undefined, { id, ...scenario }: Scenario): void {
  if (path === undefined) return;
  const frozen = listScenarios().find((one) => one.id === id);
  if (frozen !== undefined && scenarioHash(frozen) === scenarioHash(scenario)) return;
  const expected = "no manifest with a scenario of your own: a manifest has frozen scenarios, by id";
  throw new MecgymError("invalidOption", { path: "--manifest", got: id, expected });
}

/** The average latency of a candidate; its fields keep the order in which these commands have always printed them. */
export function latencyFigure(candidate: string, averageLatencySlots: Estimate): Figure {
  return { id: `${candidate}/latency`, unit: "slots", goal: null, better: "lower", ...averageLatencySlots };
}
