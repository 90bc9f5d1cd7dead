/** Starts a worker thread from the sources, for tests: Node 20 has no loader for the file that a thread starts with. */

import { register } from "tsx/esm/api";

register();
await import("../bridge/composition/worker.ts");
