/** How the profile `comllm-release` reads an answer, and how it marks its form. */

/** No server has a larger id. */
const MAX_ACTION = 2147483647;

/**
 * The action that an answer names: the number after its first "server"; 0 if it names local execution instead; null if
 * it names neither. The words around it do not matter: "not server 2" is server 2.
 */
export function readReleaseAnswer(answer: string): number | null {
  const text = answer.toLowerCase().trim();
  const digits = text.match(/(?:边缘服务器|服务器|server)\s*([\d０-９]+)/)?.[1];
  const id = digits === undefined ? 0 : Number(digits.normalize("NFKC"));
  if (id > 0) return Math.min(id, MAX_ACTION);
  return text.includes("本地") || text.includes("local") ? 0 : null;
}

const penalised = ["json", "{", "}", "```", "action_id", "action_name"];
const rewarded = ["本地", "边缘", "local", "server"];
/** Lengths without a penalty, in characters; for others it grows with the distance to the middle. */
const LENGTH = { min: 4, max: 30 };

/** The mark for an answer's form, at most 1.5: for a short answer with a word for a place and no data format. */
export function releaseFormatReward(answer: string): number {
  const text = answer.trim().toLowerCase();
  if (text === "") return -2;
  let mark = 0.5;
  for (const word of penalised) if (text.includes(word)) mark -= 0.5;
  // counts code points: a character outside the first 65,536 is one
  const { length } = [...answer.trim()];
  if (length < LENGTH.min || length > LENGTH.max) mark -= Math.abs(length - (LENGTH.min + LENGTH.max) / 2) / 10;
  return mark + (rewarded.some((word) => text.includes(word)) ? 1 : -1);
}
