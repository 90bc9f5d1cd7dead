/** The bits of `flags`: what a step did in a lane. */

/** The episode ended. */
export const FLAG_TRUNCATED = 1;
/** The latency exceeded the deadline. */
export const FLAG_LATE = 2;
/** The action was not available, and the costliest one was charged. */
export const FLAG_INVALID_ACTION = 4;
/** The step only reset the lane: it took no action, and the reward is 0. */
export const FLAG_RESET = 8;
