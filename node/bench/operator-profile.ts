/** The cost of a step's operators, from the profiles that the runtime writes: one JSON file for every session. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Milliseconds of a step by operator, the dearest first. */
export type OperatorTimes = Readonly<Record<string, number>>;

/** Runs of a session that are not counted: they touch memory for the first time. */
const WARM_UP_RUNS = 1;

interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

/**
 * Mean over the steps of a run. A session that ran less often than the steps, such as that of lower blocks whose results
 * are kept, belongs to none of them.  steps: how many were taken, those of the warm-up included.
 */
export function operatorTimes(folder: string, steps: number): OperatorTimes {
  const sums = new Map<string, number>();
  for (const file of readdirSync(folder)) {
    const events = JSON.parse(readFileSync(join(folder, file), "utf8")) as readonly TraceEvent[];
    const runs = events.filter(({ name }) => name === "model_run").toSorted((a, b) => a.ts - b.ts);
    if (runs.length < steps) continue;
    const begin = runs[WARM_UP_RUNS]!.ts;
    for (const { cat, name, ts, dur, args } of events) {
      if (cat !== "Node" || !name.endsWith("_kernel_time") || ts < begin || !args?.op_name) continue;
      sums.set(args.op_name, (sums.get(args.op_name) ?? 0) + dur / 1000 / (runs.length - WARM_UP_RUNS));
    }
  }
  return Object.fromEntries([...sums].toSorted(([, a], [, b]) => b - a));
}

/** The part of the operators' time that is matrix products, in f32 or in integers. */
export function matrixShare(times: OperatorTimes): number {
  const all = Object.values(times).reduce((sum, ms) => sum + ms, 0);
  const products = Object.entries(times).filter(([operator]) => /Gemm|MatMul/.test(operator));
  return products.reduce((sum, [, ms]) => sum + ms, 0) / all;
}

/** `Gemm 78 %, MatMul 9 %, ...`: the operators with at least 1 % of the time. */
export function dearest(times: OperatorTimes): string {
  const all = Object.values(times).reduce((sum, ms) => sum + ms, 0);
  const parts = Object.entries(times).filter(([, ms]) => ms >= 0.01 * all);
  return parts.map(([operator, ms]) => `${operator} ${((100 * ms) / all).toFixed(1)} %`).join(", ");
}
