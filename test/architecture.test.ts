/** Which file may import which, and what must not be in the simulator: read from the sources themselves. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

interface SourceFile {
  /** Path from the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
  /** What it imports: paths from the root where relative, names of packages else. */
  readonly imports: readonly string[];
}

/** What a source imports, type imports, re-exports and dynamic imports among them. */
function importsOf(path: string, text: string): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => {
    if (!fileName.startsWith(".")) return fileName;
    const file = posix.join(posix.dirname(path), fileName);
    // AssemblyScript's compiler wants imports without an ending
    return path.startsWith("env/core/assembly/") ? `${file}.ts` : file.replace(/\.js$/, ".ts");
  });
}

function readFolder(folder: string): SourceFile[] {
  return readdirSync(`${root}/${folder}`, { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === "python" || entry.name === "node_modules" ? [] : readFolder(path);
    return entry.name.endsWith(".ts") ? [readSource(path)] : [];
  });
}

function readSource(path: string): SourceFile {
  const text = readFileSync(`${root}/${path}`, "utf8");
  return { path, text, imports: importsOf(path, text) };
}

const folders = ["schemas", "env", "benchmarks", "bridge"];
const sources = [...folders.flatMap(readFolder), ...(existsSync(`${root}/index.ts`) ? [readSource("index.ts")] : [])];

/** The layer a file of the package belongs to; undefined for one that belongs to none. */
function layerOf(path: string): string | undefined {
  if (path === "index.ts") return "index";
  if (path.startsWith("schemas/")) return "schemas";
  if (path.startsWith("env/")) return "env";
  if (path.startsWith("benchmarks/policies/")) return "policies";
  if (path.startsWith("benchmarks/")) return "benchmarks";
  if (path === "bridge/cli.ts" || path.startsWith("bridge/commands/")) return "cli";
  if (/^bridge\/[a-z-]+\.ts$/.test(path)) return "bridge";
  return undefined;
}

/** The layers each layer may import, besides itself. */
const below: Record<string, readonly string[]> = {
  schemas: [],
  env: ["schemas"],
  policies: ["schemas", "env"],
  benchmarks: ["schemas", "env", "policies"],
  bridge: ["schemas", "env"],
  cli: ["schemas", "env", "policies", "benchmarks", "bridge"],
  index: ["env", "policies", "benchmarks"],
};

/** Packages that one file alone may import. */
const owners: Record<string, readonly string[]> = {
  ajv: ["schemas/validate.ts"],
  seedrandom: ["env/random.ts"],
  msgpackr: ["bridge/protocol.ts"],
  zeromq: ["bridge/listening.ts", "bridge/gate.ts", "bridge/keys.ts", "bridge/wire.ts", "bridge/client.ts"],
};

function packageName(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
}

/** Whether an import names a file of this repository (JSON data beside the sources too). */
function isFile(specifier: string): boolean {
  return existsSync(`${root}/${specifier}`);
}

describe("imports", () => {
  it("are all seen: the parser finds every kind there is", () => {
    const text = `
      import a from "./a.js"; import type { B } from "./b.js"; export * from "../c.js"; export { d } from "d";
      const e = await import("./e.js"); const f = require("f"); import "node:g"; // import h from "h"
      const i = 'import i from "i"';
    `;
    expect(importsOf("x/y.ts", text).sort()).toEqual(["c.ts", "d", "f", "node:g", "x/a.ts", "x/b.ts", "x/e.ts"]);
    expect(sources.length).toBeGreaterThan(20);
  });

  it.each(sources)("$path: its layer, and the layers below, alone", ({ path, imports }) => {
    const layer = layerOf(path);
    expect(layer, "a file that belongs to no layer").toBeDefined();
    const allowed = [layer, ...below[layer as string]];
    // the version is no layer's
    const files = imports.filter((target) => isFile(target) && target !== "package.json");
    for (const target of files) expect(allowed, `imports ${target}`).toContain(layerOf(target));
  });

  it.each(sources)("$path: relative imports name files that exist, packages those that are listed", ({ imports }) => {
    const { dependencies } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
    for (const target of imports) {
      if (isFile(target)) continue;
      const name = packageName(target);
      const isBuiltin = target.startsWith("node:");
      expect(isBuiltin || Object.hasOwn(dependencies, name), `imports ${target}`).toBe(true);
    }
  });

  it.each(Object.entries(owners))("%s is imported by %s alone", (name, files) => {
    const importers = sources.filter(({ imports }) => imports.some((target) => packageName(target) === name));
    for (const { path } of importers) expect(files).toContain(path);
    // an owner that no longer needs its package should lose its entry here
    for (const file of files.filter(isFile)) expect(importers.map(({ path }) => path)).toContain(file);
  });

  it("have no cycle between the files of the simulator but through types", () => {
    const valueImports = new Map<string, string[]>();
    for (const { path, text } of sources.filter((source) => source.path.startsWith("env/"))) {
      const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022);
      const targets = source.statements.flatMap((statement) => {
        if (!ts.isImportDeclaration(statement) || statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) {
          return [];
        }
        const specifier = (statement.moduleSpecifier as ts.StringLiteral).text;
        return specifier.startsWith("./") ? [posix.join("env", specifier).replace(/\.js$/, ".ts")] : [];
      });
      valueImports.set(path, targets);
    }
    const visit = (path: string, trail: readonly string[]): void => {
      expect(trail, `a cycle at ${path}`).not.toContain(path);
      for (const target of valueImports.get(path) ?? []) visit(target, [...trail, path]);
    };
    for (const path of valueImports.keys()) visit(path, []);
  });
});

/** What is the same on every machine: the rest of Math may differ in the last bit, or is random. */
const exactMath = new Set(["abs", "ceil", "clz32", "floor", "fround", "imul", "max", "min", "round", "sign", "trunc"]);
const clocks = new Set(["Date", "performance"]);

/** Uses of random, inexact or clock functions in a source; comments and strings do not count. */
function impurities(path: string, text: string): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && node.text === "Math") {
      const { parent } = node;
      const name = ts.isPropertyAccessExpression(parent) && parent.expression === node ? parent.name.text : undefined;
      if (name === undefined || !exactMath.has(name)) found.push(`Math.${name}`);
    }
    if (ts.isIdentifier(node) && clocks.has(node.text)) found.push(node.text);
    const isPower =
      node.kind === ts.SyntaxKind.AsteriskAsteriskToken || node.kind === ts.SyntaxKind.AsteriskAsteriskEqualsToken;
    if (isPower) found.push("**");
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

describe("the simulator and the policies", () => {
  const pure = sources.filter(({ path }) => ["env", "policies"].includes(layerOf(path) as string));

  it("the search sees what it is for, and nothing else", () => {
    const text = `
      /* Math.random() */ const a = "Date"; // 2 ** 3
      const b = Math.random() + Math.max(1, 2); const c = Math["log"](2); const d = 2 ** 3; let e = 2; e **= 2;
      const { exp } = Math; const f = Date.now(); const g = performance.now(); const h = \`\${Math.pow(2, 3)}\`;
    `;
    expect(impurities("x.ts", text)).toEqual([
      "Math.random",
      "Math.undefined",
      "**",
      "**",
      "Math.undefined",
      "Date",
      "performance",
      "Math.pow",
    ]);
  });

  it.each(pure)("$path: no chance, no inexact mathematics and no clock", ({ path, text }) => {
    expect(impurities(path, text)).toEqual([]);
  });

  it.each(sources.filter(({ path }) => path.startsWith("env/")))("$path: nothing of Node", ({ text, imports }) => {
    const builtins = imports.filter(
      (target) => target.startsWith("node:") || builtinModules.includes(packageName(target)),
    );
    expect(builtins).toEqual([]);
    expect(/\b(globalThis|__dirname|__filename)\b/.test(text)).toBe(false);
  });
});

describe("every source file", () => {
  it.each(sources.filter(({ path }) => !path.includes("/generated/")))(
    "$path: opens with what it is for",
    ({ text }) => {
      const opening = text.replace(/^#!.*\n/, "");
      expect(opening.startsWith("/**")).toBe(true);
    },
  );
});
