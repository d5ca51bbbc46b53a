/** Curves of the report: what they show, and the script that has uPlot draw them when the page is opened. */

import { type Html, html, scriptJson } from "./html.ts";
import { formatBytes } from "./text-table.ts";

/** One line of a chart. */
export interface Curve {
  readonly name: string;
  /** By round; null where there is no value. */
  readonly values: readonly (number | null)[];
}

/** Lines over the rounds, with axes. */
export interface Chart {
  /** Element id, unique in the page. */
  readonly id: string;
  readonly title: string;
  readonly unit: "nats" | "bytes";
  /** Round numbers, counted from 1, the same for all curves. */
  readonly rounds: readonly number[];
  readonly curves: readonly Curve[];
}

/** A chart with its text alternative: a label for those who cannot see it, and its numbers as a table. */
export function chartSection(chart: Chart): Html {
  const { id, title, unit, rounds, curves } = chart;
  const cell = (value: number | null | undefined): string => {
    if (value === null || value === undefined) return "–";
    return unit === "bytes" ? formatBytes(value) : value.toFixed(4);
  };
  return html`<h3>${title}</h3>
<div class="chart" id="${id}" role="img" aria-label="${title}: ${curves.map(describe).join("; ")}. The table below has the numbers."></div>
<details><summary>${title} as a table</summary><div class="scroll"><table><caption>${title}, ${unit}</caption>
<thead><tr><th scope="col">round</th>${curves.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rounds.map((round, i) => html`<tr><th scope="row">${round}</th>${curves.map(({ values }) => html`<td>${cell(values[i])}</td>`)}</tr>`)}</tbody></table></div></details>`;
}

/** The charts' numbers, for the script below. */
export function chartData(charts: readonly Chart[]): Html {
  return html`<script type="application/json" id="charts">${scriptJson(charts)}</script>`;
}

function describe({ name, values }: Curve): string {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? `${name} has no values` : `${name} from ${known[0]} to ${known.at(-1)}`;
}

/** Draws every chart, and again when the page's width or the system's colours change. */
export const CHART_SCRIPT = `
"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  // Okabe and Ito's colours, which colour-blind readers can tell apart; lighter ones on dark paper.
  const light = ["#0062b1", "#b35c00", "#3d7a37", "#a1307a", "#00718f", "#7a5c00", "#5b4bb3", "#8f2f2f"];
  const onDark = ["#63b3ff", "#ffa94d", "#7ccf73", "#f28fc8", "#5fd0e8", "#e0c14d", "#b3a6ff", "#ff9e94"];
  const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
  const bytes = (value) => value >= 1e6 ? (value / 1e6).toPrecision(3) + " MB" : value >= 1e3 ? (value / 1e3).toPrecision(3) + " kB" : value + " B";
  let drawn = [];
  const draw = () => {
    for (const plot of drawn) plot.destroy();
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink").trim();
    const line = style.getPropertyValue("--line").trim();
    const colours = dark.matches ? onDark : light;
    drawn = charts.filter((chart) => chart.rounds.length > 0).map((chart) => {
      const place = document.getElementById(chart.id);
      const text = chart.unit === "bytes" ? bytes : (value) => String(value);
      const axis = { stroke: ink, grid: { stroke: line }, ticks: { stroke: line } };
      return new uPlot({
        width: place.clientWidth,
        height: 300,
        scales: { x: { time: false } },
        axes: [
          { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000] },
          { ...axis, size: 70, values: (_, ticks) => ticks.map(text) },
        ],
        series: [
          { label: "round" },
          ...chart.curves.map(({ name }, i) => ({
            label: name,
            stroke: colours[i % colours.length],
            dash: dashes[Math.floor(i / colours.length) % dashes.length],
            width: 2,
            points: { show: chart.rounds.length < 40 },
            value: (_, value) => value === null ? "–" : chart.unit === "bytes" ? bytes(value) : value.toFixed(4),
          })),
        ],
      }, [chart.rounds, ...chart.curves.map(({ values }) => values)], place);
    });
  };
  draw();
  dark.addEventListener("change", draw);
  let width = document.body.clientWidth;
  addEventListener("resize", () => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    draw();
  });
})();
`;
