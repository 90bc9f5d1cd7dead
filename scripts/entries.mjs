/** What is built from the sources: the command, the code of its threads, and the library. They find each other by name. */

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
