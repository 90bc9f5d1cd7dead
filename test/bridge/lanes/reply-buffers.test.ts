/** Reply buffers that are used again: they give the same bytes as new ones. */

import { describe, expect, it } from "vitest";
import { ReplyBuffers, type StepParts } from "../../../bridge/lanes/reply-buffers.js";
import { layoutsOf } from "../../../bridge/lanes/session-layouts.js";
import { BatchEnv } from "../../../env/batch/batch-env.js";

const finals = (values: Int32Array): StepParts => ({
  result: { numFinal: values.length },
  sections: [{ name: "finalLayout", arrays: [{ name: "finalLane", values }] }],
});

describe("a buffer that is used again", () => {
  it("has no bytes of its last reply between and after the arrays", () => {
    const env = new BatchEnv({ scenarios: ["paper-v1"], numLanes: 3 });
    const { stepReply } = layoutsOf(env);
    const used = new ReplyBuffers(env, stepReply, false);
    const fresh = new ReplyBuffers(env, stepReply, false);
    env.reset([1, 2, 3]);
    const before = used.fill(() => finals(Int32Array.from([-1, -1, -1])));
    used.release(before.buffer as number, true);
    const again = used.fill(() => finals(Int32Array.from([5])));
    expect(again.buffer).toBe(before.buffer);
    expect(Buffer.from(again.body as Uint8Array)).toEqual(
      Buffer.from(fresh.fill(() => finals(Int32Array.from([5]))).body as Uint8Array),
    );
  });
});
