/** Results as one self-contained HTML page: tables, plots, a viewer of logged episodes, and what was verified. */

import MarkdownIt from "markdown-it";
import type { Result } from "../../schemas/generated/types.js";
import type { VerifyReport } from "../runs/verify.js";
import { suiteOfResult } from "../suites/suites.js";
import { latencyChart } from "./chart.js";
import { loggedSettings } from "./episodes.js";
import { renderMarkdown } from "./markdown.js";
import { type Picture, plotsOf } from "./plots.js";

/** A result on a page. */
export interface ReportedFile {
  readonly file: string;
  readonly result: Result;
  /** What its replay found; undefined if it was not replayed. */
  readonly verification: VerifyReport | undefined;
}

/** What the page carries for its viewer. */
export interface PageAssets {
  /** The viewer's markup, with the elements that its script looks for. */
  readonly viewer: string;
  readonly style: string;
  /** The viewer's script with the simulator in it. */
  readonly script: string;
}

const escapeHtml = (text: string) => new MarkdownIt().utils.escapeHtml(text);

/**
 * The whole page.
 *
 * @throws MecgymError `unknownSuite`, `mixedProfiles`
 */
export async function renderPage(files: readonly ReportedFile[], assets: PageAssets): Promise<string> {
  const markdown = pageMarkdown();
  const parts: string[] = [];
  for (const { file, result, verification } of files) {
    const suite = suiteOfResult(result);
    const page = markdown.render(renderMarkdown(suite, result));
    const headingEnd = page.indexOf("</h2>") + "</h2>".length;
    const latency: Picture = {
      caption: "Average latency: dots with 95 % intervals are ours, circles are reported in the paper.",
      legend: [],
      svg: await latencyChart(suite, result),
    };
    parts.push(
      "<section>",
      page.slice(0, headingEnd),
      `<p class="verdict">${escapeHtml(`${file}: ${verdictText(verification)}`)}</p>`,
      page.slice(headingEnd),
      ...[latency, ...(await plotsOf(suite, result))].map(figureOf),
      "</section>",
    );
  }
  const logged = loggedSettings(files.map(({ result }) => result));
  const viewer = logged.length === 0 ? [] : viewerOf(assets, JSON.stringify(logged));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mecgym results</title>
<style>
${assets.style}
</style>
</head>
<body>
<main>
<h1>mecgym results</h1>
${parts.join("\n")}
${viewer.join("\n")}
</main>
</body>
</html>
`;
}

function figureOf({ caption, svg, legend }: Picture): string {
  const entries = legend.map(
    ({ name, colour }) => `<li><span style="background:${colour}"></span>${escapeHtml(name)}</li>`,
  );
  const list = entries.length === 0 ? "" : `<ul class="legend">${entries.join("")}</ul>`;
  return `<figure><figcaption>${escapeHtml(caption)}</figcaption>${list}<div class="plot">${svg}</div></figure>`;
}

/** The viewer with its episodes. In a script element only `<` could end the text early. */
function viewerOf({ viewer, script }: PageAssets, episodes: string): string[] {
  return [
    viewer,
    `<script type="application/json" id="episodes">${episodes.replaceAll("<", "\\u003c")}</script>`,
    `<script>${script}</script>`,
  ];
}

function verdictText(verification: VerifyReport | undefined): string {
  if (verification === undefined) return "UNVERIFIED. Its action logs were not replayed.";
  const [first] = verification.problems;
  if (first === undefined) return "verified. Its action logs were replayed, and every figure computed again.";
  return `NOT VERIFIED. At ${first.path} the file has ${JSON.stringify(first.got)}, the replay ${first.expected}.`;
}

/** Renders Markdown with headings one level down, and with wide tables that can be scrolled by keyboard. */
function pageMarkdown(): MarkdownIt {
  const markdown = new MarkdownIt({ html: false });
  const { rules } = markdown.renderer;
  rules.heading_open = () => "<h2>";
  rules.heading_close = () => "</h2>\n";
  let numTables = 0;
  rules.table_open = () => `<div class="scroll" role="region" aria-label="Table ${++numTables}" tabindex="0"><table>\n`;
  rules.table_close = () => "</table></div>\n";
  rules.th_open = (tokens, i) => `<th scope="col"${styleOf(tokens[i].attrGet("style"))}>`;
  return markdown;
}

const styleOf = (style: string | null) => (style === null ? "" : ` style="${style}"`);
