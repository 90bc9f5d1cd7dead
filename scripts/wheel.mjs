/**
 * `npm run wheel [FOLDER]`: builds the Python package with the server in it, as `mecgym-VERSION-py3-none-any.whl`, and
 * a source distribution that needs no npm, in `dist` or the given folder. The same sources give the same bytes.
 *
 * The command with all its imports is bundled into `bridge/python/server`, next to ZeroMQ's add-on for each platform.
 * The core, the frozen scenarios and the schemas, with which Python plays without Node, are copied to
 * `bridge/python/data`. The build of the Python package takes both from there.
 */

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { buildOptions, entryPoints, pageBuildOptions, pageEntryPoint, pageFiles } from "./entries.mjs";
import { root, venvPython } from "./venv.mjs";

const python = join(root, "bridge", "python");
const server = join(python, "server");
const data = join(python, "data");
const output = resolve(process.argv[2] ?? join(root, "dist"));
/**
 * The add-on of each platform, out of those that zeromq brings: with CURVE, and for old systems too. Add-ons named by a
 * bare number lack CURVE, and `glibc-115-Release` needs a newer glibc.
 */
const prebuilds = {
  "linux-x64": "linux/x64/node/glibc-127-Release",
  "linux-x64-musl": "linux/x64/node/musl-127-Release",
  "linux-arm64": "linux/arm64/node/glibc-127-Release",
  "linux-arm64-musl": "linux/arm64/node/musl-127-Release",
  "darwin-x64": "darwin/x64/node/libc-115-Release",
  "darwin-arm64": "darwin/arm64/node/libc-115-Release",
  "win32-x64": "win32/x64/node/msvc-115-Release",
  "win32-arm64": "win32/arm64/node/msvc-115-Release",
};

run(process.execPath, [join(root, "scripts", "setup.mjs")]);
for (const folder of [server, data]) rmSync(folder, { recursive: true, force: true });
const packages = await bundle();
copyAddons();
copyData();
writeNotices(packages);
// the command loads its add-on at once, and the add-on refuses to load without CURVE
run(process.execPath, [join(server, "cli.mjs"), "--version"]);
for (const target of ["wheel", "sdist"]) {
  run(venvPython, ["-m", "hatchling", "build", "-t", target, "-d", output], python);
}

/** @returns the folders of the bundled packages */
async function bundle() {
  const { build } = await import("esbuild");
  const { index: _library, ...commands } = entryPoints;
  const { metafile } = await build({
    ...buildOptions,
    absWorkingDir: root,
    entryPoints: commands,
    outdir: server,
    // code that the entries share is there once, and each entry finds the others in its own folder
    splitting: true,
    chunkNames: "shared-[hash]",
    // CommonJS packages require Node's own modules, and the replacement of zeromq's loader requires the add-on
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
    },
    // msgpackr works without it
    external: ["msgpackr-extract"],
    plugins: [{ name: "add-ons", setup: replaceLoader }],
    legalComments: "none",
    metafile: true,
  });
  await build({
    ...pageBuildOptions,
    absWorkingDir: root,
    entryPoints: [pageEntryPoint],
    outfile: join(server, "replay.js"),
  });
  for (const path of pageFiles) copyFileSync(join(root, path), join(server, basename(path)));
  const found = Object.keys(metafile.inputs).map((path) => path.match(/^node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0]);
  return [...new Set(found.filter((path) => path !== undefined))].sort();
}

function replaceLoader({ onLoad }) {
  onLoad({ filter: /zeromq[\\/]lib[\\/]load-addon\.js$/ }, () => ({
    contents: readFileSync(join(root, "scripts", "zeromq-addon.cjs"), "utf8"),
  }));
}

function copyAddons() {
  mkdirSync(join(server, "prebuilds"));
  for (const [platform, folder] of Object.entries(prebuilds)) {
    const addon = join(root, "node_modules", "zeromq", "build", folder, "addon.node");
    if (!readFileSync(addon).includes("CurveZMQ")) throw new Error(`${addon} lacks CURVE`);
    copyFileSync(addon, join(server, "prebuilds", `${platform}.node`));
  }
}

/** What Python reads: `mecgym/engine/package_data.py` names the same folders. */
function copyData() {
  const folders = {
    core: ["env", "core", "generated"],
    scenarios: ["env", "scenario", "frozen"],
    schemas: ["schemas"],
  };
  const isWanted = { core: /^core\.wasm$/, scenarios: /\.json$/, schemas: /^(scenario|request)\.schema\.json$/ };
  for (const [name, parts] of Object.entries(folders)) {
    const from = join(root, ...parts);
    mkdirSync(join(data, name), { recursive: true });
    const files = readdirSync(from).filter((file) => isWanted[name].test(file));
    for (const file of files) copyFileSync(join(from, file), join(data, name, file));
  }
}

/** Writes the notices that the licenses of the bundled packages require. */
function writeNotices(packages) {
  const notices = packages.map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    const files = readdirSync(join(root, folder)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
    const texts = files.sort().map((file) => readFileSync(join(root, folder, file), "utf8").trim());
    return [`${name} ${version} (${license})`, ...texts].join("\n\n");
  });
  writeFileSync(join(server, "NOTICES.txt"), `${notices.join(`\n\n${"-".repeat(80)}\n\n`)}\n`);
  copyFileSync(join(root, "LICENSE"), join(server, "LICENSE"));
}

function run(command, args, cwd = root) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] });
  if (status === 0) return;
  console.error(`mecgym: \`${command} ${args.join(" ")}\` failed${error ? ` (${error.code})` : ""}`);
  process.exit(1);
}
