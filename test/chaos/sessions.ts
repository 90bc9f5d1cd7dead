/** Fault run: opens and closes sessions, keeps many open at once, and plays many steps. Nothing may grow. */

import { Client } from "../../bridge/client/client.js";
import type { ClientSession } from "../../bridge/client/client-session.js";
import { figure, relativeSlope, reportProgress, runPart, ServerUnderTest, statsOf } from "./part.js";

interface Sizes {
  /** Sessions before the first look at memory: a server remembers the last 1,024 that were opened. */
  readonly warmUp: number;
  /** Sessions that are opened and closed, one after another. */
  readonly opened: number;
  /** Sessions that are open at once. */
  readonly open: number;
  /** Steps of lanes. */
  readonly steps: number;
}

const LANES = 16;
/** Looks at memory in each phase. */
const LOOKS = 20;

await runPart(async ({ warmUp, opened, open, steps }: Sizes) => {
  const server = await ServerUnderTest.start();
  const client = new Client(server.address);
  const openOne = () => client.open({ scenarios: ["paper-v1"], numEnvs: LANES });
  const use = async (session: ClientSession, numSteps: number) => {
    for (let i = 0; i < numSteps; i++) await session.step(new Int32Array(LANES).fill(i % 7));
  };
  try {
    // what every server loads, compiles and remembers once does not count as growth
    for (let i = 0; i < warmUp; i++) {
      const session = await openOne();
      await session.reset();
      await use(session, 20);
      await session.close();
    }
    const warm = await server.held();
    const resident: number[] = [];
    for (let i = 0; i < opened; i++) {
      const session = await openOne();
      await session.reset();
      await use(session, 2);
      await session.close();
      if ((i + 1) % Math.ceil(opened / LOOKS) === 0) {
        resident.push((await server.held()).residentBytes);
        reportProgress((0.4 * i) / opened, `${i + 1} sessions opened and closed`);
      }
    }
    const afterClosing = await server.held();

    const sessions = await Promise.all(Array.from({ length: open }, openOne));
    await Promise.all(sessions.map((session) => session.reset()));
    const atOnce = await server.held();
    await Promise.all(sessions.map((session) => session.close()));
    const afterMany = await server.held();
    reportProgress(0.5, `${open} sessions were open at once`);

    const session = await openOne();
    await session.reset();
    const rounds = Math.ceil(steps / LANES / LOOKS);
    await use(session, Math.min(rounds, 500));
    const beforeSteps = await server.held();
    for (let look = 0; look < LOOKS; look++) {
      // episodes in which queues grow are not the subject here
      await session.reset();
      await use(session, rounds);
      reportProgress(0.5 + (0.5 * look) / LOOKS, `${(look + 1) * rounds * LANES} steps`);
    }
    await session.reset();
    const afterSteps = await server.held();
    await session.close();
    const stats = await statsOf(client);
    return [
      figure("sessions/opened", opened, "sessions", "higher"),
      figure("sessions/held-after-closing", afterClosing.heldBytes / warm.heldBytes, "1", "lower", 1.05),
      figure("sessions/resident-slope", relativeSlope(resident), "1", "lower", 0.05),
      figure("sessions/open-at-once", open, "sessions", "higher"),
      figure("sessions/held-for-one", (atOnce.heldBytes - afterClosing.heldBytes) / open, "bytes", "lower"),
      figure("sessions/held-after-many", afterMany.heldBytes / warm.heldBytes, "1", "lower", 1.05),
      figure("sessions/steps", LOOKS * rounds * LANES, "steps", "higher"),
      figure("sessions/held-after-steps", afterSteps.heldBytes / beforeSteps.heldBytes, "1", "lower", 1.05),
      figure("sessions/left", stats.sessions, "sessions", "lower", 0),
    ];
  } finally {
    client.close();
    await server.close();
  }
});
