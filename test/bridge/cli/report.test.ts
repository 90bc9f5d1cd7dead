/** `mecgym report` as a real process: a self-contained page that says what was verified and shows every figure. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { killAll, run } from "../processes.js";

const folder = mkdtempSync(join(tmpdir(), "mecgym-report-"));
const sound = join(folder, "result.json");
const wrong = join(folder, "wrong <b>.json");
const out = join(folder, "page.html");
const page = () => parseHTML(readFileSync(out, "utf8")).document;

beforeAll(async () => {
  const args = ["paper-table-2", "--policies", "oracle,random", "--episodes", "3", "--out", folder];
  expect((await run("run", ...args)).code).toBe(0);
  const result = JSON.parse(readFileSync(sound, "utf8"));
  result.settings[1].policies[0].metrics.averageLatencySlots.value -= 0.25;
  writeFileSync(wrong, JSON.stringify(result));
}, 600_000);
afterAll(() => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});

describe("mecgym report", { timeout: 600_000 }, () => {
  it("shows figures with intervals, the paper's marked, notes, a picture, and loads nothing", async () => {
    const { code, stdout } = await run("report", sound, "--out", out);
    expect([code, stdout]).toEqual([0, ""]);
    const text = readFileSync(out, "utf8");
    const markup = text.replace(/<script\b[^>]*>.*?<\/script>/gs, "");
    expect(markup).not.toMatch(/<(script|link|iframe|img)\b|\bsrc=|\bhref=|url\(|@import/);
    expect(text.length).toBeLessThan(3_000_000);
    const document = page();
    expect(document.querySelector(".verdict")?.textContent).toMatch(/result\.json: verified/);
    const rows = [...document.querySelectorAll("tr")].map((row) => row.textContent ?? "");
    const { value, low, high } = JSON.parse(readFileSync(sound, "utf8")).settings[1].policies[0].metrics
      .averageLatencySlots;
    const cell = `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
    expect(rows.filter((row) => row.includes("episodic") && row.includes("oracle") && row.includes(cell))).toHaveLength(
      1,
    );
    expect(rows.some((row) => row.includes("DQN reported") && row.includes("3.3966"))).toBe(true);
    expect(document.querySelector("section ul:last-of-type")?.textContent).toMatch(/DQN's average latency of 3\.3966/);
    // for readers who cannot see the page: a language, a title, headings in order, column headers, a named picture
    expect(document.documentElement.getAttribute("lang")).toBe("en");
    expect(document.querySelector("title")?.textContent).toBe("mecgym results");
    const headings = [...document.querySelectorAll("h1, h2, h3")].map(({ tagName }) => tagName);
    expect(headings).toEqual(["H1", "H2", "H2", "H3", "H3", "H3"]);
    for (const head of document.querySelectorAll("th")) expect(head.getAttribute("scope")).toBe("col");
    const svg = document.querySelector("svg");
    expect(svg?.getAttribute("role")).toBe("img");
    expect(svg?.getAttribute("aria-label")).not.toBe("");
    // a dot for each of ours, a circle for each of the paper's
    const numReported = rows.filter((row) => row.includes("reported")).length;
    expect(svg?.querySelectorAll("circle")).toHaveLength(4 + numReported);
  });

  it("marks files that disagree, and files that were not replayed", async () => {
    const both = await run("report", sound, wrong, "--out", out);
    expect(both.code).toBe(1);
    const verdicts = [...page().querySelectorAll(".verdict")].map((verdict) => verdict.textContent);
    expect(verdicts[0]).toMatch(/result\.json: verified/);
    expect(verdicts[1]).toMatch(
      /wrong <b>\.json: NOT VERIFIED\. At \/settings\/1\/policies\/0\/metrics\/averageLatencySlots/,
    );
    expect((await run("report", wrong, "--no-verify", "--out", out)).code).toBe(0);
    expect(page().querySelector(".verdict")?.textContent).toMatch(/UNVERIFIED/);
  });

  it("refuses bad files in one line and writes nothing", async () => {
    const none = join(folder, "none.html");
    const { code, stderr } = await run("report", join(folder, "table.md"), "--out", none);
    expect(code).toBe(2);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(() => readFileSync(none)).toThrow("ENOENT");
  });
});
