/** The test build's watch over memory: words between lanes and task lists that nobody may write. */

// A wrong offset does not fault: within the module's memory it changes another lane without a word. The test build
// (scripts/build-core.mjs --checked) keeps assertions and puts canaries between lanes; the real build has neither.

/** Whether this is the test build. */
export const IS_CHECKED: bool = !ASC_NO_ASSERT;

/** Bytes of a canary. */
export const CANARY_BYTES: usize = IS_CHECKED ? 64 : 0;
const CANARY_WORD: u64 = 0xdeadbeefcafef00d;

export function writeCanary(address: usize): void {
  for (let i: usize = 0; i < CANARY_BYTES; i += 8) store<u64>(address + i, CANARY_WORD);
}

/** Stops the module if a canary was written to. */
export function checkCanary(address: usize): void {
  for (let i: usize = 0; i < CANARY_BYTES; i += 8) assert(load<u64>(address + i) == CANARY_WORD);
}
