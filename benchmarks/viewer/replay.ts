/** The episode viewer of a report: replays logged episodes on the engine, two policies side by side. */

import { resolveScenario, scenarioHash } from "../../env/index.js";
import { element } from "./controls.js";
import type { Curve } from "./cost-curve.js";
import { EpisodeTrack, recorded } from "./episode-track.js";
import type { LoggedSetting } from "./logged-episodes.js";
import { Player, SIDES } from "./player.js";

const settings = JSON.parse(element("episodes", HTMLScriptElement).textContent ?? "[]") as LoggedSetting[];
const settingChoice = element("setting", HTMLSelectElement);
const episodeChoice = element("episode", HTMLSelectElement);
const choices = SIDES.map((side) => element(`policy-${side}`, HTMLSelectElement));

const chosen = () => settings[settingChoice.selectedIndex];

/** Fills the lists that depend on the setting. */
function fill(): void {
  const { firstSeed, policies } = chosen();
  const count = Math.max(...policies.map(({ actions }) => actions.length));
  episodeChoice.replaceChildren(...Array.from({ length: count }, (_, i) => new Option(String(firstSeed + i))));
  for (const [i, choice] of choices.entries()) {
    choice.replaceChildren(...policies.map(({ name }) => new Option(name)));
    choice.selectedIndex = Math.min(i, policies.length - 1);
  }
}

function makeCurves(): Curve[] {
  const { scenario, hash, firstSeed, policies } = chosen();
  if (scenarioHash(scenario) !== hash) throw new Error(`another scenario than the one of the log: ${hash}`);
  const world = resolveScenario(scenario);
  return choices.map((choice, i) => {
    const { name, actions } = policies[choice.selectedIndex];
    const episode = episodeChoice.selectedIndex;
    const track = new EpisodeTrack(world, firstSeed + episode, recorded(actions[episode]));
    return { name, kind: SIDES[i], track };
  });
}

settingChoice.replaceChildren(...settings.map(({ title }) => new Option(title)));
fill();
const player = new Player(makeCurves);
settingChoice.addEventListener("input", () => {
  fill();
  player.start();
});
for (const choice of [episodeChoice, ...choices]) choice.addEventListener("input", () => player.start());
player.start();
