/** Rayleigh fading: uniform draws, and the uplink rates they stand for (eq. 1), many at once. */

import { ALEA_MULTIPLIER, TWO_TO_MINUS_32 } from "../random.js";
import { blockValues, lnOfAffine } from "./block-ln.js";
import { hideRates } from "./churn.js";
import type { Lanes } from "./kernel.js";
import type { Parameters } from "./parameters.js";

/** Half a step of the generator: keeps a uniform draw off 0, where the rate would be 0 and the latency infinite. */
const TWO_TO_MINUS_33 = 1.1641532182693481e-10;

/** Rates R_{u,e} of the current users of the first `count` of `drawingLanes`. */
export function drawRates(lanes: Lanes, count: number): void {
  const { drawingLanes, parameters } = lanes;
  const { rateMbps, numServers } = lanes.arrays;
  const { maxServers } = lanes.size;
  takeLogarithms(drawUniforms(lanes, count), lanes, count);
  for (let i = 0, at = 0; i < count; i++) {
    const lane = drawingLanes[i];
    const { rateScaleMbps, minRateMbps, hasChurn } = parameters[lane];
    const first = lane * maxServers;
    for (let e = first, end = first + numServers[lane]; e < end; e++, at++) {
      const rate = rateScaleMbps * blockValues[at];
      rateMbps[e] = rate > minRateMbps ? rate : minRateMbps;
    }
    if (hasChurn) hideRates(lanes, lane);
  }
}

/** One draw for each server of each lane, row behind row into the block; how many they are. */
function drawUniforms(lanes: Lanes, count: number): number {
  const { drawingLanes } = lanes;
  const { fadingStream, numServers } = lanes.arrays;
  let length = 0;
  for (let i = 0; i < count; i++) {
    const lane = drawingLanes[i];
    const offset = lane * 4;
    // drawUniform, written out: the stream's state stays in registers
    let s0 = fadingStream[offset];
    let s1 = fadingStream[offset + 1];
    let s2 = fadingStream[offset + 2];
    let carry = fadingStream[offset + 3];
    for (let end = length + numServers[lane]; length < end; length++) {
      const t = ALEA_MULTIPLIER * s0 + carry * TWO_TO_MINUS_32;
      s0 = s1;
      s1 = s2;
      carry = Math.floor(t);
      s2 = t - carry;
      blockValues[length] = s2;
    }
    fadingStream[offset] = s0;
    fadingStream[offset + 1] = s1;
    fadingStream[offset + 2] = s2;
    fadingStream[offset + 3] = carry;
  }
  return length;
}

/** ln(1 + SNR·|h|²) in place of each uniform of the block: together for neighbours that play one scenario. */
function takeLogarithms(length: number, lanes: Lanes, count: number): void {
  const { drawingLanes, parameters } = lanes;
  const { numServers } = lanes.arrays;
  lnOfAffine(0, length, TWO_TO_MINUS_33, 1); // −|h|²
  let first = 0;
  let end = 0;
  for (let i = 0; i < count; i++) {
    const lane = drawingLanes[i];
    end += numServers[lane];
    const p = parameters[lane];
    if (i + 1 < count && parameters[drawingLanes[i + 1]] === p) continue;
    lnOfAffine(first, end - first, 1, -p.snrRatio);
    first = end;
  }
}

/**
 * Turns uniform draws u into uplink rates in Mbit/s, in place: |h|² = −ln(u + 2^−33), R = (B/ln 2)·ln(1 + SNR·|h|²)
 * (eq. 1), raised to the floor. At most `BLOCK_LENGTH`.
 */
export function ratesOfUniforms(values: Float64Array, length: number, p: Parameters): void {
  for (let e = 0; e < length; e++) blockValues[e] = values[e];
  lnOfAffine(0, length, TWO_TO_MINUS_33, 1);
  lnOfAffine(0, length, 1, -p.snrRatio);
  for (let e = 0; e < length; e++) {
    const rate = p.rateScaleMbps * blockValues[e];
    values[e] = rate > p.minRateMbps ? rate : p.minRateMbps;
  }
}
