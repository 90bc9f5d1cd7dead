/** Sessions that are reset and played, with actions that are the same in every test. */

import { expect } from "vitest";
import { actionsBody, next, type Opened, seedsBody } from "../dispatcher-client.js";

export async function started(opened: Opened, seeds: number[]): Promise<Opened> {
  expect((await next(opened, "reset", {}, seedsBody(opened, seeds))).error).toBeUndefined();
  return opened;
}

export const actionsAt = (i: number, n: number) => Array.from({ length: n }, (_, lane) => (i * 5 + lane * 3) % 7);

/** Plays steps, and returns the bytes of their replies. */
export async function play(opened: Opened, from: number, count: number): Promise<string[]> {
  const n = opened.layouts.stepRequest[0].shape[0];
  const replies: string[] = [];
  for (let i = from; i < from + count; i++) {
    const answer = await next(opened, "step", {}, actionsBody(opened, actionsAt(i, n)));
    expect(answer.error).toBeUndefined();
    replies.push(Buffer.from(answer.body as Uint8Array).toString("base64"));
  }
  return replies;
}
