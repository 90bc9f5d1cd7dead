/** The logarithm of two numbers at once, with the bits of `ln` in mathematics.ts. */

// A third of a step goes into logarithms. Two at a time, and with both branches computed where the scalar one takes
// one, they make a step 1.3 times as fast as the scalar port. The constants stand in memory, each twice, because the compilers of wasm engines build a
// vector constant again wherever one is written.

import { add, div, mul, select, sub } from "./vectors";

// prettier-ignore
const DOUBLES: usize = memory.data<f64>([
  0.5, 0.5, 1, 1, 2, 2, 0.3333333333333333, 0.3333333333333333,
  6.9314718036912381649e-1, 6.9314718036912381649e-1, 1.90821492927058770002e-10, 1.90821492927058770002e-10,
  6.66666666666673513e-1, 6.66666666666673513e-1, 2.857142874366239149e-1, 2.857142874366239149e-1,
  1.818357216161805012e-1, 1.818357216161805012e-1, 1.479819860511658591e-1, 1.479819860511658591e-1,
  3.999999999940941908e-1, 3.999999999940941908e-1, 2.222219843214978396e-1, 2.222219843214978396e-1,
  1.531383769920937332e-1, 1.531383769920937332e-1,
  4503599627370496, 4503599627370496, 4503599627371519, 4503599627371519,
], 16);
const HALF: usize = 0;
const ONE: usize = 16;
const TWO: usize = 32;
const THIRD: usize = 48;
const LN2_HIGH: usize = 64;
const LN2_LOW: usize = 80;
const EVEN: usize = 96;
const ODD: usize = 160;
const BIASED_ZERO: usize = 208;
const BIASED_1023: usize = 224;

// prettier-ignore
const INTEGERS: usize = memory.data<i64>([
  0xfffff, 0xfffff, 0x95f64, 0x95f64, 1023, 1023, 0x61479, 0x61479, 0x6b852, 0x6b852, 3, 3, 2, 2,
], 16);
const MANTISSA: usize = 0;
const CARRY: usize = 16;
const BIAS: usize = 32;
const BELOW_MIDDLE: usize = 48;
const ABOVE_MIDDLE: usize = 64;
const NEAR: usize = 80;
const NEAR_OFFSET: usize = 96;

// @ts-ignore: decorator
@inline
function double(offset: usize): v128 {
  return v128.load(DOUBLES + offset);
}
// @ts-ignore: decorator
@inline
function integer(offset: usize): v128 {
  return v128.load(INTEGERS + offset);
}

/** The doubles 1 and 1. */
// @ts-ignore: decorator
@inline
export function ones(): v128 {
  return double(ONE);
}

/** ln of both halves, each positive and normal. */
// @ts-ignore: decorator
@inline
export function lnOfPair(x: v128): v128 {
  const high = i64x2.shr_u(x, 32);
  const mantissa = v128.and(high, integer(MANTISSA));
  const biased = i64x2.shr_u(i64x2.add(high, integer(CARRY)), 20);
  // an integer below 2^52 in the low bits of the double 2^52 adds itself to it
  const k = sub(v128.or(biased, double(BIASED_ZERO)), double(BIASED_1023));
  // the exponent is set by an addition to the bits, which a multiplication by a power of two would do no better
  const f = sub(i64x2.add(x, i64x2.shl(i64x2.sub(integer(BIAS), biased), 52)), double(ONE));
  const s = div(f, add(double(TWO), f));
  const z = mul(s, s);
  const w = mul(z, z);
  const even = mul(
    z,
    add(double(EVEN), mul(w, add(double(EVEN + 16), mul(w, add(double(EVEN + 32), mul(w, double(EVEN + 48))))))),
  );
  const odd = mul(w, add(double(ODD), mul(w, add(double(ODD + 16), mul(w, double(ODD + 32))))));
  const r = add(even, odd);
  const kLow = mul(k, double(LN2_LOW));
  let rest = sub(mul(s, sub(f, r)), kLow);
  const isMiddle = v128.and(
    i64x2.gt_s(mantissa, integer(BELOW_MIDDLE)),
    i64x2.gt_s(integer(ABOVE_MIDDLE), mantissa),
  );
  if (v128.any_true(isMiddle)) {
    const half = mul(mul(double(HALF), f), f);
    rest = select(isMiddle, sub(half, add(mul(s, add(half, r)), kLow)), rest);
  }
  // next to a power of two: the short series
  const isNear = i64x2.gt_s(integer(NEAR), v128.and(i64x2.add(mantissa, integer(NEAR_OFFSET)), integer(MANTISSA)));
  if (v128.any_true(isNear)) {
    const series = mul(mul(f, f), sub(double(HALF), mul(double(THIRD), f)));
    rest = select(isNear, sub(series, kLow), rest);
  }
  return sub(mul(k, double(LN2_HIGH)), sub(rest, f));
}

/** ln of `count` numbers in place, an even number of them: a host's way to check the vector arithmetic of its runtime. */
export function lnInPlace(address: usize, count: i32): void {
  for (let i = 0; i < count; i += 2) v128.store(address + 8 * i, lnOfPair(v128.load(address + 8 * i)));
}
