/**
 * The command `mecgym` of a clone: builds `dist/` if a source has changed, then runs it in this process, so that
 * signals, standard input and standard output are the command's own.
 *
 * Standard output belongs to the command (`serve` prints one line of JSON there), so everything else goes to standard
 * error.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { buildOptions, entryPoints, pageBuildOptions, pageEntryPoint, pageFiles } from "./entries.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const command = join(root, "dist", "cli.mjs");
const record = join(root, ".setup", "build.json");
/** The script of the page that `mecgym report` writes. */
const pageScript = join(root, "dist", "replay.js");
/** Files that decide how to build. */
const buildFiles = ["scripts/mecgym.mjs", "scripts/entries.mjs", "package.json", "tsconfig.json"];

if (!existsSync(join(root, "node_modules", ".package-lock.json"))) {
  const { status } = spawnSync(process.execPath, [join(root, "scripts", "setup.mjs"), "--node-only"], {
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) process.exit(1);
}
if (!isBuilt()) await build();

process.argv[1] = command;
await import(pathToFileURL(command).href);

/** Modification time and size of a file; undefined if it does not exist. */
function stateOf(path) {
  const stat = statSync(join(root, path), { throwIfNoEntry: false });
  return stat && `${stat.mtimeMs} ${stat.size}`;
}

/** Whether every input of the last build is unchanged. esbuild's list of inputs is complete. */
function isBuilt() {
  try {
    if (!existsSync(pageScript)) return false;
    for (const name of Object.keys(entryPoints)) if (!existsSync(join(root, "dist", `${name}.mjs`))) return false;
    const inputs = Object.entries(JSON.parse(readFileSync(record, "utf8")));
    return inputs.length > 0 && inputs.every(([path, state]) => stateOf(path) === state);
  } catch {
    return false;
  }
}

async function build() {
  const startMs = Date.now();
  const { buildSync } = await import("esbuild");
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
  const bundled = [result, page].flatMap(({ metafile }) => Object.keys(metafile.inputs));
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
