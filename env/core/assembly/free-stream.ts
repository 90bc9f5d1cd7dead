/** A stream for the host, apart from those of the lanes: seeded with any name. */

import { drawUniform } from "./alea";
import { Stream } from "./lane";
import { NAME, seedWithName } from "./seeding";
import { fail, INVALID_OPTION } from "./status";

/** Seeds the stream with the first `length` bytes of `NAME`. */
export function seedStream(length: i32): i32 {
  if (<u32>length > 256) return fail(INVALID_OPTION, "name", -1, length, 0, 256);
  seedWithName(changetype<Stream>(HOST_STREAM), NAME, length);
  return 0;
}

/** Its next number in [0, 1). */
export function drawStream(): f64 {
  return drawUniform(changetype<Stream>(HOST_STREAM));
}

/** Not the one that the module uses for names of its own. */
const HOST_STREAM: usize = memory.data(16, 8);
