/** The prompt templates, by id. */

import { enCompactV1 } from "./en-compact-v1.js";
import { enV1 } from "./en-v1.js";
import type { Template } from "./template.js";
import { zhReleaseV1 } from "./zh-release-v1.js";

export const templateIds = ["en-v1", "en-compact-v1", "zh-release-v1"] as const;
export type TemplateId = (typeof templateIds)[number];

export const templates: Readonly<Record<TemplateId, Template>> = {
  "en-v1": enV1,
  "en-compact-v1": enCompactV1,
  "zh-release-v1": zhReleaseV1,
};
