/** Ids of sessions and jobs in texts: whoever knows one can use it, so texts show only its first digits. */

/**
 * 32 hexadecimal digits or somewhat more, and what is left of them at the place where a text was cut. A SHA-256 has 64
 * digits and stays. Six digits are enough to tell ids apart.
 */
const SECRET_ID = /(?<![0-9a-f])([0-9a-f]{6})(?:[0-9a-f]{26,57}(?![0-9a-f])|[0-9a-f]{2,25}(?=…))/g;

/** The text with its ids shortened. */
export function redact(text: string): string {
  return text.replace(SECRET_ID, "$1…");
}
