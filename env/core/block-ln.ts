/** The logarithm of a block of numbers at once: two at a time in WebAssembly where there is any, with the bits of `ln`. */

import { LN_EVEN, LN_ODD, LN2_HIGH, LN2_LOW, ln, lnInPlace, wordsOf } from "../math.js";
import {
  and,
  anyTrue,
  assemble,
  type Code,
  ConstantPool,
  F64,
  f64Add,
  f64Div,
  f64Mul,
  f64Splat,
  f64Sub,
  I32,
  i32Add,
  i32LessUnsigned,
  i32Small,
  i64Add,
  i64GreaterSigned,
  i64Sub,
  load,
  localGet,
  localSet,
  or,
  repeatWhile,
  select,
  shiftLeft,
  shiftRight,
  store,
  when,
} from "./wasm.js";

/** Numbers that a block has room for. */
export const BLOCK_LENGTH = 2048;

/** A block of numbers, and their logarithms in place. */
export interface LnBlock {
  readonly values: Float64Array;
  /**
   * values[i] ← ln(a + b·values[i]) for `length` entries from `first` on; each argument of the logarithm in the domain
   * of `ln` and below 2^1022.
   */
  readonly lnOfAffine: (first: number, length: number, a: number, b: number) => void;
}

/** The same in TypeScript alone: where there is no WebAssembly, and what it is tested against. */
export function plainBlock(): LnBlock {
  const values = new Float64Array(BLOCK_LENGTH);
  const words = wordsOf(values);
  const lnOfAffine = (first: number, length: number, a: number, b: number) => {
    for (let i = first; i < first + length; i++) values[i] = a + b * values[i];
    lnInPlace(values, words, length, first);
  };
  return { values, lnOfAffine };
}

/** @throws WebAssembly.CompileError, ReferenceError and others where it cannot be had */
export function wasmBlock(): LnBlock {
  const pool = new ConstantPool(8 * BLOCK_LENGTH);
  const module = new WebAssembly.Module(assemble([I32, I32, F64, F64], NUM_VECTORS, lnCode(pool)));
  const { exports } = new WebAssembly.Instance(module);
  const run = exports.run as (first: number, end: number, a: number, b: number) => void;
  const { buffer } = exports.memory as WebAssembly.Memory;
  pool.write(buffer);
  const values = new Float64Array(buffer, 0, BLOCK_LENGTH);
  const words = wordsOf(values);
  const lnOfAffine = (first: number, length: number, a: number, b: number) => {
    const pairs = length & -2;
    if (pairs > 0) run(8 * first, 8 * (first + pairs), a, b);
    if (pairs === length) return;
    const last = first + pairs;
    values[last] = a + b * values[last];
    lnInPlace(values, words, 1, last);
  };
  return { values, lnOfAffine };
}

/** Parameters and locals of the function below. */
const [at, end, a, b, va, vb, x, high, mantissa, biased, k, f, s, z, w, half, r, kLow, rest] = Array(19).keys();
const NUM_VECTORS = 15;

const TWO_TO_52 = 0x10000000000000;

/** The steps of `ln`, on two numbers at a time; where it takes one branch or the other, both are computed. */
function lnCode(pool: ConstantPool): Code[] {
  const get = localGet;
  const double = (value: number) => pool.double(value);
  const integer = (value: number) => pool.integer(BigInt(value));
  /** c0 + w·(c1 + w·(…)). */
  const polynomial = ([first, ...others]: readonly number[]): Code =>
    others.length === 0 ? double(first) : f64Add(double(first), f64Mul(get(w), polynomial(others)));
  const isBetween = (value: Code, low: number, top: number) =>
    and(i64GreaterSigned(value, integer(low - 1)), i64GreaterSigned(integer(top + 1), value));
  const twoTo52 = pool.double(TWO_TO_52);
  const log: Code[] = [
    localSet(x, f64Add(get(va), f64Mul(get(vb), load(get(at))))),
    localSet(high, shiftRight(get(x), 32)),
    localSet(mantissa, and(get(high), integer(0xfffff))),
    localSet(biased, shiftRight(i64Add(get(high), integer(0x95f64)), 20)),
    // an integer below 2^52 in the low bits of the double 2^52 adds itself to it
    localSet(k, f64Sub(or(get(biased), twoTo52), double(TWO_TO_52 + 1023))),
    localSet(f, f64Sub(f64Mul(get(x), shiftLeft(i64Sub(integer(2046), get(biased)), 52)), double(1))),
    localSet(s, f64Div(get(f), f64Add(double(2), get(f)))),
    localSet(z, f64Mul(get(s), get(s))),
    localSet(w, f64Mul(get(z), get(z))),
    localSet(r, f64Add(f64Mul(get(z), polynomial(LN_EVEN)), f64Mul(get(w), polynomial(LN_ODD)))),
    localSet(kLow, f64Mul(get(k), double(LN2_LOW))),
    localSet(rest, f64Sub(f64Mul(get(s), f64Sub(get(f), get(r))), get(kLow))),
    localSet(z, isBetween(get(mantissa), 0x6147a, 0x6b851)),
    when(anyTrue(get(z)), [
      localSet(half, f64Mul(f64Mul(double(0.5), get(f)), get(f))),
      localSet(
        rest,
        select(f64Sub(get(half), f64Add(f64Mul(get(s), f64Add(get(half), get(r))), get(kLow))), get(rest), get(z)),
      ),
    ]),
    // next to a power of two: the short series
    localSet(z, i64GreaterSigned(integer(3), and(i64Add(get(mantissa), integer(2)), integer(0xfffff)))),
    when(anyTrue(get(z)), [
      localSet(r, f64Mul(f64Mul(get(f), get(f)), f64Sub(double(0.5), f64Mul(double(0.3333333333333333), get(f))))),
      localSet(rest, select(f64Sub(get(r), get(kLow)), get(rest), get(z))),
    ]),
    store(get(at), f64Sub(f64Mul(get(k), double(LN2_HIGH)), f64Sub(get(rest), get(f)))),
    localSet(at, i32Add(get(at), i32Small(16))),
  ];
  return [
    localSet(va, f64Splat(get(a))),
    localSet(vb, f64Splat(get(b))),
    repeatWhile(i32LessUnsigned(get(at), get(end)), log),
  ];
}

function bestBlock(): LnBlock {
  try {
    const block = wasmBlock();
    // wrong where the machine's bytes are in another order than WebAssembly's
    block.values.fill(0.3, 0, 2);
    block.lnOfAffine(0, 2, 0, 1);
    if (block.values[0] === ln(0.3) && block.values[1] === ln(0.3)) return block;
  } catch {
    // there is none, or a browser's policy forbids it
  }
  return plainBlock();
}

/** The block that everything on this thread computes in, one use after another. */
export const { values: blockValues, lnOfAffine } = bestBlock();
