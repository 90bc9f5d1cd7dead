/** What asking a model took: questions, tokens and time. */

import type { KeptAnswer } from "./answer-file.js";

/** Counts of a whole run, with the answers that were kept from earlier ones. */
export interface Usage {
  questions: number;
  /** Questions that an earlier run had asked. */
  keptAnswers: number;
  /** Attempts beyond the first. */
  retries: number;
  promptTokens: number;
  completionTokens: number;
  /** Answers that ended at the limit of tokens. */
  cutAnswers: number;
  /** Sum of the times of all answers, seconds; lanes wait at the same time. */
  answerSeconds: number;
}

export function noUsage(): Usage {
  return {
    questions: 0,
    keptAnswers: 0,
    retries: 0,
    promptTokens: 0,
    completionTokens: 0,
    cutAnswers: 0,
    answerSeconds: 0,
  };
}

export function addAnswer(usage: Usage, { completion, attempts, milliseconds }: KeptAnswer, isKept: boolean): void {
  usage.questions += 1;
  usage.keptAnswers += isKept ? 1 : 0;
  usage.retries += attempts - 1;
  usage.promptTokens += completion.promptTokens;
  usage.completionTokens += completion.completionTokens;
  usage.cutAnswers += completion.isCut ? 1 : 0;
  usage.answerSeconds += milliseconds / 1000;
}
