/** The prompts of a batch's lanes. */

import type { BatchEnv } from "../../env/batch/batch-env.js";
import { LaneView } from "../../env/batch/observation.js";
import { PHASE_UNUSED } from "../../env/core/phases.js";
import { MecgymError } from "../../env/errors.js";
import { type PromptOptions, renderPrompt } from "../../env/language/prompt.js";

const utf8 = new TextEncoder();

export class LanePrompts {
  readonly #env: BatchEnv;
  readonly #options: PromptOptions;
  /** Views of the lanes, each made when its lane is first asked for. */
  readonly #views: (LaneView | undefined)[] = [];
  #system: string | null = null;

  constructor(env: BatchEnv, options: PromptOptions) {
    this.#env = env;
    this.#options = options;
  }

  /** The system message of the prompts so far; null if there is none. */
  get system(): string | null {
    return this.#system;
  }

  /**
   * The prompt of a lane's decision, as UTF-8.
   *
   * @throws MecgymError `needsReset`, `unsupportedState`, `invalidOption`
   */
  of(lane: number): Uint8Array {
    const { lanes } = this.#env;
    if (!this.#isInUse(lane)) {
      const got = "a lane before its first reset";
      throw new MecgymError("needsReset", { path: `lanes/${lane}`, got, expected: "a reset first" });
    }
    this.#views[lane] ??= new LaneView(lanes, lane);
    const prompt = renderPrompt(this.#views[lane], { seed: lanes.episodeSeedOf(lane), ...this.#options });
    this.#system = prompt.system;
    return utf8.encode(prompt.user);
  }

  /** The prompts of all lanes; empty for a lane before its first reset. */
  all(): Uint8Array[] {
    return Array.from({ length: this.#env.numLanes }, (_, lane) =>
      this.#isInUse(lane) ? this.of(lane) : new Uint8Array(0),
    );
  }

  /** A generous estimate of the longest prompts, bytes: a step must not be played if its reply has no room for them. */
  get maxBytes(): number {
    const { numLanes, maxServers, maxHistorySlots } = this.#env;
    return numLanes * (4096 + maxServers * (256 + 32 * maxHistorySlots));
  }

  #isInUse(lane: number): boolean {
    return this.#env.lanes.phaseOf(lane) !== PHASE_UNUSED;
  }
}
