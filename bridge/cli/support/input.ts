/** Reads the files that a command is given, with one clear error for those that cannot be read. */

import { MecgymError } from "../../../env/errors.js";
import { readRegularFile } from "../../keys/regular-file.js";

/** The message of whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * @param path names the file in the error: the argument or option that gave it
 * @throws MecgymError `invalidOption` if the file cannot be read, is not a regular file, or is too large
 */
export function readText(file: string, path: string): string {
  try {
    return readRegularFile(file).toString("utf8");
  } catch (error) {
    throw unreadable(file, path, error);
  }
}

/** The error of a file that cannot be read. */
export function unreadable(file: string, path: string, error: unknown): MecgymError {
  const expected = `a file to read (${reasonOf(error)})`;
  return new MecgymError("invalidOption", { path, got: file, expected });
}
