/** What the parser finds in a completion: an action, or the reason why there is none. */

/** Why a completion holds no decision. */
export type ParseFailure =
  /** Nothing but white space. */
  | "empty"
  /** No decision is stated. */
  | "noDecision"
  /** Several servers are named as alternatives. */
  | "ambiguous"
  /** It ends within its reasoning. */
  | "unfinishedReasoning";

/** Either an action, which need not exist (12 with 11 servers, −1 for a server 0), or a failure. */
export type ParseResult = { readonly action: number } | { readonly failure: ParseFailure };
