/** Builds `dist/`: the command, the code of its threads, the library, and what the page of a report carries. */

import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { buildOptions, entryPoints, pageBuildOptions, pageEntryPoint, pageFiles } from "./entries.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
/** The state of every input of the last build, by which `scripts/mecgym.mjs` knows whether to build again. */
const record = join(root, ".setup", "build.json");
/** Files that decide how to build. */
const buildFiles = ["scripts/build.mjs", "scripts/entries.mjs", "package.json", "tsconfig.json"];

build();

function build() {
  const startMs = Date.now();
  let result;
  let page;
  try {
    page = buildSync({
      ...pageBuildOptions,
      absWorkingDir: root,
      entryPoints: [pageEntryPoint],
      outfile: "dist/replay.js",
      metafile: true,
      write: false,
    });
    result = buildSync({
      ...buildOptions,
      absWorkingDir: root,
      entryPoints,
      outdir: "dist",
      packages: "external",
      sourcemap: true,
      metafile: true,
      write: false,
    });
  } catch {
    // esbuild has printed on standard error what is wrong
    process.exit(1);
  }
  // files are written under temporary names and renamed, so that two commands started at once never read half a file
  for (const file of result.outputFiles.sort((a, b) => b.path.length - a.path.length)) write(file.path, file.contents);
  for (const file of page.outputFiles) write(file.path, file.contents);
  for (const path of pageFiles) write(join(root, "dist", basename(path)), readFileSync(join(root, path)));
  const inputs = {};
  // what a browser has no use for is no file
  const isFile = (path) => !path.startsWith("(disabled)");
  const bundled = [result, page].flatMap(({ metafile }) => Object.keys(metafile.inputs)).filter(isFile);
  for (const path of new Set([...bundled, ...pageFiles, ...buildFiles])) {
    const stat = statSync(join(root, path), { throwIfNoEntry: false });
    // a file that changed during the build counts as changed
    inputs[path] = stat && stat.mtimeMs < startMs ? `${stat.mtimeMs} ${stat.size}` : "";
  }
  write(record, JSON.stringify(inputs));
}

function write(path, contents) {
  mkdirSync(join(path, ".."), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}
