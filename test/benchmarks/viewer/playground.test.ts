/** The playground in headless Chromium: it plays the benchmark's bits, and people can use it. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makePolicy } from "../../../benchmarks/policies/index.js";
import { costText } from "../../../benchmarks/viewer/cost-curve.js";
import { EpisodeTrack } from "../../../benchmarks/viewer/episode-track.js";
import { resolveScenario } from "../../../env/index.js";
import { playgroundPage } from "../../../scripts/pages.mjs";
import { chromiumPath, devices, openPage, startBrowser } from "../../browser.js";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

describe.skipIf(chromiumPath === undefined)("the playground", () => {
  let browser: Browser;
  let folder: string;
  let url: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "mecgym-playground-"));
    const file = join(folder, "playground.html");
    writeFileSync(file, playgroundPage());
    url = pathToFileURL(file).href;
    browser = await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  test.each(devices)("has no error, no request and no serious finding of axe: $name", async (device) => {
    const { page, problems } = await openPage(browser, url, device);
    await page.click("#to-end");
    await page.addScriptTag({ path: axe });
    const found = (await page.evaluate("axe.run()")) as { violations: { id: string; impact: string }[] };
    const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    expect(serious.map(({ id }) => id)).toEqual([]);
    // nothing is wider than the screen
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(device.width);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("shows the means that Node computes", async () => {
    const { page, problems } = await openPage(browser, url, devices[0]);
    await page.click("#to-end");
    const world = resolveScenario({ users: { count: 30 }, episodeSlots: 1000 });
    for (const [side, name] of [
      ["left", "oracle"],
      ["right", "priced:tollSlots=10"],
    ]) {
      const track = new EpisodeTrack(world, 1_000_000, makePolicy(name, 1_000_000, world));
      track.playToSlot(1000);
      expect(await page.textContent(`#name-${side}`)).toBe(name);
      expect(await page.textContent(`#mean-${side}`)).toBe(costText(track));
    }
    // greed collapses, the toll does not
    const [left, right] = await Promise.all(["#mean-left", "#mean-right"].map((id) => page.textContent(id)));
    expect(Number.parseFloat(left ?? "")).toBeGreaterThan(3 * Number.parseFloat(right ?? ""));
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("a preset, a slider and another policy start a new episode", async () => {
    const { page, problems } = await openPage(browser, url, devices[0]);
    await page.click("button[data-preset=paper]");
    await page.click("#to-end");
    expect(await page.textContent("#users-value")).toBe("12");
    const before = await page.textContent("#mean-left");
    await page.selectOption("#policy-left", "random");
    await page.click("#to-end");
    expect(await page.textContent("#name-left")).toBe("random");
    expect(await page.textContent("#mean-left")).not.toBe(before);
    await page.focus("#servers");
    await page.keyboard.press("ArrowRight");
    expect(await page.textContent("#servers-value")).toBe("7");
    expect(await page.locator("#scene-left svg rect.room").count()).toBe(7);
    await page.click("#next-seed");
    expect(await page.textContent("#seed")).toBe("1000001");
    expect(problems).toEqual([]);
    await page.context().close();
  });
});
