/** The phases of a lane: the values of its field `phase`. */

/** Before the first reset. */
export const PHASE_UNUSED = 0;
/** An episode runs. */
export const PHASE_RUNNING = 1;
/** The episode has ended. */
export const PHASE_ENDED = 2;
