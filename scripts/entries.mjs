/** What is built from the sources: the command, the code of its threads, and the library. */

/** Entry points by the names of their output files, by which they find each other. */
export const entryPoints = {
  cli: "bridge/cli/main.ts",
  worker: "bridge/composition/worker.ts",
  index: "index.ts",
};

/** How the sources are built, wherever the result goes. */
export const buildOptions = {
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  logLevel: "warning",
};
