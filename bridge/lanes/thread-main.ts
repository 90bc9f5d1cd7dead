/** A thread that plays lanes and answers questions; the other side is `lane-threads.ts`. */

import type { MessagePort } from "node:worker_threads";
import { type Answer, answerOf, answerQuestion, describe } from "./lane-handle.js";
import type { PolicyBook } from "./policy-provider.js";
import { SessionLanes } from "./session-lanes.js";
import type { ThreadRequest } from "./thread-messages.js";

/** Serves the requests of `port`, one after another. */
export function serveLanes(port: MessagePort, policies: PolicyBook | undefined): void {
  const sessions = new Map<number, SessionLanes>();
  const find = (key: number): SessionLanes => {
    const lanes = sessions.get(key);
    // its open was refused, and the socket's thread had sent more before it knew
    if (lanes === undefined) throw new Error(`no lanes ${key} in this thread`);
    return lanes;
  };
  const put = (key: number, make: () => SessionLanes): Answer => {
    let lanes: SessionLanes | undefined;
    const made = answerOf(() => {
      lanes = make();
      sessions.set(key, lanes);
      return { result: {} };
    });
    return lanes === undefined ? made : describe(lanes);
  };
  const answer = (message: ThreadRequest): Answer | undefined => {
    switch (message.kind) {
      case "open":
        return put(message.key, () => {
          const lanes = new SessionLanes(message.options, policies, true);
          if (message.state !== undefined) lanes.load(message.state);
          return lanes;
        });
      case "fork":
        return put(message.newKey, () => find(message.key).fork());
      case "execute": {
        const { key, group, request, body, releases } = message;
        for (const { group: of, slot, isReusable } of releases) sessions.get(key)?.release(of, slot, isReusable);
        return answerOf(
          () => find(key).execute(group, request, body),
          () => find(key).numBytes,
        );
      }
      case "question":
        return answerQuestion(message.request, message.body, message.limits);
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
