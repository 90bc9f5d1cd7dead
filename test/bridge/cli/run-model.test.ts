/** `mecgym run --model`: a model plays over HTTP, is killed and resumed, and stands in a result that verifies. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseResult } from "../../../benchmarks/result-file.js";
import { misbehaviours as bad, hashOf, ModelServer } from "../../benchmarks/models/model-server.js";
import { end, killAll, root, start } from "../processes.js";

const KEY = "sk-secret-67890";
const folder = mkdtempSync(join(tmpdir(), "mecgym-model-"));
let server: ModelServer;
let url: string;

beforeEach(async () => {
  server = new ModelServer();
  url = await server.start();
});
afterEach(() => server.stop());
afterAll(() => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});

const suite = ["run", "paper-table-2", "--policies", "oracle,local", "--episodes", "2", "--workers", "1"];
const startRun = (out: string, ...more: string[]) =>
  start([...suite, "--model", "tiny", "--base-url", url, "--out", join(folder, out), ...more], {
    ...process.env,
    OPENAI_API_KEY: KEY,
  });
const runModel = (out: string, ...more: string[]) => end(startRun(out, ...more));
const read = (out: string, file: string) => readFileSync(join(folder, out, file), "utf8");
const linesOf = (out: string) => read(out, "answers.jsonl").split("\n").slice(0, -1);
/** Some answers cannot be read, and some name a server that does not exist. */
const uneven = ({ text }: { text: string }) => {
  const hash = hashOf(text);
  if (hash % 10 === 0) return "I cannot say.";
  return hash % 10 === 1 ? "Server 9" : `Server ${1 + (hash % 6)}`;
};

describe("mecgym run --model", { timeout: 300_000 }, () => {
  it("plays both protocols, through an endpoint's bad moments, to a result that verifies", async () => {
    server.answer = uneven;
    server.next.push(bad.broken, bad.busy("0.2"), bad.notJson, bad.cutOff, bad.wrongSchema);
    const { code, stdout, stderr } = await runModel("whole", "--concurrency", "4");
    expect(stderr).toContain("questions, 5 retries");
    expect(code).toBe(0);
    expect(stdout).toMatch(/\| static +\| tiny +\| +\d/);
    expect(stdout).toMatch(/\| episodic +\| tiny +\| +\d/);
    expect(stdout).toContain("unread answers (%)");

    const result = parseResult(read("whole", "result.json"), "result.json");
    const [fixed, episodic] = result.settings.map(({ policies }) => policies[2]);
    expect(fixed.policy).toEqual({
      name: "tiny",
      kind: "external",
      answers: "words",
      parameters: {
        model: "tiny",
        form: "chat",
        template: "en-v1",
        perturbation: "standard",
        system: "no",
        instruction: "direct",
        temperature: 0,
        maxTokens: 64,
      },
    });
    const decisions = episodic.actions.flat().length;
    const kinds = new Set(episodic.failures?.map(({ failure }) => failure));
    expect(kinds).toEqual(new Set(["noDecision", "invalidAction"]));
    const unread = episodic.failures?.filter(({ failure }) => failure === "noDecision").length as number;
    expect(episodic.metrics.parseFailurePercent?.value).toBeCloseTo((100 * unread) / decisions, 10);

    const lines = linesOf("whole");
    expect(lines.length).toBe(2 + decisions);
    const usage = JSON.parse(read("whole", "usage.json"));
    expect(usage).toMatchObject({
      questions: lines.length,
      keptAnswers: 0,
      retries: 5,
      promptTokens: 100 * lines.length,
      completionTokens: 3 * lines.length,
      cutAnswers: 0,
    });
    expect(usage.answerSeconds).toBeGreaterThan(0);
    expect(server.asked.length).toBe(lines.length + 5);

    // the key was used, and stands nowhere
    expect(new Set(server.asked.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${KEY}`]));
    const files = readdirSync(join(folder, "whole")).filter((name) => statSync(join(folder, "whole", name)).isFile());
    expect(files.sort()).toEqual(["answers.jsonl", "result.json", "table.md", "usage.json"]);
    for (const text of [stdout, stderr, ...files.map((name) => read("whole", name))]) expect(text).not.toContain(KEY);

    const verified = await end(start(["verify", join(folder, "whole", "result.json")]));
    expect(verified.stdout).toContain("verified, paper-table-2");
    expect(verified.code).toBe(0);
  });

  it("asks nothing twice after a kill, and ends with the same bytes", async () => {
    server.answer = uneven;
    server.delayMs = 3;
    const child = startRun("killed", "--concurrency", "3");
    const killed = end(child);
    while (server.asked.length < 120) await new Promise((resolve) => setTimeout(resolve, 2));
    child.kill("SIGKILL");
    expect((await killed).code).toBeNull();
    const kept = linesOf("killed");
    expect(kept.length).toBeGreaterThan(50);
    // the process was killed in the middle of a line
    writeFileSync(join(folder, "killed", "answers.jsonl"), `${kept.join("\n")}\n${kept[0].slice(0, 60)}`);
    server.asked.length = 0;

    const refused = await runModel("killed");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(`${kept.length} answers`);
    expect(server.asked.length).toBe(0);

    const { code, stderr } = await runModel("killed", "--resume", "--concurrency", "5");
    expect(code).toBe(0);
    expect(stderr).toContain(`${kept.length} of them answered before`);
    const all = linesOf("killed");
    expect(all.slice(0, kept.length)).toEqual(kept);
    expect(server.asked.length).toBe(all.length - kept.length);
    const places = all.map((line) => {
      const { setting, seed, decision } = JSON.parse(line);
      return `${setting} ${seed} ${decision}`;
    });
    expect(new Set(places).size).toBe(all.length);
    expect(read("killed", "result.json")).toBe(read("whole", "result.json"));

    server.asked.length = 0;
    expect((await runModel("killed", "--resume")).code).toBe(0);
    expect(server.asked.length).toBe(0);
    expect(read("killed", "result.json")).toBe(read("whole", "result.json"));
  });

  it("keeps its answers at Ctrl-C, and asks other questions afresh", async () => {
    server.delayMs = 3;
    const child = startRun("stopped", "--settings", "static", "--episodes", "60", "--concurrency", "1");
    const ended = end(child);
    while (server.asked.length < 10) await new Promise((resolve) => setTimeout(resolve, 2));
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).toContain("answers are kept, and --resume continues after them");
    const kept = linesOf("stopped").length;
    expect(kept).toBeGreaterThanOrEqual(9);
    server.delayMs = 0;
    server.asked.length = 0;
    const options = ["--template", "en-compact-v1", "--reasoning", "--system", "--perturbation", "units"];
    const other = await runModel("stopped", "--settings", "static", "--episodes", "60", "--resume", ...options);
    expect(other.code).toBe(0);
    expect(server.asked.length).toBe(60);
    expect(linesOf("stopped").length).toBe(kept + 60);
    const [{ body }] = server.asked;
    expect(body.max_tokens).toBe(2048);
    expect(body.messages.map(({ role }: { role: string }) => role)).toEqual(["system", "user"]);
  });

  it("ends with exit code 1 and its reason if the endpoint gives up, and continues later", async () => {
    for (let i = 0; i < 1000; i++) server.next.push(i < 10 ? () => "answer" : bad.broken);
    const settings = ["--settings", "static", "--episodes", "30", "--form", "plain"];
    const { code, stderr } = await runModel("broken", ...settings, "--give-up-seconds", "0.6", "--concurrency", "2");
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /tiny at http:\S+ has no answer after \d attempts?: status 500 out of memory; giveUpSeconds/,
    );
    expect(stderr).toContain("--resume continues after them");
    expect(linesOf("broken").length).toBe(10);
    server.next.length = 0;
    server.asked.length = 0;
    expect((await runModel("broken", ...settings, "--resume")).code).toBe(0);
    expect(server.asked.length).toBe(20);
    expect(server.asked[0].body.prompt).toContain("Server 1");
  });

  it("runs the command of its page", async () => {
    const page = readFileSync(join(root, "docs", "models.md"), "utf8");
    const [, command] = /^npm run -s mecgym -- (run .*)$/m.exec(page) ?? [];
    const words = command.split(" ").map((word) => (word.startsWith("http:") ? url : word));
    const out = join(folder, "page");
    const few = ["--episodes", "2", "--policies", "oracle", "--settings", "static"];
    const { code, stdout } = await end(start([...words, ...few, "--out", out]));
    expect(code).toBe(0);
    expect(stdout).toMatch(/\| static +\| Qwen\/Qwen2.5-1.5B-Instruct +\|/);
  });

  it.each([
    [["--model", "tiny"], "--base-url"],
    [["--base-url", "http://localhost/v1"], "--base-url"],
    [["--model", "tiny", "--base-url", "localhost:80"], "--base-url"],
    [["--model", "tiny", "--base-url", "http://me:word@localhost/v1"], "--base-url"],
    [["--model", "oracle", "--base-url", "http://localhost/v1"], "--model"],
    [["--model", "tiny", "--name", "priced:x", "--base-url", "http://localhost/v1"], "--name"],
    [["--model", "tiny", "--base-url", "http://localhost/v1", "--body", "[1]"], "--body"],
    [["--model", "tiny", "--base-url", "http://localhost/v1", "--body", '{"n": 2}'], "--body"],
    [["--model", "tiny", "--base-url", "http://localhost/v1", "--template", "en-v9"], "--template"],
  ])("refuses %j with one line and exit code 2", async (options, name) => {
    const { code, stderr } = await end(start([...suite, "--out", join(folder, "none"), ...options]));
    expect(code).toBe(2);
    expect(stderr.trim().split("\n").length).toBe(1);
    expect(stderr).toContain(name);
    expect(stderr).not.toContain("word@");
  });
});
