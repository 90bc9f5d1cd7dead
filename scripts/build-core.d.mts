/** Types of build-core.mjs, for the scripts and tests in TypeScript. */

export function buildCore(options?: { readonly isChecked?: boolean }): Buffer<ArrayBuffer>;
export function coreModuleFile(bytes: Buffer): string;
