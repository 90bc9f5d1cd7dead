/** Reads and replays result files, for the commands that take them. */

import { parseResult } from "../../../benchmarks/result-file.js";
import { type VerifyReport, verifyResult } from "../../../benchmarks/runs/verify.js";
import { MecgymError } from "../../../env/errors.js";
import type { Result } from "../../../schemas/generated/types.js";
import { readRegularFile } from "../../keys/regular-file.js";
import { reasonOf } from "./input.js";
import { withWorkers } from "./workers.js";

/** @throws MecgymError `invalidRecord` if the file cannot be read or does not hold a result */
export function readResult(file: string): Result {
  let text: string;
  try {
    text = readRegularFile(file).toString("utf8");
  } catch (error) {
    const expected = `a file to read (${reasonOf(error)})`;
    throw new MecgymError("invalidRecord", { path: file, got: "no text", expected });
  }
  return parseResult(text, file);
}

/** Replays one file with a pool of threads and a progress bar. */
export function verifyFile(file: string, numWorkers: number | undefined): Promise<VerifyReport> {
  const result = readResult(file);
  const consequence = `${file} is neither verified nor refuted`;
  const most = Math.max(...result.settings.map(({ seeds, policies }) => seeds.count * (policies.length + 1)));
  return withWorkers(
    `verify ${result.suite}`,
    numWorkers,
    most,
    (runner, onProgress) => verifyResult(result, { runner, onProgress }),
    consequence,
  );
}
