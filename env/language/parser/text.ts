/** What is done to a completion before it is read: one shape for each letter, and without its reasoning. */

/** Lower case, with full-width letters, digits and signs and circled digits as their usual forms, without what is invisible. */
export function normalise(text: string): string {
  if (!/[^\0-\x7f]/.test(text)) return text.toLowerCase();
  return text
    .replace(/[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]/g, "")
    .replace(/[\u2460-\u2473]/g, (character) => ` ${character.charCodeAt(0) - 0x245f}`)
    .replace(/[\uff01-\uff5e]/g, (character) => String.fromCharCode(character.charCodeAt(0) - 0xfee0))
    .replace(/\u3000/g, " ")
    .toLowerCase();
}

const reasoningMarks = [
  ...["think", "thinking", "thought", "reasoning"].map((name) => [`<${name}>`, `</${name}>`]),
  ["◁think▷", "◁/think▷"],
];

/** Whether a text has a sign that a mark of reasoning begins with, in any form of it. */
export function mayHoldMarks(text: string): boolean {
  return text.includes("<") || text.includes("＜") || text.includes("◁");
}

/** What follows the reasoning; undefined where the reasoning does not end. */
export function afterReasoning(text: string): string | undefined {
  if (!mayHoldMarks(text)) return text;
  const ends = reasoningMarks.map(([, close]) => {
    const at = text.lastIndexOf(close);
    return at < 0 ? 0 : at + close.length;
  });
  const rest = text.slice(Math.max(...ends));
  return reasoningMarks.some(([open]) => rest.includes(open)) ? undefined : rest;
}
