/** The text of a result file. */

import type { Result } from "../../schemas/generated/types.js";

/** The text of a result file, a policy at a time: all action logs together may be longer than a string can be. */
export function* resultPieces({ settings, ...frame }: Result): Generator<string> {
  const open = (fields: object, list: string) => `${JSON.stringify(fields).slice(0, -1)},"${list}":[`;
  yield open(frame, "settings");
  for (const [i, { policies: results, ...setting }] of settings.entries()) {
    yield `${i === 0 ? "" : ","}${open(setting, "policies")}`;
    for (const [j, one] of results.entries()) yield `${j === 0 ? "" : ","}${JSON.stringify(one)}`;
    yield "]}";
  }
  yield "]}\n";
}
