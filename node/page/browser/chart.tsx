/** Curves over the rounds, with their numbers as a table. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { NumbersBelow } from "./table.tsx";
import { useDark } from "./use-dark.ts";

/** One line. */
export interface Curve {
  readonly name: string;
  /** By round; null where there is no value. */
  readonly values: readonly (number | null)[];
  /** The least and the most that each value may be, drawn as a band behind the line. */
  readonly band?: { readonly low: readonly (number | null)[]; readonly high: readonly (number | null)[] } | undefined;
}

/** Colours that people see apart who do not see all of them; each also has a dash of its own. Okabe and Ito 2008. */
const LIGHT = ["#0062b1", "#b35c00", "#3d7a37", "#a1307a", "#00718f", "#7a5c00", "#5b4bb3", "#8f2f2f"];
const DARK = ["#63b3ff", "#ffa94d", "#7ccf73", "#f28fc8", "#5fd0e8", "#e0c14d", "#b3a6ff", "#ff9e94"];
const DASHES = [[], [9, 4], [2, 3], [12, 3, 2, 3], [5, 5], [1, 5], [14, 6], [3, 2, 3, 6]];
/** More lines than these nobody tells apart. */
export const CURVES_MAX = LIGHT.length;

const HEIGHT = 240;

/** rounds: counted from 1, the same for all curves.  text: a value as people read it. */
export interface Curves {
  readonly title: string;
  readonly unit: string;
  readonly rounds: readonly number[];
  readonly curves: readonly Curve[];
  readonly text: (value: number | null) => string;
}

/** The numbers of curves, a row for each round. */
export function CurveNumbers({ title, unit, rounds, curves, text }: Curves) {
  return (
    <NumbersBelow
      caption={`${title}, ${unit}`}
      headings={["round", ...curves.map(({ name }) => name)]}
      rows={() => rounds.map((round, i) => [round, ...curves.map(({ values }) => text(values[i] ?? null))])}
      cells={rounds.length * curves.length}
    />
  );
}

/** A line for each curve, with its numbers below. */
export function Chart(given: Curves) {
  const { title, unit, rounds, curves, text } = given;
  const place = useRef<HTMLDivElement>(null);
  const isDark = useDark();
  const colours = isDark ? DARK : LIGHT;
  const shown = curves.slice(0, CURVES_MAX);
  const names = shown.map(({ name }) => name).join("\n");
  // Drawn anew where there is other data; a peer has a round every few seconds at most.
  useEffect(() => {
    const element = place.current;
    if (element === null || rounds.length === 0) return;
    const plot = new uPlot(
      plotOptions({ ...given, curves: shown }, { width: element.clientWidth, colours }),
      [
        [...rounds],
        ...shown.map(({ values }) => [...values]),
        ...shown.flatMap(({ band }) => (band ? [[...band.high], [...band.low]] : [])),
      ],
      element,
    );
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [isDark, names, JSON.stringify(shown.map(({ values, band }) => [values, band])), rounds.length, title]);
  return (
    <div class="chart">
      <h3>
        {title} <span class="faint">({unit})</span>
      </h3>
      {rounds.length === 0 ? (
        <p class="faint">Nothing yet: the first round is not done.</p>
      ) : (
        <>
          <div
            class="plot"
            ref={place}
            role="img"
            aria-label={`${title}: ${shown.map((one) => describe(one, text)).join("; ")}`}
          />
          <Legend curves={shown} colours={colours} text={text} />
          {curves.length > CURVES_MAX && (
            <p class="faint">
              {CURVES_MAX} of {curves.length} lines are drawn; the table has all.
            </p>
          )}
          <CurveNumbers {...given} />
        </>
      )}
    </div>
  );
}

/** What each line is, with its newest value. */
function Legend(given: {
  readonly curves: readonly Curve[];
  readonly colours: readonly string[];
  readonly text: (value: number | null) => string;
}) {
  const { curves, colours, text } = given;
  return (
    <ul class="legend">
      {curves.map(({ name, values }, i) => (
        <li key={name}>
          <svg width="34" height="10" aria-hidden="true">
            <line
              x1="0"
              y1="5"
              x2="34"
              y2="5"
              stroke={colours[i]}
              stroke-width="3"
              stroke-dasharray={(DASHES[i] ?? []).join(" ")}
            />
          </svg>
          {name} <b>{text(values.at(-1) ?? null)}</b>
        </li>
      ))}
    </ul>
  );
}

function describe({ name, values }: Curve, text: (value: number | null) => string): string {
  const known = values.filter((value) => value !== null);
  return known.length === 0
    ? `${name} has no values`
    : `${name} from ${text(known[0] ?? null)} to ${text(known.at(-1) ?? null)}`;
}

/** The edge of a band, which is not drawn. */
const EDGE: uPlot.Series = { width: 0, points: { show: false } };

function plotOptions(
  { unit, curves, text, rounds }: Parameters<typeof Chart>[0],
  { width, colours }: { readonly width: number; readonly colours: readonly string[] },
): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim();
  const line = style.getPropertyValue("--line").trim();
  const banded = curves.flatMap(({ band }, i) => (band ? [i] : []));
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false } },
    axes: [
      { ...axis, label: "round", labelSize: 22, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000] },
      { ...axis, label: unit, labelSize: 22, size: 64, values: (_, ticks) => ticks.map(text) },
    ],
    series: [
      { label: "round" },
      ...curves.map(({ name }, i) => ({
        label: name,
        stroke: colours[i] ?? ink,
        dash: DASHES[i] ?? [],
        width: 2,
        points: { show: rounds.length < 40 },
      })),
      ...banded.flatMap(() => [EDGE, EDGE]),
    ],
    bands: banded.map((curve, i) => ({
      series: [curves.length + 1 + 2 * i, curves.length + 2 + 2 * i],
      fill: `${colours[curve] ?? ink}2e`,
    })),
  };
}
