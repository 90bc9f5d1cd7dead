/** Charts of the speed benchmark's figures, as one SVG. */

import type { PlotOptions } from "@observablehq/plot";
import type { SpeedFigure } from "./figures.js";

const WIDTH = 520;
const HEIGHT = 360;
const TITLE_HEIGHT = 30;
const COLUMNS = 2;

interface Chart {
  readonly title: string;
  readonly options: PlotOptions;
}

/** One cell of the grid. */
interface Cell {
  readonly servers: number;
  readonly lanes: number;
  readonly play: string;
  readonly nanoseconds: number;
}

/** @returns the text of an SVG file; a chart whose figures were not measured is left out */
export async function plotFigures(figures: readonly SpeedFigure[]): Promise<string> {
  const [Plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const charts = [
    ...gridCharts(Plot, cellsOf(figures)),
    ...queueChart(Plot, figures),
    ...ratioChart(Plot, figures),
  ] as Chart[];
  const drawn = charts.map(({ title, options }, i) => {
    const svg = Plot.plot({ ...options, document, width: WIDTH, height: HEIGHT, style: { fontSize: "12px" } });
    // this style is for a page; a picture of its own does not need it
    svg.querySelector("style")?.remove();
    const name = document.createElementNS("http://www.w3.org/2000/svg", "title");
    name.textContent = title;
    svg.prepend(name);
    svg.setAttribute("x", String((i % COLUMNS) * WIDTH));
    svg.setAttribute("y", String(Math.floor(i / COLUMNS) * (HEIGHT + TITLE_HEIGHT) + TITLE_HEIGHT));
    const x = (i % COLUMNS) * WIDTH + 16;
    const y = Math.floor(i / COLUMNS) * (HEIGHT + TITLE_HEIGHT) + 20;
    return `<text x="${x}" y="${y}" font-size="14" font-weight="600">${title}</text>\n${svg.outerHTML}`;
  });
  const width = WIDTH * Math.min(COLUMNS, Math.max(1, charts.length));
  const height = (HEIGHT + TITLE_HEIGHT) * Math.ceil(charts.length / COLUMNS);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    `  font-family="system-ui, sans-serif" fill="#222" color="#222">`,
    "<title>Speed of mecgym: time of a step, and the kernel against hand-written versions</title>",
    `<rect width="100%" height="100%" fill="white"/>`,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

type PlotModule = typeof import("@observablehq/plot");

function cellsOf(figures: readonly SpeedFigure[]): Cell[] {
  return figures.flatMap(({ id, value }) => {
    const match = /^grid\/servers=(\d+)\/lanes=(\d+)\/(\w+)$/.exec(id);
    if (match === null) return [];
    return [{ servers: Number(match[1]), lanes: Number(match[2]), play: match[3], nanoseconds: 1e9 / value }];
  });
}

const count = (value: number) => value.toLocaleString("en");
const timeAxis = {
  type: "log",
  grid: true,
  label: "ns a step",
  ticks: [100, 1000, 10_000, 100_000, 1_000_000],
  tickFormat: count,
} as const;
const frame = { marginTop: 40, marginBottom: 48, marginLeft: 64, marginRight: 120 };

/** One line for each value of `by`, through the grid's cells, labelled on the right. */
function lines(Plot: PlotModule, cells: readonly Cell[], x: "servers" | "lanes", by: "servers" | "lanes"): PlotOptions {
  const series = [...new Set(cells.map((cell) => cell[by]))];
  return {
    ...frame,
    color: { type: "categorical", domain: series, scheme: "tableau10" },
    x: { type: "log", label: x, labelOffset: 40 },
    y: timeAxis,
    marks: [
      // the default axis would leave out labels
      Plot.axisX([...new Set(cells.map((cell) => cell[x]))], { text: count }),
      Plot.line(cells, { x, y: "nanoseconds", stroke: by, marker: true }),
      ...[...series].reverse().map((value, i) =>
        Plot.text([value], {
          text: () => `${count(value)} ${value === 1 ? by.slice(0, -1) : by}`,
          fill: () => value,
          frameAnchor: "top-right",
          textAnchor: "start",
          dx: 16,
          dy: 18 * i,
          fontWeight: "bold",
        }),
      ),
    ],
  };
}

function gridCharts(Plot: PlotModule, cells: readonly Cell[]): Chart[] {
  const greedy = cells.filter(({ play }) => play === "greedy");
  const random = cells.filter(({ play }) => play === "random");
  const charts: Chart[] = [];
  if (greedy.length > 0) {
    charts.push({ title: "Greedy actions: time against lanes", options: lines(Plot, greedy, "lanes", "servers") });
    charts.push({ title: "Greedy actions: time against servers", options: lines(Plot, greedy, "servers", "lanes") });
  }
  if (random.length > 0) {
    charts.push({ title: "Random actions: time against lanes", options: lines(Plot, random, "lanes", "servers") });
  }
  return charts;
}

function queueChart(Plot: PlotModule, figures: readonly SpeedFigure[]): Chart[] {
  const points = figures.flatMap(({ id, value }) => {
    const match = /^shape\/random\/slots=(\d+)\/time$/.exec(id);
    const tasks = figures.find((other) => other.id === id.replace(/time$/, "active-tasks"));
    if (match === null || tasks === undefined) return [];
    return [{ slots: match[1], nanoseconds: value, tasks: tasks.value }];
  });
  if (points.length === 0) return [];
  return [
    {
      title: "Random actions: time against tasks (and slots of an episode)",
      options: {
        ...frame,
        marginRight: 90,
        x: { label: "tasks on a server, mean", zero: true, grid: true, labelOffset: 40 },
        y: { label: "ns a step", zero: true, grid: true, tickFormat: count },
        marks: [
          Plot.line(points, { x: "tasks", y: "nanoseconds", stroke: "#4e79a7", marker: true }),
          Plot.text(points, {
            x: "tasks",
            y: "nanoseconds",
            text: (d: { slots: string }) => d.slots,
            dx: 8,
            dy: 4,
            textAnchor: "start",
            filter: (d: { tasks: number }) => d.tasks > 5,
          }),
        ],
      },
    },
  ];
}

function ratioChart(Plot: PlotModule, figures: readonly SpeedFigure[]): Chart[] {
  const ratios = figures.flatMap(({ id, value, low, high, goal }) => {
    const match = /^peers\/lanes=(\d+)\/(\w+)\/over-(\w+)$/.exec(id);
    if (match === null) return [];
    const name = `${match[3] === "jax" ? "JAX" : "NumPy"}, ${Number(match[1]).toLocaleString("en")} lanes, ${match[2]}`;
    return [{ name, value, low, high, goal }];
  });
  if (ratios.length === 0) return [];
  return [
    {
      title: "Kernel ÷ hand-written version, one core (line: goal)",
      options: {
        ...frame,
        marginLeft: 190,
        marginRight: 30,
        x: { label: "times as fast", grid: true, zero: true, labelOffset: 40 },
        y: { label: null, domain: ratios.map(({ name }) => name) },
        marks: [
          Plot.barX(ratios, { x: "value", y: "name", fill: "#76b7b2" }),
          Plot.ruleY(ratios, { x1: "low", x2: "high", y: "name", stroke: "#222" }),
          Plot.tickX(
            ratios.filter(({ goal }) => goal !== null),
            { x: "goal", y: "name", stroke: "#e15759", strokeWidth: 2 },
          ),
        ],
      },
    },
  ];
}
