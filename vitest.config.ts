/** Where the TypeScript tests are, and how long one may take. */

import { defineConfig } from "vitest/config";

export default defineConfig({
  // tests mostly wait for processes that they start, so all cores take files, instead of all but one
  test: { include: ["test/**/*.test.ts"], testTimeout: 300_000, hookTimeout: 300_000, maxWorkers: "100%" },
});
