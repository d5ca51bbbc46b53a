/** What an adapter that came out of others' values may look like at all, judged by the values alone. */
import { NodeError } from "../errors.ts";
import { isFinitePoint, type Point } from "./point.ts";

/**
 * Times by which the largest value may outgrow the peer's own largest one, or 1 where that is smaller. Trained values of all
 * kinds stay below 10, so that no mix of trained adapters comes near to it; the largest number of float16 is far above.
 */
export const GROWTH_MAX = 1000;

/**
 * Whether all values of `theta` are finite and max |theta| ≤ GROWTH_MAX max(1, max |own|). It looks at no loss and at no
 * example, so that a peer with a privacy budget may go by it as well.
 * Shapes: theta [P], own [P].
 */
export function isPlausible(theta: Point, own: Point): boolean {
  if (!isFinitePoint(theta)) return false;
  return largestMagnitude(theta) <= GROWTH_MAX * Math.max(1, largestMagnitude(own));
}

/** 0 of no values; a NaN counts as none. */
function largestMagnitude(x: Point): number {
  let largest = 0;
  for (let i = 0; i < x.length; i++) {
    const magnitude = Math.abs(x[i]!);
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

/** What `make` gives; undefined where the values that it is made of fit no adapter.  Throws: whatever else `make` throws. */
export function ifAdapter<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof NodeError && error.code === "ADAPTER_SHAPE") return undefined;
    throw error;
  }
}
