/** Where the tests are, and how long one may take. */

import { defineConfig } from "vitest/config";

export default defineConfig({
  // much of the time goes by in processes that tests start, so that all cores, not all but one, can have a file each
  test: { include: ["test/**/*.test.ts"], testTimeout: 30_000, hookTimeout: 30_000, maxWorkers: "100%" },
});
