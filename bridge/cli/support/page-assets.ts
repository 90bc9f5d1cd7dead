/** What a report's page carries for its viewer: files that the build puts next to the command. */

import { readFileSync } from "node:fs";
import type { PageAssets } from "../../../benchmarks/report/page.js";

export function readPageAssets(): PageAssets {
  const read = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");
  return {
    viewer: read("replay.html"),
    style: read("page.css"),
    // the end of a script element must not stand in its text
    script: read("replay.js").replaceAll("</script", "<\\/script"),
  };
}
