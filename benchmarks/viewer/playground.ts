/** The playground: two policies play the same episode in the page, and a visitor moves the load. */

import { MecgymError, resolveScenario, type Scenario } from "../../env/index.js";
import { makePolicy, policies } from "../policies/index.js";
import { element, setControl, slider } from "./controls.js";
import type { Curve } from "./cost-curve.js";
import { EpisodeTrack } from "./episode-track.js";
import { Player, SIDES } from "./player.js";

const EPISODE_SLOTS = 1000;
/** Task sizes are drawn from a range of so many Mbit around the size that is chosen. */
const SIZE_SPREAD_MBIT = 1.5;
const MIN_SIZE_MBIT = 0.5;
/** Test seeds are for results, so the page plays seeds of the validation split. */
const FIRST_SEED = 1_000_000;
const NUM_SEEDS = 10_000;
const FIRST_CHOICES = ["oracle", "priced"];

/** Settings that show something at once. */
const presets: Record<string, Record<string, string | number>> = {
  paper: { users: 12, servers: 6, size: 3.5 },
  collapse: { users: 30, servers: 6, size: 3.5 },
  large: { users: 12, servers: 6, size: 6 },
  many: { users: 48, servers: 12, size: 3.5 },
};

let seed = FIRST_SEED;
const restart = () => player.start();
const users = slider("users", "", restart);
const servers = slider("servers", "", restart);
const sizeMbit = slider("size", " Mbit", restart);
const tollSlots = slider("toll", " slots", restart);
const choices = SIDES.map((side) => element(`policy-${side}`, HTMLSelectElement));

for (const [i, choice] of choices.entries()) {
  for (const { name, description, needsRollout } of policies) {
    // rollouts take too long to be watched
    if (!needsRollout) choice.add(new Option(`${name}: ${description}`, name));
  }
  choice.value = FIRST_CHOICES[i];
  choice.addEventListener("input", restart);
}

function scenario(): Scenario {
  return resolveScenario({
    id: "playground",
    numServers: servers(),
    users: { count: users() },
    taskSizeMbit: {
      min: Math.max(MIN_SIZE_MBIT, sizeMbit() - SIZE_SPREAD_MBIT),
      max: sizeMbit() + SIZE_SPREAD_MBIT,
    },
    episodeSlots: EPISODE_SLOTS,
  });
}

function makeCurves(): Curve[] {
  const world = scenario();
  return choices.map((choice, i) => {
    const name = choice.value === "priced" ? `priced:tollSlots=${tollSlots()}` : choice.value;
    return { name, kind: SIDES[i], track: new EpisodeTrack(world, seed, makePolicy(name, seed, world)) };
  });
}

const player = new Player(() => {
  const message = element("message", HTMLElement);
  try {
    message.textContent = "";
    return makeCurves();
  } catch (error) {
    if (error instanceof MecgymError) message.textContent = error.message;
    throw error;
  }
});

element("next-seed", HTMLButtonElement).addEventListener("click", () => {
  seed = FIRST_SEED + ((seed - FIRST_SEED + 1) % NUM_SEEDS);
  element("seed", HTMLElement).textContent = String(seed);
  player.start();
});
for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-preset]")) {
  button.addEventListener("click", () => {
    for (const [id, value] of Object.entries(presets[button.dataset.preset ?? ""] ?? {})) setControl(id, value);
    player.setPlaying(true);
  });
}

element("seed", HTMLElement).textContent = String(seed);
player.start();
// who asked for less motion starts the episode by hand
player.setPlaying(!matchMedia("(prefers-reduced-motion: reduce)").matches);
