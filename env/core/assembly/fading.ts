/** Rayleigh fading: a draw for each server, and the uplink rates that they stand for (eq. 1). */

// Two passes over a block of lanes, one logarithm each: the second one need not wait for the first.

import { BITS_OF_2_20, MULTIPLIER } from "./alea";
import { isThere, endOfServers, fadingStream, firstServer, Lane, Server, SERVER_PAIR, serverOf } from "./lane";
import { lnOfPair, ones } from "./logarithm";
import { Scenario } from "./scenario";
import { add, mul, sub } from "./vectors";

const TWO_TO_20: f64 = 1048576;
/** Half a step of the generator: keeps a draw off 0, where the rate would be 0 and the latency infinite. */
const TWO_TO_MINUS_33: f64 = 1.1641532182693481e-10;

/** Draws u for each server of the current task's user, in server order, as 2²⁰ + u in place of its rate. */
// @ts-ignore: decorator
@inline
export function drawFading(lane: Lane): void {
  const stream = fadingStream(lane);
  let s0 = <u64>stream.s0;
  let s1 = <u64>stream.s1;
  let s2 = <u64>stream.s2;
  let carry = <u64>stream.carry;
  const numServers = lane.numServers;
  let pair = firstServer(lane);
  for (const end = pair + SERVER_PAIR * <usize>(numServers >> 1); pair < end; pair += SERVER_PAIR) {
    let t = MULTIPLIER * s0 + carry;
    const even = t & 0xffffffff;
    t = MULTIPLIER * s1 + (t >>> 32);
    const odd = t & 0xffffffff;
    carry = t >>> 32;
    s0 = s2;
    s1 = even;
    s2 = odd;
    store<u64>(pair, even | BITS_OF_2_20, offsetof<Server>("rateMbps"));
    store<u64>(pair, odd | BITS_OF_2_20, offsetof<Server>("rateMbps") + 8);
  }
  if (numServers & 1) {
    const t = MULTIPLIER * s0 + carry;
    s0 = s1;
    s1 = s2;
    s2 = t & 0xffffffff;
    carry = t >>> 32;
    store<u64>(pair, s2 | BITS_OF_2_20, offsetof<Server>("rateMbps"));
    // there is no further server; any number whose logarithm exists will do
    store<u64>(pair, BITS_OF_2_20, offsetof<Server>("rateMbps") + 8);
  }
  stream.s0 = <u32>s0;
  stream.s1 = <u32>s1;
  stream.s2 = <u32>s2;
  stream.carry = <u32>carry;
}

/** 1 + SNR·|h|² in place of each draw, with |h|² = −ln(u + 2⁻³³). */
// @ts-ignore: decorator
@inline
export function takeGains(lane: Lane): void {
  const negativeSnr = v128.load_splat<f64>(changetype<usize>(lane.scenario), offsetof<Scenario>("negativeSnr"));
  for (let pair = firstServer(lane), end = endOfServers(lane); pair < end; pair += SERVER_PAIR) {
    const u = sub(v128.load(pair, offsetof<Server>("rateMbps")), f64x2.splat(TWO_TO_20));
    v128.store(pair, gainOf(u, negativeSnr), offsetof<Server>("rateMbps"));
  }
}

/** R = (B/ln 2)·ln(1 + SNR·|h|²) (eq. 1), raised to the floor. */
// @ts-ignore: decorator
@inline
export function takeRates(lane: Lane): void {
  const scenario = changetype<usize>(lane.scenario);
  const scale = v128.load_splat<f64>(scenario, offsetof<Scenario>("rateScaleMbps"));
  const floor = v128.load_splat<f64>(scenario, offsetof<Scenario>("minRateMbps"));
  for (let pair = firstServer(lane), end = endOfServers(lane); pair < end; pair += SERVER_PAIR) {
    const rate = rateOf(v128.load(pair, offsetof<Server>("rateMbps")), scale, floor);
    v128.store(pair, rate, offsetof<Server>("rateMbps"));
  }
  if (lane.numServers & 1) store<f64>(endOfServers(lane) - SERVER_PAIR, 0, offsetof<Server>("rateMbps") + 8);
}

// @ts-ignore: decorator
@inline
export function gainOf(u: v128, negativeSnr: v128): v128 {
  return add(ones(), mul(negativeSnr, lnOfPair(add(f64x2.splat(TWO_TO_MINUS_33), u))));
}

// @ts-ignore: decorator
@inline
export function rateOf(gain: v128, scale: v128, floor: v128): v128 {
  return f64x2.pmax(mul(scale, lnOfPair(gain)), floor);
}

/** Rates of absent servers: 0, which makes every cost there infinite. Their draws are made all the same. */
export function hideRates(lane: Lane): void {
  for (let e = 0; e < lane.numServers; e++) if (!isThere(lane, e)) serverOf(lane, e).rateMbps = 0;
}
