/** Prompt perturbations: the same decision in another order, in other units, or among sentences that say nothing. */

import type { Uniform } from "../random.js";
import type { Section, Template } from "./templates/template.js";
import { type QuantityKind, type Unit, Units } from "./templates/units.js";

/** The paper's Table VI: as the template has it, fields shuffled, noise among the lines, other units. */
export const perturbationIds = ["standard", "shuffled", "noisy", "units"] as const;
export type PerturbationId = (typeof perturbationIds)[number];

/** Sentences that `noisy` puts among the lines. */
const NUM_NOISE_SENTENCES = 3;

/** The units a prompt is written in: the template's own, or one of the others for each kind of quantity. */
export function chooseUnits(template: Template, isOther: boolean, slotSeconds: number, uniform: Uniform): Units {
  const kinds = Object.keys(template.units) as QuantityKind[];
  const chosen = kinds.map((kind): [QuantityKind, Unit] => {
    const { standard, others } = template.units[kind];
    return [kind, isOther ? others[draw(others.length, uniform)] : standard];
  });
  return new Units(Object.fromEntries(chosen) as Record<QuantityKind, Unit>, slotSeconds);
}

/** New orders of the sections, of the lines in each (servers apart), and of the fields in each line. */
export function shuffle(sections: readonly Section[], uniform: Uniform): Section[] {
  return shuffled(sections, uniform).map((section) => {
    const entries = section.isServers ? section.entries : shuffled(section.entries, uniform);
    return { ...section, entries: entries.map((entry) => ({ ...entry, fields: shuffled(entry.fields, uniform) })) };
  });
}

/** Different sentences of the template's noise, each on a line of its own at a place of its own. */
export function addNoise(sections: readonly Section[], noise: readonly string[], uniform: Uniform): Section[] {
  const noisy = sections.map((section) => ({ ...section, entries: [...section.entries] }));
  for (const sentence of shuffled(noise, uniform).slice(0, NUM_NOISE_SENTENCES)) {
    const { entries } = noisy[draw(noisy.length, uniform)];
    entries.splice(draw(entries.length + 1, uniform), 0, { label: "", fields: [sentence] });
  }
  return noisy;
}

/** A uniform draw from 0…count−1. */
function draw(count: number, uniform: Uniform): number {
  return Math.floor(uniform() * count);
}

/** The items in an order drawn uniformly from all orders. */
function shuffled<T>(items: readonly T[], uniform: Uniform): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = draw(last + 1, uniform);
    [result[last], result[other]] = [result[other], result[last]];
  }
  return result;
}
