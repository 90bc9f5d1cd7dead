/** The machine's floor for a step: its random draws and logarithms, and nothing else. */

import { BLOCK_LENGTH, blockValues, lnOfAffine } from "../../env/core/block-ln.js";
import { ALEA_MULTIPLIER, seedStream, TWO_TO_MINUS_32 } from "../../env/random.js";

/** Draws of arrivals for each task, at the default probability of 0.3. */
const ARRIVAL_DRAWS = 1 / 0.3;
/** As a scenario's, so that the logarithms have the arguments they have there. */
const SNR = 1000;

/**
 * As many draws and logarithms as a step of `numServers` servers has (arrivals, a size, and two logarithms for each rate),
 * done as fast as is known here: one stream whose state stays in registers, and the logarithms of many steps at once.
 */
export function makeFloor(numServers: number): (steps: number) => number {
  const stream = new Float64Array(4);
  seedStream("mecgym/v1/speed/floor", stream, 0);
  const stepsPerBlock = Math.floor(BLOCK_LENGTH / numServers);
  return (steps) => {
    const blocks = Math.ceil(steps / stepsPerBlock);
    let draws = 0;
    let [s0, s1, s2, carry] = stream;
    for (let block = 0; block < blocks; block++) {
      let length = 0;
      for (let i = 0; i < stepsPerBlock; i++) {
        for (draws += ARRIVAL_DRAWS + 1; draws >= 1; draws--) {
          const t = ALEA_MULTIPLIER * s0 + carry * TWO_TO_MINUS_32;
          s0 = s1;
          s1 = s2;
          carry = Math.floor(t);
          s2 = t - carry;
        }
        for (const end = length + numServers; length < end; length++) {
          const t = ALEA_MULTIPLIER * s0 + carry * TWO_TO_MINUS_32;
          s0 = s1;
          s1 = s2;
          carry = Math.floor(t);
          s2 = t - carry;
          blockValues[length] = s2;
        }
      }
      lnOfAffine(0, length, TWO_TO_MINUS_32, 1);
      lnOfAffine(0, length, 1, -SNR);
    }
    stream.set([s0, s1, s2, carry]);
    return blocks * stepsPerBlock;
  };
}
