/** Many curves as one picture: a row for each, a column for each round, a darker cell for a higher value. */
import { useEffect, useRef } from "preact/hooks";
import { counted } from "../../../protocol/counted.ts";
import { type Curve, CurveNumbers, type Curves } from "./chart.tsx";
import { useDark } from "./use-dark.ts";

/** Columns that a picture has at most; beyond, one stands for the mean of several rounds. */
const COLUMNS_MAX = 160;
const ROW_PIXELS = 18;
const LABEL_PIXELS = 76;
const AXIS_PIXELS = 22;
/** The palest cell, so that a low value is told from none. */
const PALEST = 0.06;

/** A row of cells for each curve, with the numbers below; bands are not drawn. */
export function HeatMap(given: Curves) {
  const { title, unit, rounds, curves, text } = given;
  const place = useRef<HTMLCanvasElement>(null);
  const isDark = useDark();
  const known = curves.flatMap(({ values }) => values.filter((value) => value !== null));
  const [low, high] = [least(known), most(known)];
  useEffect(() => {
    const canvas = place.current;
    if (canvas === null || rounds.length === 0) return;
    const draw = (): void => drawCells(canvas, { rounds, curves, low, high });
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(canvas.parentElement ?? canvas);
    return () => observer.disconnect();
  }, [isDark, rounds, curves, low, high]);
  if (rounds.length === 0 || known.length === 0) return null;
  return (
    <div class="chart">
      <h3>
        {title} <span class="faint">({unit})</span>
      </h3>
      <div>
        <canvas
          ref={place}
          class="cells"
          role="img"
          aria-label={`${title}: ${counted(curves.length, "row")}, ${counted(rounds.length, "round")}, from ${text(low)} to ${text(high)}`}
        />
      </div>
      <p class="legend faint">
        <span class="key scale" aria-hidden="true" /> {text(low)} (pale) to {text(high)} (dark); empty: not known
      </p>
      <CurveNumbers {...given} />
    </div>
  );
}

const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);

interface Cells {
  readonly rounds: readonly number[];
  readonly curves: readonly Omit<Curve, "band">[];
  readonly low: number;
  readonly high: number;
}

function drawCells(canvas: HTMLCanvasElement, { rounds, curves, low, high }: Cells): void {
  const width = Math.max(200, canvas.parentElement?.clientWidth ?? 600);
  const height = curves.length * ROW_PIXELS + AXIS_PIXELS;
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  if (pen === null) return;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  pen.scale(ratio, ratio);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const columns = columnsOf(rounds.length);
  const step = (width - LABEL_PIXELS) / columns.length;
  for (const [row, { name, values }] of curves.entries()) {
    const y = row * ROW_PIXELS;
    pen.fillStyle = colour("--ink");
    pen.fillText(name, 0, y + ROW_PIXELS / 2, LABEL_PIXELS - 6);
    pen.fillStyle = colour("--act");
    for (const [column, [from, to]] of columns.entries()) {
      const part = values.slice(from, to).filter((value) => value !== null);
      if (part.length === 0) continue;
      const mean = part.reduce((sum, one) => sum + one, 0) / part.length;
      pen.globalAlpha = PALEST + (1 - PALEST) * (high > low ? (mean - low) / (high - low) : 0.5);
      pen.fillRect(LABEL_PIXELS + column * step, y + 1, Math.max(1, step - (step > 6 ? 1 : 0)), ROW_PIXELS - 2);
    }
    pen.globalAlpha = 1;
  }
  const y = curves.length * ROW_PIXELS + AXIS_PIXELS / 2;
  pen.fillStyle = colour("--faint");
  pen.fillText(`round ${rounds[0]}`, LABEL_PIXELS, y);
  pen.textAlign = "right";
  if (rounds.length > 1) pen.fillText(String(rounds.at(-1)), width, y);
  pen.textAlign = "left";
}

/** From which round to which each column goes. */
function columnsOf(rounds: number): readonly (readonly [from: number, to: number])[] {
  const count = Math.min(rounds, COLUMNS_MAX);
  return Array.from({ length: count }, (_, i) => [
    Math.floor((i * rounds) / count),
    Math.floor(((i + 1) * rounds) / count),
  ]);
}
