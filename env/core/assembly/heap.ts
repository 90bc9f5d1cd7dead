/** Memory beyond the static data: taken from the bottom up, never grown by the module itself. */

// memory.grow detaches every view that a JavaScript host holds. So nothing grows in the middle of a call: what does not
// fit answers NEEDS_ROOM, the host grows the memory between two calls and asks again.

import { Batch, BATCH } from "./batch";
import { IS_CHECKED } from "./canary";

/** Everything begins at a cache line. */
const ALIGNMENT: usize = 64;

/** First byte that nothing uses yet. */
function top(): usize {
  const batch = changetype<Batch>(BATCH);
  return batch.heapTop == 0 ? (__heap_base + ALIGNMENT - 1) & ~(ALIGNMENT - 1) : batch.heapTop;
}

/** `numBytes` rounded up to whole cache lines. */
export function aligned(numBytes: u64): u64 {
  return (numBytes + ALIGNMENT - 1) & ~(<u64>ALIGNMENT - 1);
}

/** Whether `numBytes` more fit; if not, `neededBytes` says how large the memory has to be. */
export function fits(numBytes: u64): bool {
  const needed = <u64>top() + aligned(numBytes);
  if (needed <= <u64>memory.size() << 16) return true;
  changetype<Batch>(BATCH).neededBytes = needed;
  return false;
}

/** Bytes of memory with which `numBytes` more fit. */
export function sizeWith(numBytes: u64): u64 {
  return <u64>top() + aligned(numBytes);
}

/** Room for `numBytes`, not cleared; 0 if there is none. */
export function allocate(numBytes: usize): usize {
  if (!fits(numBytes)) return 0;
  const address = top();
  changetype<Batch>(BATCH).heapTop = address + <usize>aligned(numBytes);
  return address;
}

/** Room for `numBytes` of zeros, which `fits` has promised. */
export function allocateZeros(numBytes: usize): usize {
  const address = allocate(numBytes);
  if (IS_CHECKED) assert(address != 0);
  memory.fill(address, 0, numBytes);
  return address;
}

/**
 * Room for `numBytes` at the end of memory, which lasts until the next call that is no part of the same exchange; 0 if
 * there is none. There is room besides for the task list that a snapshot of so many bytes can hold.
 */
export function borrow(numBytes: usize): usize {
  if (!fits(4 * <u64>numBytes + 4096)) return 0;
  return (<usize>memory.size() << 16) - <usize>aligned(numBytes);
}
