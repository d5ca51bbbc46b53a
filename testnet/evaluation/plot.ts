/** Plots of a suite, drawn by Vega to SVG text: scores of the methods, and their curves over the rounds. */
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { type CellResult, meanOf } from "./cell.ts";
import { METRICS } from "./metric.ts";
import type { SuiteResults } from "./run-table.ts";
import { splitName } from "./split.ts";
import { grouped, type Row, rowsOf } from "./summary-rows.ts";

/** A drawing that is ready to be written to a file. */
export interface Plot {
  /** The name of the file, without its ending. */
  readonly name: string;
  /** The plot in words, for those who cannot see it. */
  readonly caption: string;
  readonly svg: string;
}

/** One plot of scores and one of curves for each suite; of a suite with attacks only the scores. */
export async function plotsOf(results: SuiteResults): Promise<readonly Plot[]> {
  const { suite } = results;
  const rows = rowsOf(results);
  if (rows.length === 0) return [];
  const scores = await drawn(scoresSpec(results, rows));
  const metric = METRICS[suite.data].name;
  const plots = [
    { name: `${suite.name}-scores`, caption: `${suite.title}: ${metric}, own and others' tasks`, svg: scores },
  ];
  if (suite.attacks !== undefined) return plots;
  const curves = await drawn(curvesSpec(results));
  return [...plots, { name: `${suite.name}-curves`, caption: `${suite.title}: validation loss by round`, svg: curves }];
}

async function drawn(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}

/** The look of all plots: white paper, so that they can be read on a dark page too. */
const LOOK = {
  background: "white",
  config: { axis: { labelLimit: 0 }, legend: { labelLimit: 0 }, header: { labelFontSize: 12 } },
} as const;

function scoresSpec({ suite }: SuiteResults, rows: readonly Row[]): TopLevelSpec {
  const metric = METRICS[suite.data];
  const values = rows.flatMap((row) =>
    (["own", "others"] as const).map((which) => ({
      method: row.title,
      setting: settingOf(row, suite.attacks !== undefined),
      which: which === "own" ? "own task" : "others' tasks",
      mean: row[which].mean,
      low: row[which].mean - row[which].deviation,
      high: row[which].mean + row[which].deviation,
    })),
  );
  const titles = [...new Set(rows.map(({ title }) => title))];
  const axis = { title: metric.name, format: metric.unit === "share" ? "%" : ".2f" } as const;
  const x = { type: "quantitative", scale: { zero: false }, axis } as const;
  const y = { field: "method", type: "nominal", sort: titles, title: null } as const;
  return {
    ...LOOK,
    data: { values: values.filter(({ mean }) => Number.isFinite(mean)) },
    facet: { field: "setting", type: "nominal", title: null, sort: null },
    columns: 2,
    spec: {
      width: 260,
      layer: [
        { mark: { type: "rule" }, encoding: { x: { field: "low", ...x }, x2: { field: "high" }, y } },
        {
          mark: { type: "point", filled: true, size: 50 },
          encoding: {
            x: { field: "mean", ...x },
            y,
            color: { field: "which", type: "nominal", title: null, scale: { range: ["#0062b1", "#b35c00"] } },
            shape: { field: "which", type: "nominal", title: null },
          },
        },
      ],
    },
  };
}

function curvesSpec({ cells }: SuiteResults): TopLevelSpec {
  const titles = [...new Set(cells.map(({ cell }) => cell.method.title))];
  const groups = grouped(cells, ({ cell }) => [splitName(cell.split), cell.peers, cell.method.name].join(" "));
  const values = [...groups.values()].flatMap((group) => {
    const { cell, result } = group[0]!;
    const at = (one: CellResult, look: number): number => one.ownLosses[look] ?? Number.NaN;
    return result.looks.map((round, look) => ({
      method: cell.method.title,
      setting: settingOf({ split: splitName(cell.split), peers: cell.peers, attack: "none" }, false),
      round,
      loss: meanOf(group.map((one) => at(one.result, look))),
    }));
  });
  return {
    ...LOOK,
    data: { values: values.filter(({ loss }) => Number.isFinite(loss)) },
    facet: { field: "setting", type: "nominal", title: null, sort: null },
    columns: 2,
    spec: {
      width: 380,
      height: 260,
      mark: { type: "line", strokeWidth: 1.5 },
      encoding: {
        x: { field: "round", type: "quantitative", axis: { title: "round", format: "d", tickMinStep: 1 } },
        y: { field: "loss", type: "quantitative", scale: { type: "log", nice: false }, title: "nats per token" },
        // One legend for both, because they sort alike.
        color: { field: "method", type: "nominal", title: null, sort: titles, scale: { scheme: "tableau20" } },
        strokeDash: { field: "method", type: "nominal", title: null, sort: titles },
      },
    },
  };
}

function settingOf({ split, peers, attack }: Pick<Row, "split" | "peers" | "attack">, withAttack: boolean): string {
  return withAttack ? attack : `${split}, ${peers} peers`;
}
