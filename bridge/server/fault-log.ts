/** Reports the server's own faults: each kind once with its stack, and then only how often it has come. */

type Log = (event: string, details: Record<string, unknown>) => void;

/** Kinds of faults that are told apart. */
const MAX_KINDS = 256;

/**
 * A function that reports a fault. A request that fails can be sent a million times, so a fault that is known is
 * reported when it has come 10, 100, 1,000, … times.
 */
export function faultLog(log: Log): (error: unknown) => void {
  const counts = new Map<string, number>();
  return (error) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    // the message may hold a number of the request; where the fault happened does not change
    const place = /\n\s+at .*/.exec(text)?.[0].trim() ?? text;
    const kind = counts.has(place) || counts.size < MAX_KINDS ? place : "others";
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    if (count === 1) log("internal error", { error: text });
    else if (isPowerOfTen(count)) log("internal error", { error: text.split("\n", 1)[0], place: kind, count });
  };
}

function isPowerOfTen(count: number): boolean {
  return /^10+$/.test(String(count));
}
