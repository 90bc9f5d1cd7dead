/** A real server on a real socket, and the TypeScript client: replies and deadlines. */

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Dealer } from "zeromq";
import { workerEntry } from "../../../benchmarks/jobs/worker-pool.js";
import { DeadlineExceeded, RemoteError } from "../../../bridge/client/errors.js";
import { nativePolicies } from "../../../bridge/composition/native-policies.js";
import { decodeHeader, encodeHeader } from "../../../bridge/wire/header.js";
import type { Request } from "../../../bridge/wire/protocol.js";
import { BatchEnv } from "../../../env/index.js";
import { atEnd, connect, serve, temporaryFolder } from "../servers.js";

describe("a served session", () => {
  it("accepts several requests of a group at once, and branches", async () => {
    const client = connect((await serve({ policies: nativePolicies })).address);
    const session = await client.open({ scenarios: ["paper-v1"], numEnvs: 3 });
    const steps = await Promise.all([session.reset([1, 2, 3]), session.step([1, 2, 3]), session.step([4, 5, 6])]);
    expect([...steps[2].decisionIndex]).toEqual([2, 2, 2]);
    const pages = await session.snapshot();
    const copy = await session.fork();
    const played = await session.runPolicy("oracle", 50);
    expect([played.steps, ...(played.decisions as Int32Array)]).toEqual([50, 50, 50, 50]);
    expect((await copy.runPolicy("oracle", 50)).costSumSlots).toEqual(played.costSumSlots);
    expect((await session.restore(pages)).observation).toEqual(steps[2].observation);
    expect((await session.runPolicy("oracle", 50)).observation).toEqual(played.observation);
  });

  it("answers a ping while lanes are played in another thread", async () => {
    const threads = { count: 1, entry: workerEntry() };
    const { address } = await serve({ policies: nativePolicies, threads });
    const session = await connect(address, { requestDeadlineMs: 60_000 }).open({
      scenarios: ["paper-v1"],
      numEnvs: 2048,
    });
    await session.reset();
    const order: string[] = [];
    const long = session.runPolicy("lacs", 300).then(() => order.push("policy"));
    for (let i = 0; i < 5; i++) await connect(address).ping();
    order.push("pings");
    await long;
    expect(order).toEqual(["pings", "policy"]);
  });

  it("plays the same episode as the simulator", async () => {
    const client = connect((await serve()).address);
    const session = await client.open({ scenarios: ["paper-3-to-11-servers-v1"], numEnvs: 2, autoreset: "same-step" });
    const env = new BatchEnv({ scenarios: ["paper-3-to-11-servers-v1"], numLanes: 2, autoreset: "same-step" });
    env.reset([2_000_000, 2_000_001]);
    expect((await session.reset([2_000_000, 2_000_001])).observation).toEqual(env.observation);
    for (let i = 0; i < 600; i++) {
      const actions = [i % 4, (i * 3) % 4];
      env.step(actions);
      const step = await session.step(actions);
      expect(step.observation).toEqual(env.observation);
      expect(step.costSlots).toEqual(env.costSlots);
      expect(step.numFinal).toBe(env.numFinal);
      if (env.numFinal > 0) {
        expect(step.finalObservation).toEqual(env.finalObservation.subarray(0, env.numFinal * env.observationSize));
      }
    }
    await session.close();
  });

  it("answers many clients and groups at once", async () => {
    const { address } = await serve();
    const play = async () => {
      const session = await connect(address).open({ scenarios: ["paper-v1"], numEnvs: 8, groups: 4, seed: 3 });
      await Promise.all([0, 1, 2, 3].map((group) => session.reset(undefined, undefined, group)));
      let sum = 0;
      for (let i = 0; i < 20; i++) {
        const steps = await Promise.all([0, 1, 2, 3].map((group) => session.step([1, 2], group)));
        for (const step of steps) sum += step.costSlots[0] + step.costSlots[1];
      }
      return sum;
    };
    const sums = await Promise.all([play(), play(), play(), play()]);
    expect(new Set(sums).size).toBe(1);
  });

  it("returns errors with code, path, and the expected and the received value", async () => {
    const client = connect((await serve()).address);
    await expect(client.open({ scenarios: ["nowhere"], numEnvs: 1 })).rejects.toMatchObject({
      code: "unknownScenario",
      path: "scenario",
      got: '"nowhere"',
    });
    await expect(client.open({ scenarios: ["nowhere"], numEnvs: 1 })).rejects.toBeInstanceOf(RemoteError);
  });

  it("survives garbage, and answers the next request", async () => {
    const { address } = await serve();
    const socket = new Dealer({ linger: 0, receiveTimeout: 5000 });
    atEnd(() => socket.close());
    socket.connect(address);
    const hello = encodeHeader({ v: "1.0", op: "hello", requestId: "a".repeat(32) } as Request);
    for (const garbage of [
      [Buffer.from("c1", "hex")],
      [Buffer.alloc(0)],
      [hello, hello, hello],
      [Buffer.alloc(70_000)],
    ]) {
      await socket.send(garbage);
      const [reply] = await socket.receive();
      expect(decodeHeader(reply)).toMatchObject({ ok: false, error: { code: "malformedMessage" } });
    }
    await socket.send(hello);
    const [reply] = await socket.receive();
    expect(decodeHeader(reply)).toMatchObject({ ok: true, op: "hello" });
  });
});

describe("deadlines", () => {
  it("end the wait for a server that does not exist", async () => {
    const client = connect(`ipc://${join(temporaryFolder(), "nobody")}`, { requestDeadlineMs: 200 });
    await expect(client.ping()).rejects.toBeInstanceOf(DeadlineExceeded);
    await expect(client.ping()).rejects.toThrow(/within 200 ms \(requestDeadlineMs\)/);
  });

  it("a request that is sent before the server starts is answered once it runs", async () => {
    const address = `ipc://${join(temporaryFolder(), "late")}`;
    const client = connect(address);
    const pong = client.ping();
    await serve({ address });
    await expect(pong).resolves.toEqual({});
  });
});
