/** `node scripts/pages.mjs [FOLDER]`: builds the pages that play episodes; each is one file without network access. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Browsers that have WebAssembly SIMD and compile a small module synchronously. */
const TARGET = ["chrome114", "firefox115", "safari16.4"];

/** The script of a page, bundled with the simulator and its module. */
export function bundle(entry) {
  const { outputFiles } = buildSync({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    platform: "browser",
    format: "iife",
    target: TARGET,
    write: false,
    logLevel: "warning",
    legalComments: "none",
  });
  // the end of a script element must not stand in its text
  return outputFiles[0].text.replaceAll("</script", "<\\/script");
}

/** A page as one text: its HTML with style and script put in. */
export function playgroundPage() {
  const folder = join(root, "benchmarks", "viewer");
  const read = (name) => readFileSync(join(folder, name), "utf8");
  return read("playground.html")
    .replace("/* page.css */", () => read("page.css"))
    .replace("/* script */", () => bundle("benchmarks/viewer/playground.ts"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? join(root, "docs", "site");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "playground.html");
  const page = playgroundPage();
  writeFileSync(file, page);
  console.log(`wrote ${file}, ${(page.length / 1000).toFixed(0)} kB`);
}
