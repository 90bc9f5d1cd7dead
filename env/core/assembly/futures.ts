/** Draws of futures that are only imagined: found by counters, in any order, without a stream. */

const TWO_TO_MINUS_32: f64 = 2.3283064365386963e-10;

/**
 * The uniform draw in [0, 1) that belongs to item `item` of future `sample` at decision `decisionIndex`: two rounds of
 * MurmurHash3's 32-bit finaliser over the keys and the counters.
 */
export function futureUniform(key0: i32, key1: i32, decisionIndex: i32, sample: i32, item: i32): f64 {
  const first = finalise(key0 ^ ((decisionIndex + 1) * 0x9e3779b1));
  const second = first + key1 + (sample + 1) * 0x85ebca77 + item * 0xc2b2ae3d;
  return <f64>(<u32>finalise(second)) * TWO_TO_MINUS_32;
}

/** The same as a word, in units of 2⁻³². */
export function futureWord(key0: i32, key1: i32, decisionIndex: i32, sample: i32, item: i32): u32 {
  return <u32>(<u64>(futureUniform(key0, key1, decisionIndex, sample, item) * 4294967296.0));
}

/** MurmurHash3's 32-bit finaliser (Appleby, public domain): every input bit reaches every output bit. */
function finalise(value: i32): i32 {
  let h = value;
  h = (h ^ (h >>> 16)) * 0x85ebca6b;
  h = (h ^ (h >>> 13)) * 0xc2b2ae35;
  return h ^ (h >>> 16);
}
