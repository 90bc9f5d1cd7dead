/** Numbers that stand for failed answers in bodies. */

import type { ParseFailure } from "../../env/language/parser/parser.js";

/** Values of `parseFailure`; 0 if the answer was read. */
export const failureCodes: Readonly<Record<ParseFailure, number>> = {
  empty: 1,
  noDecision: 2,
  ambiguous: 3,
  unfinishedReasoning: 4,
};

/** The action of an answer that could not be read. No answer can name it. */
export const NO_ACTION = -0x80000000;
