/** Plays a suite for `mecgym run` and `mecgym demo`, with finished parts kept on the way. */

import { join } from "node:path";
import { checkCanPlay, findPolicy, policies } from "../../../benchmarks/policies/index.js";
import { renderMarkdown } from "../../../benchmarks/report/markdown.js";
import { resultFrame, resultPieces } from "../../../benchmarks/result-file.js";
import { LogRunner } from "../../../benchmarks/runs/joined-runs.js";
import { runSuite } from "../../../benchmarks/runs/run-suite.js";
import { countsOf, type Suite, withSettings } from "../../../benchmarks/suites/suites.js";
import { checkSeed } from "../../../env/index.js";
import type { Result } from "../../../schemas/generated/types.js";
import { packageVersion } from "../../composition/package-version.js";
import { askModel, MODEL_FILES, type ModelToPlay } from "./model-options.js";
import { PartFiles, prepareFolder, writeWhole } from "./output.js";
import { readResult } from "./result-files.js";
import { programId, withWorkers } from "./workers.js";

/** Policies that are played by default: all except those with rollouts, which take a thousand times as long. */
export const defaultPolicies = policies.filter((policy) => !policy.needsRollout).map((policy) => policy.name);

/** Names of the files of a run. */
export const RUN_FILES = ["result.json", "table.md"] as const;

export interface PlayOptions {
  readonly policies?: readonly string[];
  readonly episodes?: number;
  /** Ids of some of the suite's settings. */
  readonly settings?: readonly string[];
  /** First episode seed. */
  readonly seed: number;
  readonly workers?: number;
  readonly out?: string;
  /** Result files of some of the seeds, to replay. */
  readonly parts?: readonly string[];
  readonly resume?: boolean;
}

/**
 * Plays a suite; `write` then writes both files, each whole or not at all. A policy's part of a setting is kept as
 * soon as it is finished: Ctrl-C loses the parts that are being played, and `--resume` continues after the others. A
 * model is asked first, and each of its answers is kept.
 */
export async function playSuite(
  whole: Suite,
  options: PlayOptions,
  model?: ModelToPlay,
): Promise<{ result: Result; folder: string; write: () => void }> {
  const suite = withSettings(whole, options.settings, "--settings");
  const names = options.policies ?? defaultPolicies;
  for (const name of names) {
    findPolicy(name);
    for (const { protocol } of suite.settings) checkCanPlay(name, protocol);
  }
  const counts = countsOf(suite, options.episodes);
  checkSeed(options.seed + Math.max(...counts) - 1, "--seed");
  const folder = options.out ?? join("results", folderName(suite.id, model));
  prepareFolder(folder, model === undefined ? RUN_FILES : [...RUN_FILES, ...MODEL_FILES]);
  const settings = {
    policies: names,
    firstSeed: options.seed,
    packageVersion,
    runtime: { node: process.version, platform: process.platform, arch: process.arch },
    ...(options.episodes === undefined ? {} : { episodes: options.episodes }),
  };
  const program = { id: programId(), frame: resultFrame(suite.id, settings) };
  const parts = (options.parts ?? []).map((file): [string, Result] => [file, readResult(file)]);
  const store = new PartFiles(folder, program, options.resume ?? false);
  const isResumed = options.resume ?? false;
  const seeds = { counts, firstSeed: options.seed };
  const external = model === undefined ? [] : [await askModel(model, suite, seeds, { folder, isResumed })];
  const result = await withWorkers(suite.id, options.workers, Math.max(...counts), (runner, onProgress) =>
    runSuite(suite, { ...settings, external, store, runner: new LogRunner(runner, program.frame, parts), onProgress }),
  );
  const write = () => {
    writeWhole(join(folder, RUN_FILES[0]), resultPieces(result));
    writeWhole(join(folder, RUN_FILES[1]), renderMarkdown(suite, result));
    store.remove();
  };
  return { result, folder, write };
}

/** A model's files do not lie among those of native policies, or of another model. */
function folderName(suiteId: string, model: ModelToPlay | undefined): string {
  return model === undefined ? suiteId : `${suiteId}-${encodeURIComponent(model.name)}`;
}
