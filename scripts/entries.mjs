/** What is built from the sources: the command, the code of its threads, and the library. */

/** Entry points by the names of their output files, by which they find each other. */
export const entryPoints = {
  cli: "bridge/cli/main.ts",
  worker: "bridge/composition/worker.ts",
  index: "index.ts",
};

/** The script of the page that `mecgym report` writes; it stands next to the command, with the files beside it. */
export const pageEntryPoint = "benchmarks/viewer/replay.ts";
/** The markup and style that the command reads for that page. */
export const pageFiles = ["benchmarks/viewer/replay.html", "benchmarks/viewer/page.css"];

/** How scripts of pages are built: for browsers that have WebAssembly SIMD and compile a small module synchronously. */
export const pageBuildOptions = {
  bundle: true,
  minify: true,
  platform: "browser",
  format: "iife",
  target: ["chrome114", "firefox115", "safari16.4"],
  logLevel: "warning",
  legalComments: "none",
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
