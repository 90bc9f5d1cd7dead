/** Which file may import which, and what the simulator must not contain, checked on the sources. */

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
  /** Its imports: paths from the root for relative ones, else names of packages. */
  readonly imports: readonly string[];
}

/** The imports of a source, including type imports, re-exports and dynamic imports. */
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

/** The layers of the simulator, which every layer above it may import. */
const simulator = [
  "schemas",
  "schemas/generated",
  "env",
  "env/scenario",
  "env/core",
  "env/batch",
  "env/language",
  "env/comllm-release",
  "env/index.ts",
];

/** What the benchmark may import of the simulator: it plays the physics, and does not reach into it. */
const withoutCore = simulator.filter((layer) => layer !== "env/core");

/** The layers of the benchmark that the command and the server's jobs may import. */
const benchmark = [
  "benchmarks/policies",
  "benchmarks/metrics",
  "benchmarks/suites",
  "benchmarks/play",
  "benchmarks/datasets",
  "benchmarks/jobs",
  "benchmarks/figures.ts",
  "benchmarks/result-file.ts",
  "benchmarks/runs",
  "benchmarks/report",
  "benchmarks/answers",
  "benchmarks/tuning",
  "benchmarks/studies",
  "benchmarks/speed",
];

/**
 * Every layer with the layers it may import besides itself, lowest first. A file belongs to the longest entry that is
 * its path or begins it.
 */
const layers: Record<string, readonly string[]> = {
  "schemas/generated": [],
  schemas: ["schemas/generated"],
  "schemas/tools": [],

  // errors, checks, exact mathematics, random streams and digests
  env: [],
  "env/scenario/generated": ["schemas/generated"],
  "env/scenario": ["schemas", "schemas/generated", "env", "env/scenario/generated"],
  "env/core": ["env", "env/scenario"],
  "env/batch": ["schemas/generated", "env", "env/scenario", "env/core"],
  "env/language": ["schemas/generated", "env", "env/scenario", "env/batch"],
  "env/comllm-release": ["env", "env/scenario", "env/batch", "env/language"],
  "env/index.ts": ["env", "env/scenario", "env/core", "env/batch", "env/language", "env/comllm-release"],

  "benchmarks/figures.ts": [],
  "benchmarks/policies": [...withoutCore],
  // pages that play episodes in a browser
  "benchmarks/viewer": [...withoutCore, "benchmarks/policies"],
  "benchmarks/metrics": [...withoutCore, "benchmarks/figures.ts"],
  "benchmarks/suites": [...withoutCore, "benchmarks/policies", "benchmarks/metrics"],
  "benchmarks/play": [...withoutCore, "benchmarks/policies", "benchmarks/metrics"],
  "benchmarks/datasets": [...withoutCore, "benchmarks/policies", "benchmarks/play"],
  "benchmarks/jobs": [
    ...withoutCore,
    "benchmarks/policies",
    "benchmarks/metrics",
    "benchmarks/play",
    "benchmarks/datasets",
  ],
  "benchmarks/result-file.ts": [...withoutCore, "benchmarks/figures.ts", "benchmarks/metrics"],
  "benchmarks/runs": [
    ...withoutCore,
    "benchmarks/result-file.ts",
    "benchmarks/policies",
    "benchmarks/metrics",
    "benchmarks/suites",
    "benchmarks/play",
    "benchmarks/jobs",
  ],
  "benchmarks/report": [
    ...withoutCore,
    "benchmarks/figures.ts",
    "benchmarks/metrics",
    "benchmarks/suites",
    "benchmarks/runs",
  ],
  "benchmarks/answers": [...withoutCore, "benchmarks/figures.ts", "benchmarks/metrics", "benchmarks/report"],
  "benchmarks/tuning": [
    ...withoutCore,
    "benchmarks/figures.ts",
    "benchmarks/policies",
    "benchmarks/metrics",
    "benchmarks/play",
    "benchmarks/jobs",
  ],
  "benchmarks/studies": [
    ...withoutCore,
    "benchmarks/figures.ts",
    "benchmarks/result-file.ts",
    "benchmarks/policies",
    "benchmarks/metrics",
    "benchmarks/suites",
    "benchmarks/play",
    "benchmarks/jobs",
    "benchmarks/runs",
    "benchmarks/tuning",
  ],
  // the machine's floor is made of the core's logarithms, and peers get the parameters that the core computes with
  "benchmarks/speed": [...simulator, "benchmarks/figures.ts", "benchmarks/jobs"],
  "benchmarks/peers": [...simulator],

  "bridge/keys": ["env"],
  "bridge/wire": [...simulator],
  "bridge/lanes": [...simulator, "bridge/wire"],
  "bridge/server/socket": [...simulator, "bridge/keys", "bridge/wire"],
  "bridge/server": [...simulator, "bridge/keys", "bridge/wire", "bridge/lanes", "bridge/server/socket"],
  "bridge/client": [...simulator, "bridge/keys", "bridge/wire"],
  "bridge/conformance": [...simulator, "bridge/keys", "bridge/wire", "bridge/client"],
  "bridge/composition": [...simulator, ...benchmark, "bridge/wire", "bridge/lanes", "bridge/server"],
  "bridge/cli/support": [
    ...simulator,
    ...benchmark,
    "bridge/keys",
    "bridge/wire",
    "bridge/server",
    "bridge/client",
    "bridge/composition",
  ],
  "bridge/cli/commands": [
    ...simulator,
    ...benchmark,
    "bridge/keys",
    "bridge/wire",
    "bridge/server",
    "bridge/client",
    "bridge/conformance",
    "bridge/composition",
    "bridge/cli/support",
  ],
  "bridge/cli": ["bridge/cli/support", "bridge/cli/commands"],

  "index.ts": ["env", "env/index.ts", "benchmarks/policies"],
};

/** The layer a file of the package belongs to; undefined if it belongs to none. */
function layerOf(path: string): string | undefined {
  return Object.keys(layers)
    .filter((layer) => path === layer || path.startsWith(`${layer}/`))
    .sort((a, b) => b.length - a.length)[0];
}

/** Packages that only certain files may import. */
const owners: Record<string, readonly string[]> = {
  ajv: ["schemas/validate.ts"],
  seedrandom: ["env/random.ts"],
  msgpackr: ["bridge/wire/header.ts"],
  zeromq: [
    "bridge/server/socket/bind.ts",
    "bridge/server/socket/zap-handler.ts",
    "bridge/keys/curve.ts",
    "bridge/client/raw-socket.ts",
    "bridge/client/client.ts",
  ],
};

function packageName(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
}

/** Whether an import names a file of this repository, JSON data included. */
function isFile(specifier: string): boolean {
  return existsSync(`${root}/${specifier}`);
}

describe("imports", () => {
  it("are all found, of every kind", () => {
    const text = `
      import a from "./a.js"; import type { B } from "./b.js"; export * from "../c.js"; export { d } from "d";
      const e = await import("./e.js"); const f = require("f"); import "node:g"; // import h from "h"
      const i = 'import i from "i"';
    `;
    expect(importsOf("x/y.ts", text).sort()).toEqual(["c.ts", "d", "f", "node:g", "x/a.ts", "x/b.ts", "x/e.ts"]);
    expect(sources.length).toBeGreaterThan(20);
  });

  it.each(sources)("$path: imports only its layer and the layers that it may import", ({ path, imports }) => {
    const layer = layerOf(path);
    expect(layer, "a file that belongs to no layer").toBeDefined();
    const allowed = [layer, ...layers[layer as string]];
    // package.json, for the version, belongs to no layer
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

  it.each(Object.entries(owners))("%s is imported only by %s", (name, files) => {
    const importers = sources.filter(({ imports }) => imports.some((target) => packageName(target) === name));
    for (const { path } of importers) expect(files).toContain(path);
    // an owner that no longer needs its package should lose its entry here
    for (const file of files.filter(isFile)) expect(importers.map(({ path }) => path)).toContain(file);
  });

  it("have no cycle between the files of the simulator, except through types", () => {
    const valueImports = new Map<string, string[]>();
    for (const { path, text } of sources.filter((source) => source.path.startsWith("env/"))) {
      const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022);
      const targets = source.statements.flatMap((statement) => {
        if (!ts.isImportDeclaration(statement) || statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) {
          return [];
        }
        const specifier = (statement.moduleSpecifier as ts.StringLiteral).text;
        if (!specifier.startsWith(".")) return [];
        const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, ".ts");
        return target.startsWith("env/") ? [target] : [];
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

/** The functions of Math that are the same on every machine; the others may differ in the last bit, or are random. */
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
  const pure = sources.filter(({ path }) => path.startsWith("env/") || path.startsWith("benchmarks/policies/"));

  it("the search finds all impurities and nothing else", () => {
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

  it.each(pure)("$path: no randomness, no inexact mathematics and no clock", ({ path, text }) => {
    expect(impurities(path, text)).toEqual([]);
  });

  it.each(sources.filter(({ path }) => path.startsWith("env/")))("$path: no Node API", ({ text, imports }) => {
    const builtins = imports.filter(
      (target) => target.startsWith("node:") || builtinModules.includes(packageName(target)),
    );
    expect(builtins).toEqual([]);
    expect(/\b(globalThis|__dirname|__filename)\b/.test(text)).toBe(false);
  });
});

describe("every source file", () => {
  it.each(sources.filter(({ path }) => !path.includes("/generated/")))(
    "$path: opens with a sentence that says what it is",
    ({ text }) => {
      const opening = text.replace(/^#!.*\n/, "");
      expect(opening.startsWith("/**")).toBe(true);
    },
  );
});
