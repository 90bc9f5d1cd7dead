/** The playground: two policies play the same episode in the page, and a visitor moves the load. */

import { MecgymError, resolveScenario, type Scenario } from "../../env/index.js";
import { makePolicy, policies } from "../policies/index.js";
import { element, setControl, slider } from "./controls.js";
import { CURVE_WIDTH, type Curve, costText, drawCosts } from "./cost-curve.js";
import { EpisodeTrack } from "./episode-track.js";
import { drawScene, fullMbit } from "./picture.js";

const EPISODE_SLOTS = 1000;
/** Task sizes are drawn from a range of so many Mbit around the size that is chosen. */
const SIZE_SPREAD_MBIT = 1.5;
/** Test seeds are for results, so the page plays seeds of the validation split. */
const FIRST_SEED = 1_000_000;
const SIDES = ["left", "right"] as const;

/** Settings that show something at once. */
const presets: Record<string, Record<string, string | number>> = {
  paper: { users: 12, servers: 6, size: 3.5 },
  collapse: { users: 30, servers: 6, size: 3.5 },
  large: { users: 12, servers: 6, size: 6 },
  many: { users: 48, servers: 12, size: 3.5 },
};

let curves: Curve[] = [];
let slot = 0;
let isPlaying = true;
let seed = FIRST_SEED;

const restart = () => start();
const users = slider("users", "", restart);
const servers = slider("servers", "", restart);
const sizeMbit = slider("size", " Mbit", restart);
const tollSlots = slider("toll", " slots", restart);
const speed = slider("speed", " slots/s", () => undefined);
const choices = SIDES.map((side) => element(`policy-${side}`, HTMLSelectElement));
const message = element("message", HTMLElement);

for (const [i, choice] of choices.entries()) {
  for (const { name, description, needsRollout } of policies) {
    // rollouts take too long to be watched
    if (!needsRollout) choice.add(new Option(`${name}: ${description}`, name));
  }
  choice.value = ["oracle", "priced"][i];
  choice.addEventListener("input", restart);
}

function scenario(): Scenario {
  return resolveScenario({
    id: "playground",
    numServers: servers(),
    users: { count: users() },
    taskSizeMbit: { min: Math.max(0.5, sizeMbit() - SIZE_SPREAD_MBIT), max: sizeMbit() + SIZE_SPREAD_MBIT },
    episodeSlots: EPISODE_SLOTS,
  });
}

function start(): void {
  try {
    const world = scenario();
    curves = choices.map((choice, i) => {
      const name = choice.value === "priced" ? `priced:tollSlots=${tollSlots()}` : choice.value;
      return { name, kind: SIDES[i], track: new EpisodeTrack(world, seed, makePolicy(name, seed, world)) };
    });
    slot = 0;
    message.textContent = "";
  } catch (error) {
    if (!(error instanceof MecgymError)) throw error;
    message.textContent = error.message;
  }
  draw();
}

function draw(): void {
  const scenes = curves.map(({ track }) => track.scene());
  const full = fullMbit(scenes);
  for (const [i, side] of SIDES.entries()) {
    const { name, track } = curves[i];
    element(`scene-${side}`, HTMLElement).innerHTML = drawScene(scenes[i], { title: name, fullMbit: full });
    element(`name-${side}`, HTMLElement).textContent = name;
    element(`mean-${side}`, HTMLElement).textContent = costText(track);
  }
  element("slot", HTMLElement).textContent = `slot ${slot} of ${EPISODE_SLOTS}`;
  const frame = element("curve", HTMLElement);
  frame.innerHTML = drawCosts(curves, Math.max(360, Math.min(CURVE_WIDTH, frame.clientWidth)));
}

function setPlaying(isOn: boolean): void {
  isPlaying = isOn;
  element("play", HTMLButtonElement).textContent = isOn ? "Pause" : "Play";
}

let lastMs = 0;
/** Fractions of a slot that have passed since the last one was played. */
let carried = 0;
function frame(nowMs: number): void {
  const passedMs = Math.min(250, nowMs - lastMs);
  lastMs = nowMs;
  if (isPlaying && slot < EPISODE_SLOTS) {
    carried += (speed() * passedMs) / 1000;
    const whole = Math.floor(carried);
    if (whole > 0) {
      carried -= whole;
      slot = Math.min(EPISODE_SLOTS, slot + whole);
      for (const { track } of curves) track.playToSlot(slot);
      draw();
    }
  }
  requestAnimationFrame(frame);
}

element("play", HTMLButtonElement).addEventListener("click", () => {
  if (slot >= EPISODE_SLOTS) start();
  setPlaying(slot === 0 || !isPlaying);
});
element("restart", HTMLButtonElement).addEventListener("click", () => start());
element("to-end", HTMLButtonElement).addEventListener("click", () => {
  slot = EPISODE_SLOTS;
  for (const { track } of curves) track.playToSlot(slot);
  draw();
});
element("next-seed", HTMLButtonElement).addEventListener("click", () => {
  seed = FIRST_SEED + ((seed - FIRST_SEED + 1) % 10_000);
  element("seed", HTMLElement).textContent = String(seed);
  start();
});
for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-preset]")) {
  button.addEventListener("click", () => {
    for (const [id, value] of Object.entries(presets[button.dataset.preset ?? ""] ?? {})) setControl(id, value);
    setPlaying(true);
  });
}

// who asked for less motion starts the episode by hand
setPlaying(!matchMedia("(prefers-reduced-motion: reduce)").matches);
element("seed", HTMLElement).textContent = String(seed);
start();
requestAnimationFrame((nowMs) => {
  lastMs = nowMs;
  frame(nowMs);
});
