/** Plays two tracks side by side on a page: pictures, means, the cost curve, and the buttons that move time. */

import { element, slider } from "./controls.js";
import { CURVE_WIDTH, type Curve, costText, drawCosts } from "./cost-curve.js";
import { drawScene, fullMbit } from "./picture.js";

/** The sides of the page, by the ends of the ids of their elements; also the classes of their curves. */
export const SIDES = ["left", "right"] as const;
/** A narrower drawing would have letters too large for its room. */
const MIN_CURVE_WIDTH = 360;
/** After a long pause, as of a hidden page, time goes on as if it had been this long. */
const MAX_PAUSE_MS = 250;

export class Player {
  /** Makes the two curves anew, from the first slot on. */
  readonly #make: () => readonly Curve[];
  #curves: readonly Curve[] = [];
  #slot = 0;
  #isPlaying = false;
  #lastMs = 0;
  /** Fraction of a slot that has passed since the last one was played. */
  #carried = 0;
  readonly #speed = slider("speed", " slots/s", () => undefined);
  readonly #seek = element("seek", HTMLInputElement);

  /** @param make the two curves of an episode that begins; called again whenever it starts again */
  constructor(make: () => readonly Curve[]) {
    this.#make = make;
    element("play", HTMLButtonElement).addEventListener("click", () => {
      if (this.#slot >= this.#episodeSlots) this.start();
      this.setPlaying(this.#slot === 0 || !this.#isPlaying);
    });
    element("restart", HTMLButtonElement).addEventListener("click", () => this.start());
    element("to-end", HTMLButtonElement).addEventListener("click", () => this.#goTo(this.#episodeSlots));
    element("next", HTMLButtonElement).addEventListener("click", () => this.#takeOneDecision());
    this.#seek.addEventListener("input", () => this.#goTo(Number(this.#seek.value)));
    requestAnimationFrame((nowMs) => {
      this.#lastMs = nowMs;
      this.#frame(nowMs);
    });
  }

  get #episodeSlots(): number {
    return this.#curves[0]?.track.episodeSlots ?? 0;
  }

  /** Starts the episode from its first slot. */
  start(): void {
    this.#curves = this.#make();
    this.#slot = 0;
    this.#carried = 0;
    this.#seek.max = String(this.#episodeSlots);
    this.#draw();
  }

  /** Lets time run, or stops it. */
  setPlaying(isPlaying: boolean): void {
    this.#isPlaying = isPlaying;
    element("play", HTMLButtonElement).textContent = isPlaying ? "Pause" : "Play";
  }

  /** Plays to a slot; an earlier one is reached from the start. */
  #goTo(slot: number): void {
    if (slot < this.#slot) this.#curves = this.#make();
    this.#slot = Math.min(slot, this.#episodeSlots);
    for (const { track } of this.#curves) track.playToSlot(this.#slot);
    this.#draw();
  }

  #takeOneDecision(): void {
    this.setPlaying(false);
    for (const { track } of this.#curves) track.step();
    this.#slot = Math.max(...this.#curves.map(({ track }) => track.slot));
    this.#draw();
  }

  #frame(nowMs: number): void {
    const passedMs = Math.min(MAX_PAUSE_MS, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    if (this.#isPlaying && this.#slot < this.#episodeSlots) {
      this.#carried += (this.#speed() * passedMs) / 1000;
      const whole = Math.floor(this.#carried);
      this.#carried -= whole;
      if (whole > 0) this.#goTo(this.#slot + whole);
    }
    requestAnimationFrame((next) => this.#frame(next));
  }

  #draw(): void {
    const scenes = this.#curves.map(({ track }) => track.scene());
    const full = fullMbit(scenes);
    for (const [i, side] of SIDES.entries()) {
      const curve = this.#curves[i];
      const { name, track } = curve;
      element(`scene-${side}`, HTMLElement).innerHTML = drawScene(scenes[i], { title: name, fullMbit: full });
      element(`name-${side}`, HTMLElement).textContent = name;
      element(`mean-${side}`, HTMLElement).textContent = costText(track);
    }
    this.#seek.value = String(this.#slot);
    element("slot", HTMLElement).textContent = `slot ${this.#slot} of ${this.#episodeSlots}`;
    const room = element("curve", HTMLElement);
    room.innerHTML = drawCosts(this.#curves, Math.max(MIN_CURVE_WIDTH, Math.min(CURVE_WIDTH, room.clientWidth)));
  }
}
