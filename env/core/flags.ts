/** Bits that say what a step did in a lane. */

/** Bits of `flags`. */
export const FLAG_TRUNCATED = 1;
export const FLAG_LATE = 2;
export const FLAG_INVALID_ACTION = 4;
/** The step only reset the lane: no action was taken, and the reward is 0. */
export const FLAG_RESET = 8;
