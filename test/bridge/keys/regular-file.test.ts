/** Files that commands read: regular files of a bounded size. A pipe or a device is refused and not waited for. */

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readAllowList } from "../../../bridge/keys/key-files.js";
import { readRegularFile } from "../../../bridge/keys/regular-file.js";
import { killAll, run } from "../processes.js";
import { temporaryFolder } from "../servers.js";

afterAll(killAll);

function pipe(): string {
  const path = join(temporaryFolder(), "pipe.jsonl");
  expect(spawnSync("mkfifo", [path]).status).toBe(0);
  return path;
}

describe("a file", () => {
  it("is read up to its largest size", () => {
    const file = join(temporaryFolder(), "text");
    writeFileSync(file, "12345");
    expect(String(readRegularFile(file, 5))).toBe("12345");
    expect(() => readRegularFile(file, 4)).toThrow("it has 5 bytes, more than 4");
  });

  it("that is a pipe, a device or a folder is refused", () => {
    expect(() => readRegularFile(pipe())).toThrow("it is not a regular file");
    expect(() => readRegularFile("/dev/zero")).toThrow("it is not a regular file");
    expect(() => readRegularFile(temporaryFolder())).toThrow("it is a folder");
  });

  it("of a key is a small one", () => {
    const file = join(temporaryFolder(), "large.key");
    writeFileSync(file, " ".repeat(65_537));
    expect(() => readAllowList([file], "")).toThrow(/a key file \(it has 65537 bytes, more than 65536\)/);
    expect(() => readAllowList([pipe()], "")).toThrow(/a key file \(it is not a regular file\)/);
  });
});

describe("a pipe that nobody writes to", { timeout: 300_000 }, () => {
  it.each(["verify", "dataset check", "score --profile comllm-release", "submit --check"])(
    "is refused by mecgym %s",
    async (command) => {
      const { code, stderr } = await run(...command.split(" "), pipe());
      expect(code).toBe(2);
      expect(stderr).toMatch(/^mecgym: \w+ at .*a file to read \(it is not a regular file\).*\n$/);
    },
  );
});
