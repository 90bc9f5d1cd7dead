/** Draws how the mean cost of each policy develops over the slots of an episode, as SVG with a logarithmic axis. */

import type { EpisodeTrack } from "./episode-track.js";
import { escapeText } from "./picture.js";

const HEIGHT = 260;
const LEFT = 56;
/** Room at the right end. */
const MARGIN_RIGHT = 16;
export const CURVE_WIDTH = 1000;
const TOP = 16;
const BOTTOM = 220;
/** A point of the curve is the mean over so many slots. */
export const SMOOTHED_SLOTS = 20;
const MIN_COST_SLOTS = 1;

/** A track with the name and the CSS class of its line. */
export interface Curve {
  readonly name: string;
  readonly kind: string;
  readonly track: EpisodeTrack;
}

/**
 * The text of an `svg` element: a line for each curve up to the slot that its track has reached.
 *
 * @param width width of the drawing; a narrow one has larger letters on a narrow screen
 */
export function drawCosts(curves: readonly Curve[], width = CURVE_WIDTH): string {
  const right = width - MARGIN_RIGHT;
  const [{ track: first }] = curves;
  const { episodeSlots, deadlineSlots } = first;
  const lines = curves.map((curve) => pointsOf(curve.track));
  const top = axisTop(Math.max(2 * deadlineSlots, ...lines.flat().map((point) => point.costSlots)));
  const x = (slot: number) => LEFT + ((right - LEFT) * slot) / episodeSlots;
  const y = (slots: number) =>
    BOTTOM -
    ((BOTTOM - TOP) * Math.log(Math.max(slots, MIN_COST_SLOTS) / MIN_COST_SLOTS)) / Math.log(top / MIN_COST_SLOTS);
  const words = curves.map(({ name, track }) => `${name} ${costText(track)}`).join(", ");
  return [
    `<svg class="costs" viewBox="0 0 ${width} ${HEIGHT}" role="img"`,
    ` aria-label="Mean cost so far: ${escapeText(words)}">`,
    ...ticks(top).map(
      (tick) =>
        `<line class="rule" x1="${LEFT}" x2="${right}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/>` +
        `<text class="faint" x="${LEFT - 8}" y="${(y(tick) + 5).toFixed(1)}" text-anchor="end">${tick}</text>`,
    ),
    `<path class="deadline" fill="none" d="M${LEFT} ${y(deadlineSlots).toFixed(1)}H${right}"/>`,
    `<text class="faint" x="${right}" y="${(y(deadlineSlots) - 6).toFixed(1)}" text-anchor="end">deadline</text>`,
    ...[0, 0.25, 0.5, 0.75, 1].map((share) => {
      const slot = Math.round(share * episodeSlots);
      const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
      const place = `x="${x(slot).toFixed(1)}" y="${BOTTOM + 22}" text-anchor="${anchor}"`;
      return `<text class="faint" ${place}>${slot === 0 ? "slot 0" : slot}</text>`;
    }),
    ...curves.map(({ kind }, i) => {
      const path = lines[i].map(({ slot, costSlots }) => `${x(slot).toFixed(1)} ${y(costSlots).toFixed(1)}`).join("L");
      return path === "" ? "" : `<path class="curve ${kind}" fill="none" d="M${path}"/>`;
    }),
    "</svg>",
  ].join("");
}

/** The mean cost of the decisions so far, as text. */
export function costText(track: EpisodeTrack): string {
  const mean = track.meanCostSlots(0, track.episodeSlots);
  return Number.isNaN(mean) ? "no decision yet" : `${mean.toFixed(2)} slots`;
}

function pointsOf(track: EpisodeTrack): { slot: number; costSlots: number }[] {
  const points: { slot: number; costSlots: number }[] = [];
  const stride = Math.max(1, Math.round(track.episodeSlots / 250));
  for (let slot = stride; slot <= track.slot; slot += stride) {
    const costSlots = track.meanCostSlots(slot - SMOOTHED_SLOTS, slot);
    if (!Number.isNaN(costSlots)) points.push({ slot, costSlots });
  }
  return points;
}

/** The smallest of 20, 50, 100, 200, … that is not below the largest cost. */
function axisTop(largest: number): number {
  let top = 20;
  for (let i = 0; top < largest; i++) top *= i % 3 === 0 ? 2.5 : 2;
  return top;
}

function ticks(top: number): number[] {
  const all: number[] = [];
  for (let power = 1; power <= top; power *= 10) all.push(power, ...[2, 5].map((step) => step * power));
  const fitting = all.filter((tick) => tick <= top);
  // with a high axis only powers of ten fit
  return top > 500 ? fitting.filter((tick) => Number.isInteger(Math.log10(tick))) : fitting;
}
