/** Finds the name that a misspelt one most likely stands for. */

/** Shortest part of a name that says enough to suggest the whole. */
const MIN_PART = 4;

/** A suggestion to append to what was expected: ` (did you mean numServers?)`; empty if no name is close. */
export function suggestion(name: string, names: readonly string[]): string {
  const nearest = nearestName(name, names);
  return nearest === undefined ? "" : ` (did you mean ${nearest}?)`;
}

/**
 * The name closest to `name`: the same letters and digits, or a few edits away, or the only one that contains it or
 * is contained in it. Undefined if there is none. `engine/nearest.py` is the same rule.
 */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const given = lettersOf(name);
  if (given === "" || given.length > 64) return undefined;
  const distances = names.map((one) => editDistance(given, lettersOf(one)));
  const least = Math.min(...distances);
  if (least <= Math.floor(given.length / 4)) return names[distances.indexOf(least)];
  const related = names.filter((one) => {
    const [short, long] = [given, lettersOf(one)].sort((a, b) => a.length - b.length);
    return short.length >= MIN_PART && long.includes(short);
  });
  return related.length === 1 ? related[0] : undefined;
}

/** Letters and digits in lower case: `Num_Servers` and `numServers` are the same. */
function lettersOf(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, "").toLowerCase();
}

/** Levenshtein's distance: insertions, deletions and replacements. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}
