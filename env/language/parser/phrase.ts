/** What a phrase says, once all the actions that it names are known. */

/** One action named somewhere in a phrase. */
export interface Mention {
  /** NaN if any server is meant ("Server k"). */
  readonly action: number;
  readonly start: number;
  readonly end: number;
  isNegated: boolean;
  readonly isHypothetical: boolean;
  /**
   * Whether it gives a reason for an earlier mention ("…, because Server 2 is busy") or owns something ("Server 2's
   * queue").
   */
  readonly isAside: boolean;
  /** Whether the phrase presents it as the decision. */
  isDecision: boolean;
  /** Whether it is one of several alternatives. */
  isAlternative: boolean;
}

/** A phrase that has been read to its end. */
export interface Phrase {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** At least one. */
  readonly mentions: readonly Mention[];
  readonly isQuestion: boolean;
  /** Whether it compares or calculates instead of deciding. */
  readonly isEvaluation: boolean;
}

/** What a phrase says; it can say several of these things, or none. */
export interface Conclusion {
  /** The decision that it states. */
  readonly decision?: number;
  /** The one action that it names without calling it a decision; NaN if it names several. */
  readonly named?: number;
  /** Whether it names several servers as alternatives. */
  readonly hasAlternatives: boolean;
}

/** A longer phrase is not a bare decision. */
const MAX_ALONE = 80;

/** What a phrase that names actions says. */
export function conclude(phrase: Phrase): Conclusion {
  const { mentions } = phrase;
  const servers = new Set(mentions.filter(isServerAlternative).map(({ action }) => action));
  const hasAlternatives = servers.size > 1;
  if (phrase.isQuestion) return { hasAlternatives };
  // "Local or Server k": an alternative to something that is not named
  const isOpen = mentions.some((one) => one.isAlternative && Number.isNaN(one.action));
  const isUndecided = hasAlternatives || isOpen;
  const candidates = mentions.filter(
    (one) => !one.isNegated && !one.isHypothetical && !(one.isAlternative && isUndecided),
  );
  const decisions = candidates.filter((one) => one.isDecision);
  if (decisions.length > 0) return { decision: preferServer(decisions), hasAlternatives: false };
  const others = candidates.filter((one) => !one.isAside);
  if (others.length === 0) return { hasAlternatives };
  const named = preferServer(others);
  const isOnlyOne = others.every(({ action }) => action === named || action === 0);
  if (isOnlyOne && isAlone(phrase)) return { decision: named, hasAlternatives };
  if (phrase.isEvaluation || isDescription(phrase)) return { hasAlternatives };
  return { named: isOnlyOne ? named : Number.NaN, hasAlternatives };
}

/** Whether the phrase is an action with nothing but punctuation and mark-up around it. */
function isAlone({ text, start, end, mentions }: Phrase): boolean {
  if (mentions.length !== 1 || end - start > MAX_ALONE) return false;
  const [mention] = mentions;
  const before = text.slice(start, mention.start);
  const after = text.slice(mention.end, end);
  return /^(?:[^\p{L}\p{N}]|boxed|text|mathrm|\d\. )*$/u.test(before) && /^[^\p{L}\p{N}:]*$/u.test(after);
}

/** "Server 1: …" describes a server. */
function isDescription({ text, mentions }: Phrase): boolean {
  return mentions.every(({ end }) => /^[*_`\s]{0,4}:/.test(text.slice(end, end + 5)));
}

function isServerAlternative(mention: Mention): boolean {
  return mention.isAlternative && mention.action > 0;
}

/** The last server among them, or local execution if there is none. */
function preferServer(mentions: readonly Mention[]): number {
  for (let i = mentions.length - 1; i >= 0; i--) if (mentions[i].action !== 0) return mentions[i].action;
  return 0;
}
