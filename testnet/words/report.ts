/** The report of a testnet run: one HTML file that opens anywhere, without network. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Html, html } from "./html.ts";
import { CHART_SCRIPT, type Chart, chartData, chartSection } from "./report-chart.ts";
import {
  forgettingSection,
  scoreSection,
  settingsSection,
  summarySection,
  timeSection,
  trafficTable,
} from "./report-section.ts";
import { REPORT_STYLE } from "./report-style.ts";
import type { TestnetResult } from "./result.ts";

/** The whole page. Nothing in it is fetched from anywhere, and its policy forbids it. */
export function renderReport(result: TestnetResult): string {
  const [losses, sent, received] = charts(result);
  const uplot = uplotFiles();
  const policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'";
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>weft: report of a testnet</title>
<style>${uplot.style}${new Html(REPORT_STYLE)}</style>
</head>
<body>
<main>
${summarySection(result)}
${scoreSection(result)}
<h2>Round by round</h2>
${chartSection(losses)}
${forgettingSection(result)}
<h2>Traffic</h2>
${trafficTable(result)}
${chartSection(sent)}
${chartSection(received)}
${timeSection(result)}
${settingsSection(result)}
</main>
${chartData([losses, sent, received])}
<script>${uplot.script}</script>
<script>${new Html(CHART_SCRIPT)}</script>
</body>
</html>
`.text;
}

function charts({ peers }: TestnetResult): [Chart, Chart, Chart] {
  const rounds = [...new Set(peers.flatMap(({ view }) => view.rounds.map(({ round }) => round + 1)))].sort(
    (a, b) => a - b,
  );
  type Round = TestnetResult["peers"][number]["view"]["rounds"][number];
  const chart = (id: string, title: string, unit: Chart["unit"], value: (round: Round) => number): Chart => ({
    id,
    title,
    unit,
    rounds,
    curves: peers.map(({ name, view }) => {
      const byRound = new Map(view.rounds.map((summary) => [summary.round + 1, value(summary)]));
      return { name, values: rounds.map((round) => byRound.get(round) ?? null) };
    }),
  });
  return [
    chart("validation", "Validation loss after each round", "nats", ({ validationLoss }) => validationLoss),
    chart("sent", "Bytes sent per round", "bytes", ({ bytes }) => bytes.sent),
    chart("received", "Bytes received per round", "bytes", ({ bytes }) => bytes.received),
  ];
}

/** uPlot as it is installed: its script defines `uPlot`. */
function uplotFiles(): { readonly script: Html; readonly style: Html } {
  const folder = dirname(createRequire(import.meta.url).resolve("uplot"));
  const read = (name: string): Html => new Html(readFileSync(join(folder, name), "utf8"));
  return { script: read("uPlot.iife.min.js"), style: read("uPlot.min.css") };
}
