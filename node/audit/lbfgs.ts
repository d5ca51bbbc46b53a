/**
 * L-BFGS for a function whose value is computed elsewhere, as a session of the runtime does: minima of smooth functions from
 * their slopes, with a memory of the last few steps in place of a matrix.
 * Source: Nocedal and Wright 2006, "Numerical Optimization", algorithms 7.4 (two loops) and 3.1 (backtracking).
 */

/** A value and its slope, f32[n]. */
export interface Sloped {
  readonly value: number;
  readonly slope: Float32Array;
}

/** Steps that are remembered. */
const MEMORY = 10;
/** Share of the decrease that the slope promises which a step has to bring. */
const ARMIJO = 1e-4;
/** Halvings of a step before the search ends. */
const HALVINGS_MAX = 12;
/** Least curvature along a step, against its length, for the step to be remembered. */
const CURVATURE_MIN = 1e-10;

interface Remembered {
  readonly s: Float32Array;
  readonly y: Float32Array;
  readonly rho: number;
}

/**
 * At most so many steps from x; ends earlier where no shorter step is lower. The value never rises. What is not finite is
 * taken for higher.
 */
export async function lbfgs(
  of: (x: Float32Array) => Promise<Sloped>,
  start: Float32Array,
  { steps }: { readonly steps: number },
): Promise<Float32Array> {
  const memory: Remembered[] = [];
  let x = start;
  let at = await of(x);
  for (let step = 0; step < steps; step++) {
    const direction = descentDirection(at.slope, memory);
    // Nothing is known of the scale before the first step: one of length 1 is tried.
    const first = memory.length === 0 ? 1 / Math.max(1, Math.sqrt(dot(at.slope, at.slope))) : 1;
    const found = await backtrack(of, { x, at, direction, first });
    if (found === undefined) {
      if (memory.length === 0) break;
      // What is remembered may mislead: once more along the slope itself.
      memory.length = 0;
      continue;
    }
    const s = found.x.map((value, i) => value - x[i]!);
    const y = found.at.slope.map((value, i) => value - at.slope[i]!);
    const curvature = dot(s, y);
    if (curvature > CURVATURE_MIN * dot(s, s)) memory.push({ s, y, rho: 1 / curvature });
    if (memory.length > MEMORY) memory.shift();
    ({ x, at } = found);
  }
  return x;
}

/** -H g by the two loops over what is remembered. */
function descentDirection(slope: Float32Array, memory: readonly Remembered[]): Float32Array {
  const q = slope.slice();
  const alphas = memory.map(() => 0);
  for (let i = memory.length - 1; i >= 0; i--) {
    const { s, y, rho } = memory[i]!;
    const alpha = rho * dot(s, q);
    alphas[i] = alpha;
    addScaled(q, y, -alpha);
  }
  const newest = memory.at(-1);
  if (newest) scale(q, 1 / (newest.rho * dot(newest.y, newest.y)));
  for (const [i, { s, y, rho }] of memory.entries()) addScaled(q, s, alphas[i]! - rho * dot(y, q));
  return scale(q, -1);
}

/** The first of ever shorter steps that is low enough; undefined where none is, or the direction leads up. */
async function backtrack(
  of: (x: Float32Array) => Promise<Sloped>,
  {
    x,
    at,
    direction,
    first,
  }: { readonly x: Float32Array; readonly at: Sloped; readonly direction: Float32Array; readonly first: number },
): Promise<{ readonly x: Float32Array; readonly at: Sloped } | undefined> {
  const descent = dot(at.slope, direction);
  if (!(descent < 0)) return undefined;
  for (let halving = 0, length = first; halving < HALVINGS_MAX; halving++, length /= 2) {
    const there = x.map((value, i) => value + length * direction[i]!);
    const found = await of(there);
    const isLow = found.value <= at.value + ARMIJO * length * descent;
    if (isLow && found.slope.every(Number.isFinite)) return { x: there, at: found };
  }
  return undefined;
}

const dot = (a: Float32Array, b: Float32Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

function addScaled(into: Float32Array, other: Float32Array, by: number): void {
  for (let i = 0; i < into.length; i++) into[i] = into[i]! + by * other[i]!;
}

function scale(values: Float32Array, by: number): Float32Array {
  for (let i = 0; i < values.length; i++) values[i] = by * values[i]!;
  return values;
}
