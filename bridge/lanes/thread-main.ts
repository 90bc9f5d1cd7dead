/** The main function of a thread that plays lanes and answers stateless queries. The other side is `thread-pool.ts`. */

import type { MessagePort } from "node:worker_threads";
import { type Answer, answerOf } from "./answer.js";
import { describeLanes } from "./lane-handle.js";
import type { PolicyProvider } from "./policy-provider.js";
import { SessionLanes } from "./session-lanes.js";
import { answerStateless } from "./stateless.js";
import type { ThreadRequest } from "./thread-messages.js";

/** Serves the requests that come through `port`, one after another. */
export function serveLanes(port: MessagePort, policies: PolicyProvider | undefined): void {
  const sessions = new Map<number, SessionLanes>();
  const find = (key: number): SessionLanes => {
    const lanes = sessions.get(key);
    // the open was refused, and the socket's thread had sent more requests before it knew
    if (lanes === undefined) throw new Error(`no lanes ${key} in this thread`);
    return lanes;
  };
  const add = (key: number, make: () => SessionLanes): Answer => {
    let lanes: SessionLanes | undefined;
    const made = answerOf(() => {
      lanes = make();
      sessions.set(key, lanes);
      return { result: {} };
    });
    return lanes === undefined ? made : describeLanes(lanes);
  };
  const answer = (message: ThreadRequest): Answer | undefined => {
    switch (message.kind) {
      case "open":
        return add(message.key, () => {
          const lanes = new SessionLanes(message.options, policies, true);
          if (message.state !== undefined) lanes.load(message.state);
          return lanes;
        });
      case "fork":
        return add(message.newKey, () => find(message.key).fork());
      case "execute": {
        const { key, group, request, body, releases } = message;
        for (const { group: of, buffer, isReusable } of releases) sessions.get(key)?.release(of, buffer, isReusable);
        return answerOf(
          () => find(key).execute(group, request, body),
          () => find(key).numBytes,
        );
      }
      case "query":
        return answerStateless(message.request, message.body, message.limits);
      case "close":
        sessions.delete(message.key);
        return undefined;
    }
  };
  port.on("message", (message: ThreadRequest) => {
    const given = answer(message);
    if (given === undefined) return;
    const body = "outcome" in given ? given.outcome.body : undefined;
    const moved = body !== undefined && body.buffer instanceof ArrayBuffer ? [body.buffer] : [];
    port.postMessage({ answer: given }, moved);
  });
}
