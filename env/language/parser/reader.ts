/** Goes through an answer phrase by phrase, and finds what it decides. */

import type { ParseResult } from "./parser.js";
import { numberIn, numbersIn, type TokenKind, tokenKinds, tokenPattern } from "./tokens.js";

/** One action named somewhere in a phrase. */
interface Mention {
  /** NaN where any server is meant ("Server k"). */
  readonly action: number;
  readonly start: number;
  readonly end: number;
  isNegated: boolean;
  readonly isHypothetical: boolean;
  /** Whether it is a reason for what was named before it ("…, because Server 2 is busy"), or has something ("Server 2's queue"). */
  readonly isAside: boolean;
  /** Whether the phrase presents it as the decision. */
  isDecision: boolean;
  /** Whether it is one of several alternatives. */
  isAlternative: boolean;
}

/** `bare` counts where the phrase ends after the action. */
type Cue = "none" | "bare" | "weak" | "medium" | "strong";

/** Characters between two servers that still make them alternatives, and between "so" and what follows from it. */
const MAX_JOIN_GAP = 24;
const MAX_LIST_GAP = 8;
const MAX_WEAK_GAP = 12;
/** A longer phrase is not a decision alone. */
const MAX_ALONE = 80;

/** Goes through a text phrase by phrase. */
export class Reader {
  readonly #text: string;
  #phraseStart = 0;
  #mentions: Mention[] = [];
  #clauseStart = 0;
  #cue: Cue = "none";
  #cueEnd = 0;
  #isNegated = false;
  #isHypothetical = false;
  /** Whether an "if" stands in this clause, and whether one before it named an action, so that all that follows depends on it. */
  #isIf = false;
  #isConditional = false;
  #isEvaluation = false;
  #isJoined = false;
  /** Where a reason for what was named before begins; NaN where none does. */
  #reasonStart = Number.NaN;
  /** The last decision stated as one. */
  #decision: number | undefined;
  /** The one action that is named without being called a decision; NaN where there are several. */
  #named: number | undefined;
  #hasAlternatives = false;

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads from where a phrase begins to where one ends. */
  read(start: number, end: number): void {
    this.#clear(start);
    this.#cueEnd = start;
    // matchAll would make the expression anew for every text, which takes longer than most texts do
    tokenPattern.lastIndex = start;
    for (let match = tokenPattern.exec(this.#text); match !== null; match = tokenPattern.exec(this.#text)) {
      if (match.index >= end) break;
      const kind = kindOf(match);
      this.#take(kind, match[0], match.index, match.index + match[0].length);
      // the next token could be far
      if (tokenPattern.lastIndex >= end) break;
    }
    this.#endPhrase(end, false);
  }

  /** Whether what was read states a decision. */
  get hasDecision(): boolean {
    return this.#decision !== undefined;
  }

  /** What was read so far says. */
  result(): ParseResult {
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
      case "several":
        for (const number of numbersIn(token)) {
          this.#mention(number || -1, start, end);
          this.#isJoined = true;
        }
        this.#isJoined = false;
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
      case "contrast":
        this.#endClause();
        this.#isConditional = false;
        this.#isHypothetical = false;
        this.#reasonStart = Number.NaN;
        // "not Server 3, but Server 2"
        if (this.#mentions.at(-1)?.isNegated) this.#setCue("bare", end);
        break;
      case "reason":
        this.#endClause();
        if (this.#mentions.length > 0) this.#reasonStart = start;
        break;
      case "negation":
        this.#isNegated = true;
        break;
      case "hypothesis":
        this.#isHypothetical = true;
        this.#isIf ||= /^(?:if|如果|若|假)/.test(token);
        break;
      case "weak":
        // "not … so …": what is negated stands before
        if (this.#isNegated) this.#endClause();
        this.#isConditional = false;
        this.#isHypothetical = false;
        this.#setCue(kind, end);
        break;
      case "evaluation":
        this.#isEvaluation = true;
        break;
      case "join":
        this.#isJoined = true;
        break;
      case "blame":
        this.#blame();
        break;
      case "verdict":
        this.#judge(token, end);
        break;
      default:
        this.#setCue(kind, end);
    }
  }

  #setCue(cue: Cue, end: number): void {
    this.#cue = cue;
    this.#cueEnd = end;
  }

  /** A decision in a form that is nothing else: a field of an object, or a call. */
  #state(action: number, end: number): void {
    this.#clear(end);
    this.#decision = action;
  }

  #mention(action: number, start: number, end: number): void {
    const last = this.#mentions.at(-1);
    // a cue from before the reason speaks of what comes after it
    const isReason = this.#reasonStart >= this.#cueEnd;
    const isCued = this.#isCued(start, end) && !(this.#cue !== "none" && isReason);
    const mention: Mention = {
      action,
      start,
      end,
      isNegated: this.#isNegated,
      isHypothetical: this.#isHypothetical || Number.isNaN(action),
      isAside: isReason || /^(?:['’]s |的)/.test(this.#text.slice(end, end + 3)),
      isDecision: isCued,
      isAlternative: false,
    };
    if (this.#isJoined && last !== undefined && start - last.end <= MAX_JOIN_GAP && last.action !== action) {
      mention.isNegated ||= last.isNegated;
      mention.isDecision ||= last.isDecision;
      mention.isAlternative = true;
      last.isAlternative = true;
    } else if (last !== undefined && this.#isListed(last, mention)) {
      mention.isAlternative = true;
      last.isAlternative = true;
    }
    this.#mentions.push(mention);
    this.#isConditional ||= this.#isIf;
    this.#cue = "none";
    this.#isNegated = false;
    this.#isJoined = false;
  }

  /** "Server 2, Server 5": nothing between two servers but signs. */
  #isListed(last: Mention, mention: Mention): boolean {
    const gap = mention.start - last.end;
    if (gap < 0 || gap > MAX_LIST_GAP || !(last.action > 0 && mention.action > 0)) return false;
    if (last.action === mention.action || last.isNegated || last.isHypothetical || mention.isNegated) return false;
    return !/[\p{L}\p{N}]/u.test(this.#text.slice(last.end, mention.start));
  }

  #isCued(start: number, end: number): boolean {
    if (this.#cue === "strong") return true;
    if (this.#cue === "bare") return /^[*_`"') ]{0,4}(?:[.,;!。；\n]|$)/.test(this.#text.slice(end, end + 5));
    if (this.#cue === "weak") return start - this.#cueEnd <= MAX_WEAK_GAP;
    return (
      this.#cue === "medium" && !/^(?:的|\s?(?:takes?|costs?|would|延迟|[:=]))/.test(this.#text.slice(end, end + 8))
    );
  }

  /** "… is the best": what was named last in this clause is the decision; where nothing was, what is named next. */
  #judge(token: string, end: number): void {
    const last = this.#mentions.at(-1);
    if (this.#isNegated) return;
    if (last !== undefined && last.start >= this.#clauseStart) last.isDecision = true;
    else if (/(?:best|optimal|answer|choice|decision|pick|chosen|selected|picked|preferred|recommended)$/.test(token)) {
      this.#setCue("strong", end);
    }
  }

  /** "… is too slow": what was named last in this clause is not the decision, or else what is named next. */
  #blame(): void {
    const last = this.#mentions.at(-1);
    if (last === undefined || last.start < this.#clauseStart) this.#isNegated = true;
    else if (!last.isDecision) {
      last.isNegated = !this.#isNegated;
      this.#isNegated = false;
    }
  }

  #endClause(): void {
    const last = this.#mentions.at(-1);
    // "Local is not good": the negation has nothing after it, so it means what stands before
    if (this.#isNegated && last !== undefined && last.start >= this.#clauseStart && !last.isDecision) {
      last.isNegated = true;
    }
    this.#isNegated = false;
    this.#isHypothetical = this.#isConditional;
    this.#isIf = false;
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
    this.#isIf = false;
    this.#isConditional = false;
    this.#isEvaluation = false;
    this.#isJoined = false;
    this.#reasonStart = Number.NaN;
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
    const others = candidates.filter((one) => !one.isAside);
    if (others.length === 0) return;
    const named = preferServer(others);
    const isOnlyOne = others.every(({ action }) => action === named || action === 0);
    if (isOnlyOne && this.#isAlone(end)) this.#decision = named;
    else if (!this.#isEvaluation && !this.#isDescription()) {
      const isSame = isOnlyOne && (this.#named === undefined || this.#named === named);
      this.#named = isSame ? named : Number.NaN;
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

function kindOf(match: RegExpExecArray): TokenKind {
  for (let group = 1; group < match.length; group++) if (match[group] !== undefined) return tokenKinds[group - 1];
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
