/** The machine's floor for a step: its random draws and logarithms, and nothing else. */

import { lnInPlace, wordsOf } from "../../env/math.js";
import { drawUniform, seedStream } from "../../env/random.js";

/** Draws of arrivals for each task, at the default probability of 0.3. */
const ARRIVAL_DRAWS = 1 / 0.3;

/** As many draws and logarithms as a step of `numServers` servers has: arrivals, a size, and two logarithms for each rate. */
export function makeFloor(numServers: number): (steps: number) => number {
  const stream = new Float64Array(4);
  seedStream("mecgym/v1/speed/floor", stream, 0);
  const values = new Float64Array(numServers);
  const words = wordsOf(values);
  return (steps) => {
    const count = Math.ceil(steps);
    let draws = 0;
    for (let i = 0; i < count; i++) {
      for (draws += ARRIVAL_DRAWS + 1; draws >= 1; draws--) drawUniform(stream, 0);
      for (let e = 0; e < numServers; e++) values[e] = drawUniform(stream, 0) + 1e-9;
      lnInPlace(values, words, numServers);
      for (let e = 0; e < numServers; e++) values[e] = 1 - 1000 * values[e];
      lnInPlace(values, words, numServers);
    }
    return count;
  };
}
