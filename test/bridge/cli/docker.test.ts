/** The Dockerfile, carried out step by step in folders: what it copies is enough, and nothing else is there. */

import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { readClientKeys, writeKeyPair } from "../../../bridge/keys/key-files.js";
import { readyLine, root } from "../processes.js";
import { atEnd, connect, temporaryFolder } from "../servers.js";

interface Step {
  readonly instruction: string;
  readonly text: string;
}

/** Instructions of each stage, by its name; the last stage has no name. */
function readStages(): Map<string, Step[]> {
  const stages = new Map<string, Step[]>();
  let steps: Step[] = [];
  for (const line of readFileSync(join(root, "Dockerfile"), "utf8").split("\n")) {
    const [, instruction, text] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    if (instruction === undefined) continue;
    if (instruction === "FROM") {
      steps = [];
      stages.set(/ AS (\w+)$/.exec(text)?.[1] ?? "", steps);
    } else steps.push({ instruction, text });
  }
  return stages;
}

/** Whether .dockerignore lets a path through: its exceptions, without the folders that it excludes again. */
const isSent = (() => {
  const rules = readFileSync(join(root, ".dockerignore"), "utf8")
    .split("\n")
    .filter((line) => /^[^#]/.test(line));
  const kept = rules.filter((rule) => rule.startsWith("!")).map((rule) => rule.slice(1));
  const dropped = rules.filter((rule) => !rule.startsWith("!") && rule !== "*");
  const isIn = (path: string, folders: string[]) => folders.some((one) => path === one || path.startsWith(`${one}/`));
  return (path: string) => isIn(path, kept) && !isIn(path, dropped);
})();

/** Carries out the steps of a stage. Instead of `npm ci` it links the packages of the clone. */
function build(stages: Map<string, Step[]>, name: string, folder: string): void {
  for (const { instruction, text } of stages.get(name) as Step[]) {
    if (instruction === "RUN" && text.startsWith("npm ci")) {
      symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    } else if (instruction === "RUN") {
      const [command, ...args] = text.split(" ");
      expect(spawnSync(command, args, { cwd: folder, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
    } else if (instruction === "COPY") copy(text, folder);
  }
}

function copy(text: string, folder: string): void {
  const paths = text.split(" ");
  const target = paths.pop() as string;
  for (const path of paths) {
    const isFolder = target.endsWith("/");
    const to = isFolder ? join(folder, target, path.split("/").pop() as string) : join(folder, target);
    mkdirSync(dirname(to), { recursive: true });
    expect(isSent(path), `${path} is kept out by .dockerignore`).toBe(true);
    cpSync(join(root, path), to, { recursive: true, filter: (source) => isSent(source.slice(root.length + 1)) });
  }
}

describe("the Dockerfile", { timeout: 600_000 }, () => {
  it("makes a server that clients with keys can use, only from the files that it names", async () => {
    const stages = readStages();
    expect([...stages.keys()]).toEqual(["build", "packages", ""]);
    const built = temporaryFolder();
    build(stages, "build", built);
    expect(existsSync(join(built, "bridge", "python"))).toBe(false);

    // the last stage takes no sources
    const image = temporaryFolder();
    let command: string[] = [];
    for (const { instruction, text } of stages.get("") as Step[]) {
      const [, from, source, target] = /^--from=(\w+) \/app\/(\S+) (\S+)$/.exec(text) ?? [];
      if (instruction === "COPY" && from === "build")
        cpSync(join(built, source), join(image, target), { recursive: true });
      else if (instruction === "COPY" && from === "packages") symlinkSync(join(root, source), join(image, target));
      else if (instruction === "COPY") copy(text, image);
      else if (instruction === "ENTRYPOINT" || instruction === "CMD") command = [...command, ...JSON.parse(text)];
    }
    expect(readdirSync(image).sort()).toEqual(["LICENSE", "dist", "node_modules", "package.json"]);
    expect(stages.get("")).toContainEqual({ instruction: "USER", text: "node" });

    const keys = temporaryFolder();
    for (const name of ["server", "client"]) writeKeyPair(keys, name);
    mkdirSync(join(keys, "clients"));
    cpSync(join(keys, "client.key"), join(keys, "clients", "someone.key"));
    const [node, ...args] = command.map((word) =>
      word.replace("/keys", keys).replace("tcp://*:5555", "tcp://127.0.0.1:*"),
    );
    expect(node).toBe("node");
    const child = spawn(process.execPath, args, { cwd: image, stdio: ["ignore", "pipe", "pipe"] });
    atEnd(() => child.kill("SIGKILL"));
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      log += chunk;
    });
    const ready = await readyLine(child);
    const client = connect(ready.address, { keys: readClientKeys(keys) });
    const session = await client.open({ scenarios: ["paper-v1"], numEnvs: 600 });
    expect((await session.reset(new Array(600).fill(7))).observation[0]).toBe(3.413769006729126);
    const code = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGTERM");
    expect(await code).toBe(0);
    expect(log).toMatch(/"msg":"ready"/);
  });
});
