/** The machine's floor for a step: the random draws and logarithms of a step, and nothing else. */

import { CoreModule } from "../../env/core/module.js";
import { createStream } from "../../env/random.js";

/** Draws of arrivals for each task at the default probability of 0.3. */
const ARRIVAL_DRAWS = 1 / 0.3;
/** A scenario's SNR, so that the logarithms have the same arguments. */
const SNR = 1000;
/** Most numbers in a block of logarithms. */
const BLOCK_LENGTH = 2048;
/** Alea's multiplier and 2^-32, the weight of its carry. */
const MULTIPLIER = 2091639;
const TWO_TO_MINUS_32 = 2 ** -32;
/** Half a step of the generator, which keeps the argument of the logarithm above 0. */
const HALF_STEP = 2 ** -33;

/**
 * Does as many draws and logarithms as a step with `numServers` servers (arrivals, a size, and two logarithms for each
 * rate): one stream whose state stays in registers, and the core's logarithms, two at a time, of many steps at once.
 */
export function makeFloor(numServers: number): (steps: number) => number {
  const core = new CoreModule();
  const draw = createStream("mecgym/v1/speed/floor");
  const state = [draw(), draw(), draw(), 1];
  const stepsPerBlock = Math.floor(BLOCK_LENGTH / numServers);
  const { address, bytes } = core.borrow(8 * BLOCK_LENGTH);
  const values = new Float64Array(bytes.buffer, address, BLOCK_LENGTH);
  const length = stepsPerBlock * numServers;
  return (steps) => {
    const blocks = Math.ceil(steps / stepsPerBlock);
    let draws = 0;
    let [s0, s1, s2, carry] = state;
    for (let block = 0; block < blocks; block++) {
      let at = 0;
      for (let i = 0; i < stepsPerBlock; i++) {
        for (draws += ARRIVAL_DRAWS + 1; draws >= 1; draws--) {
          const t = MULTIPLIER * s0 + carry * TWO_TO_MINUS_32;
          s0 = s1;
          s1 = s2;
          carry = Math.floor(t);
          s2 = t - carry;
        }
        for (const end = at + numServers; at < end; at++) {
          const t = MULTIPLIER * s0 + carry * TWO_TO_MINUS_32;
          s0 = s1;
          s1 = s2;
          carry = Math.floor(t);
          s2 = t - carry;
          values[at] = HALF_STEP + s2;
        }
      }
      core.calls.lnInPlace(address, length);
      for (let i = 0; i < length; i++) values[i] = 1 - SNR * values[i];
      core.calls.lnInPlace(address, length);
    }
    state.splice(0, 4, s0, s1, s2, carry);
    return blocks * stepsPerBlock;
  };
}
