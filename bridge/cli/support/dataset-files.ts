/** Writes data sets into a folder: the files, the manifest and the card, all of them or none. */

import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { cardOf, type DatasetFile, fileNameOf, manifestOf, readManifest } from "../../../benchmarks/datasets/card.js";
import { type DatasetPlan, datasetKinds, scenariosOf } from "../../../benchmarks/datasets/plan.js";
import type { JobRunner } from "../../../benchmarks/jobs/jobs.js";
import { orderedRecords, RECORDS_PER_JOB } from "../../../benchmarks/jobs/ordered-records.js";
import type { Scenario } from "../../../env/index.js";
import { packageVersion } from "../../composition/package-version.js";
import { readRegularFile } from "../../keys/regular-file.js";
import { badPlace, prepareFolder, writeWhole } from "./output.js";
import { withWorkers } from "./workers.js";

/** Name of the file that lists a folder's data sets. */
export const DATASET_MANIFEST = "manifest.json";
const CARD = "README.md";

/** Writes the files, the manifest and the card, each of them whole. An early end leaves none. */
export async function writeDatasets(
  folder: string,
  plans: readonly DatasetPlan[],
  numWorkers: number | undefined,
): Promise<DatasetFile[]> {
  const names = plans.map(fileNameOf);
  prepareFolder(folder, [...names, DATASET_MANIFEST, CARD]);
  const temporary = names.map((name) => join(folder, `.${name}.${process.pid}.tmp`));
  const tidy = () => {
    for (const path of temporary) rmSync(path, { force: true });
  };
  process.once("exit", tidy);
  try {
    const total = plans.reduce((sum, { count }) => sum + count, 0);
    const files = await withWorkers(
      "dataset",
      numWorkers,
      Math.ceil(total / RECORDS_PER_JOB),
      async (runner, onProgress) => {
        const written: DatasetFile[] = [];
        for (const [i, plan] of plans.entries()) {
          const before = written.reduce((sum, { records }) => sum + records, 0);
          const file = await writeRecords(temporary[i], plan, runner, (done) =>
            onProgress(before + done, total, names[i]),
          );
          written.push({ name: names[i], ...file });
        }
        return written;
      },
      "nothing is written",
    );
    for (const [i, name] of names.entries()) renameSync(temporary[i], join(folder, name));
    const all = [...otherFiles(folder, names), ...files].sort((a, b) => placeOf(a) - placeOf(b));
    writeWhole(join(folder, CARD), cardOf(all, packageVersion));
    writeWhole(join(folder, DATASET_MANIFEST), `${JSON.stringify(manifestOf(all, packageVersion), null, 2)}\n`);
    return files;
  } finally {
    tidy();
    process.removeListener("exit", tidy);
  }
}

/** One's own scenarios of the data sets in a file's folder, as its manifest has them. */
export function scenariosBeside(file: string): Scenario[] {
  const path = join(dirname(file), DATASET_MANIFEST);
  if (!existsSync(path)) return [];
  const listed = readManifest(readRegularFile(path).toString("utf8")) ?? [];
  return listed.flatMap(({ plan }) => scenariosOf(plan));
}

/** Files of earlier commands in a folder that are not overwritten. */
function otherFiles(folder: string, names: readonly string[]): DatasetFile[] {
  const path = join(folder, DATASET_MANIFEST);
  const listed = existsSync(path) ? (readManifest(readRegularFile(path).toString("utf8")) ?? []) : [];
  return listed.filter(({ name }) => !names.includes(name) && existsSync(join(folder, name)));
}

/** A file's place in the manifest, whichever was written first: by kind, training before validation. */
function placeOf({ plan }: DatasetFile): number {
  return 2 * datasetKinds.indexOf(plan.kind) + (plan.split === "validation" ? 1 : 0);
}

/** Writes one file, part by part, as the parts come. */
async function writeRecords(
  path: string,
  plan: DatasetPlan,
  runner: JobRunner,
  onProgress: (done: number) => void,
): Promise<Omit<DatasetFile, "name">> {
  const hash = createHash("sha256");
  const labelCounts: number[] = [];
  let [done, bytes] = [0, 0];
  const file = openSync(path, "w");
  try {
    for await (const lines of orderedRecords(plan, runner)) {
      try {
        for (let at = 0; at < lines.bytes.length; ) at += writeSync(file, lines.bytes, at);
      } catch (error) {
        throw badPlace(dirname(path), error);
      }
      hash.update(lines.bytes);
      bytes += lines.bytes.length;
      lines.labelCounts.forEach((count, action) => {
        labelCounts[action] = (labelCounts[action] ?? 0) + count;
      });
      done = lines.done;
      onProgress(done);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return { plan, records: done, bytes, sha256: hash.digest("hex"), labelCounts };
}
