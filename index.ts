/**
 * The public names of the package: the simulator, and the policies to compare with.
 *
 * @module mecgym
 */

export * from "./benchmarks/policies/index.js";
export type { MecgymErrorDetails } from "./env/errors.js";
export * from "./env/index.js";
