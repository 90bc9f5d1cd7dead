/** Draws a scene as SVG: the user's task and device on the left, the servers with their queues on the right. */

import type { Scene, ServerScene } from "./episode-track.js";

const WIDTH = 640;
const LEFT_WIDTH = 150;
const SERVERS_LEFT = 214;
const TOP = 8;
/** Least work in Mbit that fills a queue's bar. */
const MIN_FULL_MBIT = 20;

/** What the pictures of one episode share. */
export interface PictureOptions {
  /** Read by screen readers. */
  readonly title: string;
  /** Work that fills a bar, Mbit; pictures with the same value can be compared. From the scene itself if left out. */
  readonly fullMbit?: number;
}

/** The work that fills a bar: a round number that no queue of the scenes exceeds. */
export function fullMbit(scenes: readonly Scene[]): number {
  const loads = scenes.flatMap((scene) => scene.servers.map((server) => server.workloadMbit));
  const largest = Math.max(MIN_FULL_MBIT, ...loads);
  const power = 10 ** Math.floor(Math.log10(largest));
  return [1, 2, 5, 10].map((step) => step * power).find((round) => round >= largest) ?? largest;
}

/** The text of an `svg` element. Its colours are the page's CSS variables. */
export function drawScene(scene: Scene, options: PictureOptions): string {
  const full = options.fullMbit ?? fullMbit([scene]);
  const count = scene.servers.length;
  const rowHeight = Math.max(16, Math.min(48, 288 / count));
  const height = Math.max(240, count * rowHeight) + 2 * TOP;
  const finite = scene.costSlots.filter(Number.isFinite);
  const best = finite.length === 0 ? -1 : scene.costSlots.indexOf(Math.min(...finite));
  const firstTop = TOP + (height - 2 * TOP - count * rowHeight) / 2;
  const rows = scene.servers.map((server, e) => ({
    server,
    action: e + 1,
    top: firstTop + e * rowHeight,
    height: rowHeight - Math.min(6, rowHeight / 5),
  }));
  return [
    `<svg class="scene" viewBox="0 0 ${WIDTH} ${height}" role="img"`,
    ` aria-label="${escapeText(describe(scene, options))}">`,
    ...links(scene, rows, height),
    device(scene, height, best === 0),
    ...rows.map((row) => serverRow(scene, row, full, best === row.action)),
    "</svg>",
  ].join("");
}

interface Row {
  readonly server: ServerScene;
  readonly action: number;
  readonly top: number;
  readonly height: number;
}

function describe({ slot, episodeSlots, servers, last, hasEnded }: Scene, { title }: PictureOptions): string {
  const tasks = servers.reduce((sum, server) => sum + server.activeTasks, 0);
  const before = last === undefined ? "" : ` The last decision cost ${last.costSlots.toFixed(2)} slots.`;
  const when = hasEnded ? "The episode has ended" : `Slot ${slot} of ${episodeSlots}`;
  return `${title}. ${when}: ${tasks} tasks wait on ${servers.length} servers.${before}`;
}

/** A curve from the device to each server: wide ones are fast, and the one taken last has a colour. */
function links(scene: Scene, rows: readonly Row[], height: number): string[] {
  const fastest = Math.max(1, ...scene.servers.map((server) => server.rateMbps));
  const taken = scene.last?.action ?? 0;
  const x0 = LEFT_WIDTH;
  const y0 = height / 2;
  // the one that was taken is drawn over the others
  return [...rows]
    .filter((row) => row.server.isAvailable)
    .sort((a, b) => Number(a.action === taken) - Number(b.action === taken))
    .map(({ server, action, top, height: own }) => {
      const y = top + own / 2;
      const middle = (x0 + SERVERS_LEFT) / 2;
      const width = (1 + (5 * server.rateMbps) / fastest).toFixed(1);
      const kind = action === taken ? lastClass(scene) : "link";
      const end = y.toFixed(1);
      const curve = `M${x0} ${y0}C${middle} ${y0} ${middle} ${end} ${SERVERS_LEFT} ${end}`;
      return `<path class="${kind}" fill="none" stroke-width="${width}" d="${curve}"/>`;
    });
}

function lastClass(scene: Scene): string {
  return scene.last?.isLate ? "taken late" : "taken";
}

function device(scene: Scene, height: number, isBest: boolean): string {
  const top = height / 2 - 112;
  const centre = LEFT_WIDTH / 2;
  const isTaken = scene.last?.action === 0;
  const radius = Math.min(40, 15 * Math.sqrt(scene.sizeMbit));
  return [
    card(0.5, top, LEFT_WIDTH - 1, 224, isTaken ? lastClass(scene) : ""),
    text(12, top + 24, `User ${scene.userIndex + 1}`, "strong"),
    `<circle class="task" cx="${centre}" cy="${top + 82}" r="${radius.toFixed(1)}"/>`,
    text(centre, top + 87, scene.sizeMbit.toFixed(2), "strong on-task", "middle"),
    text(centre, top + 142, `Mbit, due in ${scene.deadlineSlots} slots`, "faint", "middle"),
    `<line class="rule" x1="12" x2="${LEFT_WIDTH - 12}" y1="${top + 154}" y2="${top + 154}"/>`,
    text(12, top + 174, "0  own device", ""),
    text(12, top + 192, `waits ${scene.localWaitSlots.toFixed(1)} slots`, "faint"),
    cost(12, top + 212, scene.costSlots[0], isBest, "start"),
  ].join("");
}

function serverRow(scene: Scene, { server, action, top, height }: Row, full: number, isBest: boolean): string {
  const middle = top + height / 2 + 4.5;
  const isTaken = scene.last?.action === action;
  const parts = [
    card(SERVERS_LEFT, top, WIDTH - SERVERS_LEFT - 0.5, height, isTaken ? lastClass(scene) : ""),
    text(SERVERS_LEFT + 8, middle, String(action), "strong"),
  ];
  if (!server.isAvailable) return [...parts, text(SERVERS_LEFT + 36, middle, "absent", "faint")].join("");
  const barLeft = SERVERS_LEFT + 98;
  const barWidth = 160;
  const barHeight = Math.min(18, height * 0.55);
  const barTop = top + (height - barHeight) / 2;
  const length = barWidth * Math.min(1, server.workloadMbit / full);
  const piece = length / Math.max(1, server.activeTasks);
  const cuts =
    piece < 4
      ? ""
      : Array.from({ length: server.activeTasks - 1 }, (_, i) => {
          const x = (barLeft + (i + 1) * piece).toFixed(1);
          return `<line class="cut" x1="${x}" x2="${x}" y1="${barTop}" y2="${barTop + barHeight}"/>`;
        }).join("");
  parts.push(
    text(SERVERS_LEFT + 32, middle, `${server.cpuGHz.toFixed(1)} GHz`, "faint"),
    `<rect class="room" x="${barLeft}" y="${barTop}" width="${barWidth}" height="${barHeight}" rx="3"/>`,
    `<rect class="queue" x="${barLeft}" y="${barTop}" width="${length.toFixed(1)}" height="${barHeight}" rx="3"/>`,
    cuts,
    text(barLeft + barWidth + 6, middle, `${server.activeTasks}: ${server.workloadMbit.toFixed(1)} Mbit`, "faint"),
    cost(WIDTH - 8, middle, scene.costSlots[action], isBest, "end"),
  );
  return parts.join("");
}

function card(x: number, y: number, width: number, height: number, kind: string): string {
  const size = `width="${width}" height="${height.toFixed(1)}"`;
  return `<rect class="card ${kind}" x="${x}" y="${y.toFixed(1)}" ${size} rx="6"/>`;
}

/** What an action would cost now; the cheapest is marked. */
function cost(x: number, y: number, slots: number | undefined, isBest: boolean, anchor: string): string {
  if (slots === undefined || !Number.isFinite(slots)) return "";
  return text(x, y, slots < 1000 ? slots.toFixed(2) : slots.toFixed(0), isBest ? "cost best" : "cost", anchor);
}

function text(x: number, y: number, words: string, kind: string, anchor = "start"): string {
  const place = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
  return `<text class="${kind}" x="${x}" y="${y.toFixed(1)}"${place}>${escapeText(words)}</text>`;
}

export function escapeText(words: string): string {
  return words.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] ?? c);
}
