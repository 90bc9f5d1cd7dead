/** Short names for the operations on two doubles at once, and constants for them. */

// The constants stand in memory, each twice: the compilers of wasm engines build a vector constant again wherever one
// is written.

// prettier-ignore
const CONSTANTS: usize = memory.data<f64>([
  1, 1, 1048576, 1048576, 1.1641532182693481e-10, 1.1641532182693481e-10, 1e-12, 1e-12,
], 16);
const INDICES: usize = memory.data<i64>([1, 2, 2, 2], 16);

/** 1. */
// @ts-ignore: decorator
@inline
export function ones(): v128 {
  return v128.load(CONSTANTS);
}
/** 2^20. */
// @ts-ignore: decorator
@inline
export function twoTo20(): v128 {
  return v128.load(CONSTANTS, 16);
}
/** 2^-33: half a step of the generator. */
// @ts-ignore: decorator
@inline
export function halfStep(): v128 {
  return v128.load(CONSTANTS, 32);
}
/** Work that is done if it is no more, Mbit. */
// @ts-ignore: decorator
@inline
export function tolerances(): v128 {
  return v128.load(CONSTANTS, 48);
}
/** The integers 1 and 2, and 2 and 2. */
// @ts-ignore: decorator
@inline
export function firstActions(): v128 {
  return v128.load(INDICES);
}
// @ts-ignore: decorator
@inline
export function actionsOfPair(): v128 {
  return v128.load(INDICES, 16);
}

// @ts-ignore: decorator
@inline
export function add(a: v128, b: v128): v128 {
  return f64x2.add(a, b);
}
// @ts-ignore: decorator
@inline
export function sub(a: v128, b: v128): v128 {
  return f64x2.sub(a, b);
}
// @ts-ignore: decorator
@inline
export function mul(a: v128, b: v128): v128 {
  return f64x2.mul(a, b);
}
// @ts-ignore: decorator
@inline
export function div(a: v128, b: v128): v128 {
  return f64x2.div(a, b);
}
/** Of each half `a` if `mask` is all ones there, `b` if it is all zeros. */
// @ts-ignore: decorator
@inline
export function select(mask: v128, a: v128, b: v128): v128 {
  return v128.bitselect(a, b, mask);
}
