/** Types of scripts/pages.mjs. */

/** The script of a page, bundled with the simulator and its module. */
export function bundle(entry: string): string;
/** The playground as one text. */
export function playgroundPage(): string;
