/** `mecgym check-server`: the real server passes every check, and a server that breaks a rule fails it. */

import { afterAll, describe, expect, it } from "vitest";
import { Dealer, Router } from "zeromq";
import { type CheckOutcome, checkServer, checks } from "../../../bridge/conformance/index.js";
import { readAllowList, readServerKeys, writeKeyPair } from "../../../bridge/keys/key-files.js";
import { decodeHeader, encodeHeader } from "../../../bridge/wire/header.js";
import type { Reply } from "../../../bridge/wire/protocol.js";
import { killAll, run } from "../processes.js";
import { atEnd, serve, temporaryFolder } from "../servers.js";

afterAll(killAll);

type Parts = Buffer[];
/** Replaces a message by others. */
type Change = (parts: Parts) => Parts[];

const passOn: Change = (parts) => [parts];

/** A server that breaks rules: a proxy that changes the messages of a real server. */
async function brokenServer({
  request = passOn,
  reply = passOn,
}: {
  request?: Change;
  reply?: Change;
}): Promise<string> {
  const { address } = await serve({});
  const front = new Router({ linger: 0, sendTimeout: 0 });
  const broken = `ipc://${temporaryFolder()}/s`;
  await front.bind(broken);
  atEnd(() => front.close());
  const backs = new Map<string, Dealer>();
  const back = (identity: Buffer): Dealer => {
    const known = backs.get(identity.toString("hex"));
    if (known !== undefined) return known;
    const socket = new Dealer({ linger: 0 });
    socket.connect(address);
    atEnd(() => socket.close());
    backs.set(identity.toString("hex"), socket);
    void forward(socket, async (parts) => {
      for (const changed of reply(parts)) await front.send([identity, ...changed]);
    });
    return socket;
  };
  void forward(front, async ([identity, ...parts]) => {
    for (const changed of request(parts)) await back(identity).send(changed);
  });
  return broken;
}

async function forward(socket: Dealer | Router, take: (parts: Parts) => Promise<void>): Promise<void> {
  try {
    for (;;) await take(await socket.receive());
  } catch {
    // closed at the end of the test
  }
}

/** Changes a header that can be read. */
function header(change: (fields: Record<string, unknown>) => Record<string, unknown>): Change {
  return ([head, ...body]) => {
    try {
      return [[Buffer.from(encodeHeader(change(decodeHeader(head)) as unknown as Reply)), ...body]];
    } catch {
      return [[head, ...body]];
    }
  };
}

const broken: Record<string, { readonly by: Parameters<typeof brokenServer>[0]; readonly fails: readonly string[] }> = {
  "answers twice": { by: { reply: (parts) => [parts, parts] }, fails: ["one-reply"] },
  "does not answer what it cannot read": {
    by: {
      request: (parts) => {
        try {
          decodeHeader(parts[0]);
          return [parts];
        } catch {
          return [];
        }
      },
    },
    fails: ["header-no-msgpack", "header-extension-type"],
  },
  "answers with other ids": {
    by: { reply: header((fields) => ({ ...fields, ...("requestId" in fields ? { requestId: "0".repeat(32) } : {}) })) },
    fails: ["reply-ids"],
  },
  "accepts unknown fields": {
    by: { request: header(({ surprise, ...fields }) => fields) },
    fails: ["unknown-field", "refusal-uses-seq"],
  },
  "says less in its errors": {
    by: {
      reply: header((fields) => {
        const { expected, ...error } = (fields.error ?? {}) as Record<string, unknown>;
        return fields.ok ? fields : { ...fields, error };
      }),
    },
    fails: ["unknown-operation", "open-refusals", "needs-reset"],
  },
  "is one bit off": {
    by: {
      reply: ([head, body]) => {
        if (body === undefined) return [[head]];
        const other = Buffer.from(body);
        other[0] ^= 1;
        return [[head, other]];
      },
    },
    fails: ["numbers"],
  },
  "answers a repeated request without its body": {
    by: {
      reply: (() => {
        const seen = new Set<string>();
        return ([head, ...body]: Parts) => {
          const key = head.toString("hex");
          const isStep = decodeHeader(head).op === "step";
          if (!isStep || !seen.has(key)) {
            seen.add(key);
            return [[head, ...body]];
          }
          return [[head]];
        };
      })(),
    },
    fails: ["repetition"],
  },
  "accepts every version": {
    by: { request: header((fields) => (fields.v === "2.0" ? { ...fields, v: "1.2" } : fields)) },
    fails: ["version-major"],
  },
  "lets a session be used after its end": {
    by: { request: header((fields) => (fields.op === "close" ? { ...fields, op: "reset" } : fields)) },
    fails: ["close"],
  },
  "shows ids in its statistics": {
    by: {
      reply: (() => {
        let session: unknown;
        return header((fields) => {
          const result = fields.result as Record<string, unknown> | undefined;
          session = result?.session ?? session;
          return fields.op === "stats" ? { ...fields, result: { ...result, names: [session] } } : fields;
        });
      })(),
    },
    fails: ["stats"],
  },
};

const failed = (outcomes: readonly CheckOutcome[]) => outcomes.filter(({ outcome }) => outcome === "fail");

describe("checks of a server", { timeout: 300_000 }, () => {
  it("have unique names, and say which rule they check", () => {
    expect(new Set(checks.map(({ name }) => name)).size).toBe(checks.length);
    for (const { name, rule } of checks) {
      expect(name).toMatch(/^[a-z0-9-]+$/);
      expect(rule.length).toBeGreaterThan(20);
    }
  });

  it("pass on the real server, run by the command over an encrypted connection", async () => {
    const keys = temporaryFolder();
    for (const name of ["server", "client"]) writeKeyPair(keys, name);
    const pair = readServerKeys(keys);
    const { address } = await serve({
      address: "tcp://127.0.0.1:*",
      security: { keys: pair, allowed: readAllowList([keys], pair.publicKey) },
    });
    const { code, stdout, stderr } = await run("check-server", address, "--keys", keys, "--json");
    const report = JSON.parse(stdout);
    expect(report.checks.filter((one: CheckOutcome) => one.outcome === "fail")).toEqual([]);
    // this server has no policies and no jobs; the one of `mecgym serve` has
    expect(report).toMatchObject({ failed: 0, passed: checks.length - 2, skipped: 2 });
    expect([code, stderr]).toEqual([0, ""]);
  });

  it("pass through a proxy that changes nothing", async () => {
    const address = await brokenServer({});
    expect(failed(await checkServer({ address, deadlineMs: 5000 }))).toEqual([]);
  });

  it.each(Object.entries(broken))("find a server that %s", async (_name, { by, fails }) => {
    const address = await brokenServer(by);
    const outcomes = await checkServer({ address, deadlineMs: 1000, only: fails });
    expect(outcomes.map(({ name, outcome }) => [name, outcome]).sort()).toEqual(
      fails.map((name) => [name, "fail"]).sort(),
    );
    for (const { reason } of outcomes) expect(reason).toMatch(/\w/);
  });

  it("end with exit code 1 if one fails, and 2 if no server answers or a name is unknown", async () => {
    const address = await brokenServer(broken["answers twice"].by);
    const found = await run("check-server", address, "--only", "one-reply,hello");
    expect(found.code).toBe(1);
    expect(found.stdout).toMatch(/fail {2}one-reply: .*\n +a second reply to one request\n/);
    expect(found.stdout).toMatch(/1 passed, 1 failed, 0 not tried\n$/);
    const nobody = await run("check-server", "ipc:///tmp/mecgym-nobody", "--timeout-seconds", "0.3");
    expect([nobody.code, nobody.stdout]).toEqual([2, ""]);
    expect(nobody.stderr).toMatch(/a server that answers/);
    const typo = await run("check-server", address, "--only", "helo");
    expect(typo.stderr).toMatch(/--only.*one-reply/);
  });
});
