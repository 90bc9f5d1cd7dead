/** Slots of replies: used again, they give the bytes that a new one gives. */

import { describe, expect, it } from "vitest";
import { ReplySlots, type StepParts } from "../../../bridge/lanes/reply-buffers.js";
import { layoutsOf } from "../../../bridge/wire/array-layout.js";
import { BatchEnv } from "../../../env/batch/batch-env.js";

const finals = (values: Int32Array): StepParts => ({
  result: { numFinal: values.length },
  sections: [{ name: "finalLayout", arrays: [{ name: "finalLane", values }] }],
});

describe("a slot that is used again", () => {
  it("has nothing of its last reply between and behind the arrays", () => {
    const env = new BatchEnv({ scenarios: ["paper-v1"], numLanes: 3 });
    const { stepReply } = layoutsOf(env);
    const used = new ReplySlots(env, stepReply, false);
    const fresh = new ReplySlots(env, stepReply, false);
    env.reset([1, 2, 3]);
    const before = used.fill(() => finals(Int32Array.from([-1, -1, -1])));
    used.release(before.slot as number, true);
    const again = used.fill(() => finals(Int32Array.from([5])));
    expect(again.slot).toBe(before.slot);
    expect(Buffer.from(again.body as Uint8Array)).toEqual(
      Buffer.from(fresh.fill(() => finals(Int32Array.from([5]))).body as Uint8Array),
    );
  });
});
