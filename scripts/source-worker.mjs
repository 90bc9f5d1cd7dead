/** Starts a worker thread from the sources, for tests. Node 20 applies no loader to the first file of a thread. */

import { register } from "tsx/esm/api";

register();
await import("../bridge/composition/worker.ts");
