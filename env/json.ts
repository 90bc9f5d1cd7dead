/** JSON from outside: parsed only if it is not nested so deeply that reading it would overflow the stack. */

/** Levels of lists and objects that a text may have. Nothing that mecgym writes has more than 16. */
export const MAX_JSON_DEPTH = 64;

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [...'"\\[]{}'].map((c) => c.charCodeAt(0));

/**
 * `JSON.parse` for a text that nobody has checked. A deep value would be parsed, and then overflow the stack of
 * everything that walks it: validation, hashes, messages.
 *
 * @throws SyntaxError if the text is not JSON, or has more than `MAX_JSON_DEPTH` levels
 */
export function parseJson(text: string): unknown {
  if (isTooDeep(text)) throw new SyntaxError(`more than ${MAX_JSON_DEPTH} levels of lists and objects`);
  return JSON.parse(text);
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) return true;
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) depth -= 1;
  }
  return false;
}

/** Where the string that opens at `start` closes; the end of the text if it does not. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let numBackslashes = 0;
    while (text.charCodeAt(end - 1 - numBackslashes) === BACKSLASH) numBackslashes += 1;
    if (numBackslashes % 2 === 0) return end;
  }
  return text.length;
}

/**
 * A copy of JSON data without the fields that are null: tables with columns, as Arrow has them, write null for what is
 * absent. Entries of lists stay, because their place counts.
 */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([, one]) => one !== null);
  return Object.fromEntries(fields.map(([name, one]) => [name, withoutNulls(one)]));
}
