/** How the profile `comllm-release` reads an answer, and what it thinks of its form. */

/** Larger ids name no server either way. */
const MAX_ACTION = 2147483647;

/**
 * The action an answer names: the number after its first "server", 0 where it names local execution instead, null where
 * it names neither. What the words say about it does not matter: "not server 2" is server 2.
 */
export function readReleaseAnswer(answer: string): number | null {
  const text = answer.toLowerCase().trim();
  const digits = text.match(/(?:边缘服务器|服务器|server)\s*([\d０-９]+)/)?.[1];
  const id = digits === undefined ? 0 : Number(digits.normalize("NFKC"));
  if (id > 0) return Math.min(id, MAX_ACTION);
  return text.includes("本地") || text.includes("local") ? 0 : null;
}

const blamed = ["json", "{", "}", "```", "action_id", "action_name"];
const praised = ["本地", "边缘", "local", "server"];
/** Lengths that are not blamed, in characters; others are by their distance to the middle. */
const LENGTH = { min: 4, max: 30 };

/** The mark for an answer's form, 1.5 at best: short, with a word for a place, and nothing of a data format. */
export function releaseFormatReward(answer: string): number {
  const text = answer.trim().toLowerCase();
  if (text === "") return -2;
  let mark = 0.5;
  for (const word of blamed) if (text.includes(word)) mark -= 0.5;
  // characters as people count them: a letter outside the first 65,536 is one
  const { length } = [...answer.trim()];
  if (length < LENGTH.min || length > LENGTH.max) mark -= Math.abs(length - (LENGTH.min + LENGTH.max) / 2) / 10;
  return mark + (praised.some((word) => text.includes(word)) ? 1 : -1);
}
