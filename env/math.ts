/** Logarithm, exponential and exponential integral from exact arithmetic only: every machine gets the same bits. */

// Math.log and Math.exp differ between machines (V8 may fuse multiplications on arm64). The steps below are those of
// Sun's fdlibm (e_log.c, e_exp.c), which use only + - * / and the bits of a double.

const float64 = new Float64Array(1);
const words = new Int32Array(float64.buffer);
float64[0] = 1;
/** Index of the word that holds the sign and the exponent: 1 on little-endian machines, 0 on big-endian ones. */
const HIGH = words[1] === 0x3ff00000 ? 1 : 0;

/** Natural logarithm of 2, rounded to a double. */
export const LN2 = 0.6931471805599453;
/** Natural logarithm of 10, rounded to a double. */
export const LN10 = 2.302585092994046;
/** Euler's constant, rounded to a double. */
const EULER_GAMMA = 0.5772156649015329;

/**
 * 2^(1023 − i) for a biased exponent i: multiplying by it moves the argument of the logarithm to [1, 2), exactly. That
 * is much faster than writing the exponent word and reading the double back, which stalls on the store.
 */
const POWER_OF_TWO = new Float64Array(2048);
POWER_OF_TWO[1023] = 1;
for (let i = 1022; i >= 1; i--) POWER_OF_TWO[i] = POWER_OF_TWO[i + 1] * 2;
for (let i = 1024; i < 2048; i++) POWER_OF_TWO[i] = POWER_OF_TWO[i - 1] / 2;

/** Natural logarithm of 2 in two parts, as in fdlibm. */
const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.90821492927058770002e-10;

/**
 * Natural logarithm of a positive, finite, normal double.
 *
 * Within 1 ulp of the exact value. Zero, negative, subnormal and non-finite arguments are outside its domain, and
 * no caller passes one (the argument is a uniform in (0, 1] or at least 1).
 */
export function ln(x: number): number {
  float64[0] = x;
  const high = words[HIGH];
  const exponent = high >> 20;
  const mantissa = high & 0xfffff;
  const carry = ((mantissa + 0x95f64) & 0x100000) >>> 20;
  const k = exponent - 1023 + carry;
  const f = x * POWER_OF_TWO[exponent + carry] - 1;
  if (((2 + mantissa) & 0xfffff) < 3) {
    // |f| < 2^-20: a short series is enough, and exact at 1
    if (f === 0) return k * LN2_HIGH + k * LN2_LOW;
    const r = f * f * (0.5 - 0.3333333333333333 * f);
    return k * LN2_HIGH - (r - k * LN2_LOW - f);
  }
  const s = f / (2 + f);
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

/**
 * e to the power x, for |x| ≤ 700 (no overflow, no subnormal result).
 *
 * Within 1 ulp of the exact value.
 */
export function exp(x: number): number {
  if (x > 700 || x < -700 || x !== x) throw new RangeError(`exp: expected |x| ≤ 700, got ${x}`);
  let high = 0;
  let low = 0;
  let k = 0;
  let reduced = x;
  const magnitude = x < 0 ? -x : x;
  if (magnitude > 0.5 * LN2) {
    if (magnitude < 1.5 * LN2) {
      k = x < 0 ? -1 : 1;
      high = x - k * LN2_HIGH;
    } else {
      k = (1.4426950408889634 * x + (x < 0 ? -0.5 : 0.5)) | 0;
      high = x - k * LN2_HIGH;
    }
    low = k * LN2_LOW;
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
  if (k === 0) return 1 - ((reduced * c) / (c - 2) - reduced);
  const y = 1 - (low - (reduced * c) / (2 - c) - high);
  float64[0] = y;
  // adding k to the exponent multiplies by 2^k
  words[HIGH] += k << 20;
  return float64[0];
}

/**
 * Exponential integral E1(x) = ∫ₓ^∞ e^(−t)/t dt for x > 0.
 *
 * Power series below 1 (Abramowitz & Stegun 5.1.11), continued fraction by Lentz's method above (5.1.22).
 * Used once per scenario, to solve the bandwidth from the mean rate.
 */
export function expIntegralE1(x: number): number {
  if (!(x > 0 && x <= 700)) throw new RangeError(`expIntegralE1: expected 0 < x ≤ 700, got ${x}`);
  if (x < 1) {
    let sum = -EULER_GAMMA - ln(x);
    let term = 1;
    for (let k = 1; k <= 60; k++) {
      term = (-term * x) / k;
      const next = sum - term / k;
      if (next === sum) break;
      sum = next;
    }
    return sum;
  }
  let b = x + 1;
  let c = 1e300;
  let d = 1 / b;
  let fraction = d;
  for (let i = 1; i <= 500; i++) {
    const a = -i * i;
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
