/** Logarithm, exponential and exponential integral, from operations that have the same bits on every machine. */

// The steps are those of Sun's fdlibm (e_log.c, e_exp.c). logarithm.ts has the logarithm of two numbers at once.

/** Natural logarithms of 2 and 10, and Euler's constant, rounded to doubles. */
const LN2: f64 = 0.6931471805599453;
export const LN10: f64 = 2.302585092994046;
const EULER_GAMMA: f64 = 0.5772156649015329;
/** Natural logarithm of 2 in two parts. */
export const LN2_HIGH: f64 = 6.9314718036912381649e-1;
export const LN2_LOW: f64 = 1.90821492927058770002e-10;

/** Natural logarithm of a positive, finite, normal double. */
export function ln(x: f64): f64 {
  const high = <i32>(reinterpret<u64>(x) >>> 32);
  const mantissa = high & 0xfffff;
  const biased = (high + 0x95f64) >> 20;
  const k = <f64>(biased - 1023);
  const f = x * reinterpret<f64>(<u64>(2046 - biased) << 52) - 1.0;
  if (((2 + mantissa) & 0xfffff) < 3) {
    // |f| < 2^-20: a short series is enough, and exact at 1
    if (f == 0) return k * LN2_HIGH + k * LN2_LOW;
    const r = f * f * (0.5 - 0.3333333333333333 * f);
    return k * LN2_HIGH - (r - k * LN2_LOW - f);
  }
  const s = f / (2.0 + f);
  const z = s * s;
  const w = z * z;
  const odd = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1));
  const even =
    z *
    (6.66666666666673513e-1 +
      w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1)));
  const r = even + odd;
  if (((mantissa - 0x6147a) | (0x6b851 - mantissa)) > 0) {
    const half = 0.5 * f * f;
    return k * LN2_HIGH - (half - (s * (half + r) + k * LN2_LOW) - f);
  }
  return k * LN2_HIGH - (s * (f - r) - k * LN2_LOW - f);
}

/** e to the power x, for |x| ≤ 700. */
export function exp(x: f64): f64 {
  assert(abs(x) <= 700);
  let high: f64 = 0;
  let low: f64 = 0;
  let k: i32 = 0;
  let reduced = x;
  const magnitude = abs(x);
  if (magnitude > 0.5 * LN2) {
    if (magnitude < 1.5 * LN2) k = x < 0 ? -1 : 1;
    else k = <i32>(1.4426950408889634 * x + (x < 0 ? -0.5 : 0.5));
    high = x - <f64>k * LN2_HIGH;
    low = <f64>k * LN2_LOW;
    reduced = high - low;
  } else if (magnitude < 3.725290298461914e-9) {
    return 1 + x;
  }
  const t = reduced * reduced;
  const c =
    reduced -
    t *
      (1.66666666666666019037e-1 +
        t *
          (-2.77777777770155933842e-3 +
            t * (6.61375632143793436117e-5 + t * (-1.6533902205465251539e-6 + t * 4.13813679705723846039e-8))));
  if (k == 0) return 1 - ((reduced * c) / (c - 2) - reduced);
  const y = 1 - (low - (reduced * c) / (2 - c) - high);
  // adding k to the exponent multiplies by 2^k
  return reinterpret<f64>(reinterpret<u64>(y) + (<u64>(<i64>k) << 52));
}

/**
 * Exponential integral E1(x) = ∫ₓ^∞ e^(−t)/t dt for x > 0.
 *
 * Power series below 1 (Abramowitz & Stegun 5.1.11), continued fraction by Lentz's method above (5.1.22). Used once for
 * each scenario, to solve the bandwidth from the mean rate.
 */
export function expIntegralE1(x: f64): f64 {
  assert(x > 0 && x <= 700);
  if (x < 1) {
    let sum = -EULER_GAMMA - ln(x);
    let term: f64 = 1;
    for (let k = 1; k <= 60; k++) {
      term = (-term * x) / <f64>k;
      const next = sum - term / <f64>k;
      if (next == sum) break;
      sum = next;
    }
    return sum;
  }
  let b = x + 1;
  let c: f64 = 1e300;
  let d = 1 / b;
  let fraction = d;
  for (let i = 1; i <= 500; i++) {
    const a = <f64>(-i * i);
    b += 2;
    d = 1 / (a * d + b);
    c = b + a / c;
    const delta = c * d;
    fraction *= delta;
    const error = delta - 1;
    if (error < 1e-15 && error > -1e-15) break;
  }
  return fraction * exp(-x);
}
