/** The flags of `mecgym serve` that set limits, for the command and for the errors of requests beyond a limit. */

/** The flag that sets a limit: its name with dashes. */
export function flagOf(limit: string): string {
  return `--${limit.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The name of a limit and its flag, as errors give them: whoever meets a limit is told what sets it. */
export function settingOf(limit: string): string {
  return `${limit}, \`mecgym serve ${flagOf(limit)}\``;
}
