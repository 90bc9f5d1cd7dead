/** Results as one self-contained HTML page: tables, charts, notes, and whether each result was verified. */

import MarkdownIt from "markdown-it";
import type { Result } from "../../schemas/generated/types.js";
import type { VerifyReport } from "../runs/verify.js";
import { suiteOfResult } from "../suites/suites.js";
import { latencyChart } from "./chart.js";
import { renderMarkdown } from "./markdown.js";

/** A result on a page. */
export interface ReportedFile {
  readonly file: string;
  readonly result: Result;
  /** What its replay found; undefined if it was not replayed. */
  readonly verification: VerifyReport | undefined;
}

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff}
body{max-width:75rem;margin:0 auto;padding:1rem}
table{border-collapse:collapse;font-size:.875rem}
th,td{border:1px solid #767676;padding:.25rem .5rem}
td{white-space:nowrap}
th{background:#eee}
.scroll{overflow-x:auto}
.verdict{border-left:.4rem solid;padding:.5rem 1rem}
svg{max-width:100%;height:auto}`;

/**
 * The whole page.
 *
 * @throws MecgymError `unknownSuite`, `mixedProfiles`
 */
export async function renderPage(files: readonly ReportedFile[]): Promise<string> {
  const markdown = pageMarkdown();
  const parts: string[] = [];
  for (const { file, result, verification } of files) {
    const suite = suiteOfResult(result);
    const page = markdown.render(renderMarkdown(suite, result));
    const headingEnd = page.indexOf("</h2>") + "</h2>".length;
    parts.push(
      "<section>",
      page.slice(0, headingEnd),
      `<p class="verdict">${markdown.utils.escapeHtml(`${file}: ${verdictText(verification)}`)}</p>`,
      page.slice(headingEnd),
      "<figure><figcaption>Average latency: dots with 95 % intervals are ours, circles are reported in the paper." +
        "</figcaption>",
      await latencyChart(suite, result),
      "</figure>",
      "</section>",
    );
  }
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>mecgym results</title>
<style>
${STYLE}
</style>
</head>
<body>
<main>
<h1>mecgym results</h1>
${parts.join("\n")}
</main>
</body>
</html>
`;
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
