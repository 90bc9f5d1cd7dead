/** Loaded into a server under test: on SIGUSR2 it collects garbage, and says on standard error what is still held. */

process.on("SIGUSR2", () => {
  globalThis.gc();
  globalThis.gc(); // the first finds what the second frees
  const { heapUsed, external, rss } = process.memoryUsage();
  process.stderr.write(`${JSON.stringify({ heldBytes: heapUsed + external, residentBytes: rss })}\n`);
});
