/** Reads a decision from what a language model wrote: an action, or the reason why there is none. */

import { numberIn, type TokenKind, tokenPattern } from "./parser-tokens.js";

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

/** Either an action, which need not exist (12 where there are 11 servers, −1 for a server 0), or a failure. */
export type ParseResult = { readonly action: number } | { readonly failure: ParseFailure };

/** One action named somewhere in a phrase. */
interface Mention {
  /** NaN where any server is meant ("Server k"). */
  readonly action: number;
  readonly start: number;
  readonly end: number;
  isNegated: boolean;
  isHypothetical: boolean;
  /** Whether the phrase presents it as the decision. */
  isDecision: boolean;
  /** Whether it is one of several alternatives. */
  isAlternative: boolean;
}

type Cue = "none" | "weak" | "medium" | "strong";

/** Characters between two servers that still make them alternatives, and between "so" and what follows from it. */
const MAX_JOIN_GAP = 24;
const MAX_WEAK_GAP = 12;
/** A longer phrase is not a decision alone. */
const MAX_ALONE = 80;

/**
 * Reads the decision of a completion, English or Chinese, by the rules of docs/prompts.md: the last stated decision
 * counts; where one phrase names a server and local execution, the server does; a digit alone is no decision.
 *
 * It does not know how many servers there are: whether the action exists is the caller's to check. Time and memory are
 * linear in the length of the text.
 */
export function parseCompletion(completion: string): ParseResult {
  const text = normalise(completion);
  if (text.trim() === "") return { failure: "empty" };
  const answer = afterReasoning(text);
  if (answer === undefined) return { failure: "unfinishedReasoning" };
  return new Reader(answer).read();
}

/** Lower case, with full-width letters, digits and signs as their usual forms. */
function normalise(text: string): string {
  return text
    .replace(/[\uff01-\uff5e]/g, (character) => String.fromCharCode(character.charCodeAt(0) - 0xfee0))
    .replace(/\u3000/g, " ")
    .toLowerCase();
}

/** What follows the reasoning; undefined where the reasoning does not end. */
function afterReasoning(text: string): string | undefined {
  const end = text.lastIndexOf("</think>");
  const rest = end < 0 ? text : text.slice(end + "</think>".length);
  return rest.includes("<think>") ? undefined : rest;
}

/** Goes through a text once, phrase by phrase. */
class Reader {
  readonly #text: string;
  #phraseStart = 0;
  #mentions: Mention[] = [];
  #clauseStart = 0;
  #cue: Cue = "none";
  #cueEnd = 0;
  #isNegated = false;
  #isHypothetical = false;
  #isEvaluation = false;
  #isJoined = false;
  /** The last decision stated as one. */
  #decision: number | undefined;
  /** The one action that is named without being called a decision; NaN where there are several. */
  #named: number | undefined;
  #hasAlternatives = false;

  constructor(text: string) {
    this.#text = text;
  }

  read(): ParseResult {
    for (const match of this.#text.matchAll(tokenPattern)) {
      const kind = kindOf(match.groups as Record<string, string | undefined>);
      this.#take(kind, match[0], match.index, match.index + match[0].length);
    }
    this.#endPhrase(this.#text.length, false);
    if (this.#decision !== undefined) return { action: this.#decision };
    if (this.#hasAlternatives) return { failure: "ambiguous" };
    if (this.#named === undefined || Number.isNaN(this.#named)) return { failure: "noDecision" };
    return { action: this.#named };
  }

  #take(kind: TokenKind, token: string, start: number, end: number): void {
    switch (kind) {
      case "call":
      case "field":
        this.#state(kind === "call" && !/\d/.test(token) ? 0 : fieldAction(token), end);
        break;
      case "localFlag":
        if (token.endsWith("true")) this.#state(0, end);
        break;
      case "placeholder":
        this.#mention(Number.NaN, start, end);
        break;
      case "server":
        this.#mention(numberIn(token) || -1, start, end);
        break;
      case "local":
        this.#mention(0, start, end);
        break;
      case "question":
        this.#endPhrase(start, true);
        this.#phraseStart = end;
        break;
      case "correction":
      case "end":
        this.#endPhrase(start, false);
        this.#phraseStart = end;
        break;
      case "clause":
        this.#endClause();
        break;
      case "negation":
        this.#isNegated = true;
        break;
      case "hypothesis":
        this.#isHypothetical = true;
        break;
      case "evaluation":
        this.#isEvaluation = true;
        break;
      case "join":
        this.#isJoined = true;
        break;
      case "verdict":
        this.#judge();
        break;
      default:
        this.#cue = kind;
        this.#cueEnd = end;
    }
  }

  /** A decision in a form that is nothing else: a field of an object, or a call. */
  #state(action: number, end: number): void {
    this.#clear(end);
    this.#decision = action;
  }

  #mention(action: number, start: number, end: number): void {
    const last = this.#mentions.at(-1);
    const mention: Mention = {
      action,
      start,
      end,
      isNegated: this.#isNegated,
      isHypothetical: this.#isHypothetical || Number.isNaN(action),
      isDecision: this.#isCued(start, end),
      isAlternative: false,
    };
    if (this.#isJoined && last !== undefined && start - last.end <= MAX_JOIN_GAP && last.action !== action) {
      mention.isNegated ||= last.isNegated;
      mention.isDecision ||= last.isDecision;
      mention.isAlternative = true;
      last.isAlternative = true;
    }
    this.#mentions.push(mention);
    this.#cue = "none";
    this.#isNegated = false;
    this.#isJoined = false;
  }

  #isCued(start: number, end: number): boolean {
    if (this.#cue === "strong") return true;
    if (this.#cue === "weak") return start - this.#cueEnd <= MAX_WEAK_GAP;
    return (
      this.#cue === "medium" && !/^(?:的|\s?(?:takes?|costs?|would|延迟|[:=]))/.test(this.#text.slice(end, end + 8))
    );
  }

  /** "… is the best": what was named last in this clause is the decision. */
  #judge(): void {
    const last = this.#mentions.at(-1);
    if (last !== undefined && last.start >= this.#clauseStart && !this.#isNegated) last.isDecision = true;
  }

  #endClause(): void {
    const last = this.#mentions.at(-1);
    // "Local is not good": the negation has nothing after it, so it means what stands before
    if (this.#isNegated && last !== undefined && last.start >= this.#clauseStart && !last.isDecision) {
      last.isNegated = true;
    }
    this.#isNegated = false;
    this.#isHypothetical = false;
    this.#clauseStart = last === undefined ? this.#clauseStart : last.end;
  }

  #endPhrase(end: number, isQuestion: boolean): void {
    this.#endClause();
    if (this.#mentions.length > 0) this.#conclude(end, isQuestion);
    this.#clear(end);
  }

  #clear(end: number): void {
    this.#mentions = [];
    this.#phraseStart = end;
    this.#clauseStart = end;
    this.#cue = "none";
    this.#isNegated = false;
    this.#isHypothetical = false;
    this.#isEvaluation = false;
    this.#isJoined = false;
  }

  /** What a phrase that names actions says. */
  #conclude(end: number, isQuestion: boolean): void {
    const servers = new Set(this.#mentions.filter(isServerAlternative).map(({ action }) => action));
    const hasAlternatives = servers.size > 1;
    // "Local or Server k": an alternative to something that is not named
    const isOpen = this.#mentions.some((one) => one.isAlternative && Number.isNaN(one.action));
    const isUndecided = hasAlternatives || isOpen;
    const candidates = this.#mentions.filter(
      (one) => !one.isNegated && !one.isHypothetical && !(one.isAlternative && isUndecided),
    );
    if (isQuestion) {
      this.#hasAlternatives ||= hasAlternatives;
      return;
    }
    const decisions = candidates.filter((one) => one.isDecision);
    if (decisions.length > 0) {
      this.#decision = preferServer(decisions);
      return;
    }
    this.#hasAlternatives ||= hasAlternatives;
    if (candidates.length === 0) return;
    const named = preferServer(candidates);
    if (this.#isAlone(end)) this.#decision = named;
    else if (!this.#isEvaluation && !this.#isDescription()) {
      this.#named = this.#named === undefined || this.#named === named ? named : Number.NaN;
    }
  }

  /** Whether the phrase is an action and nothing else but signs and mark-up. */
  #isAlone(end: number): boolean {
    if (this.#mentions.length !== 1 || end - this.#phraseStart > MAX_ALONE) return false;
    const [{ start, end: mentionEnd }] = this.#mentions;
    const before = this.#text.slice(this.#phraseStart, start);
    const after = this.#text.slice(mentionEnd, end);
    return /^(?:[^\p{L}\p{N}]|boxed|text|mathrm|\d\. )*$/u.test(before) && /^[^\p{L}\p{N}:]*$/u.test(after);
  }

  /** "Server 1: …" tells something about a server. */
  #isDescription(): boolean {
    return this.#mentions.every(({ end }) => /^[*_`\s]{0,4}:/.test(this.#text.slice(end, end + 5)));
  }
}

function kindOf(groups: Record<string, string | undefined>): TokenKind {
  for (const kind in groups) if (groups[kind] !== undefined) return kind as TokenKind;
  throw new Error("a match without a group");
}

/** The action of `"action": 3` or `"server": 3`: a server 0 does not exist, action 0 is local execution. */
function fieldAction(token: string): number {
  if (/-\d+\D*$/.test(token)) return -1;
  const action = numberIn(token);
  return action === 0 && /server|target|offload/.test(token) ? -1 : action;
}

function isServerAlternative(mention: Mention): boolean {
  return mention.isAlternative && mention.action > 0;
}

/** The last server among them, or local execution where there is none. */
function preferServer(mentions: readonly Mention[]): number {
  for (let i = mentions.length - 1; i >= 0; i--) if (mentions[i].action !== 0) return mentions[i].action;
  return 0;
}
