/** The value of a given rank, or of a given share of weight, among unsorted ones, without sorting them. */

/**
 * The value that would stand at index k if values[from..] were sorted, as it then does stand there: what is before it is
 * not larger, what is after it not smaller. `values` is rearranged in place. Expected cost is linear; values that were
 * chosen to make it quadratic are sorted instead, so that no sender can slow a peer down.
 * Throws: RangeError when k is not an index from `from` on.
 * Source: Hoare 1961, algorithm 65 (find), with the median of three as pivot.
 */
export function selectInPlace(values: Float64Array, k: number, from = 0): number {
  if (!(k >= from && k < values.length))
    throw new RangeError(`rank ${k} of the values from ${from} to ${values.length}`);
  let rounds = roundsMax(values.length);
  let low = from;
  let high = values.length - 1;
  while (low < high) {
    if (rounds-- === 0) {
      values.subarray(low, high + 1).sort();
      break;
    }
    const pivot = medianOfThree(values[low]!, values[(low + high) >> 1]!, values[high]!);
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i <= j) {
        const swapped = values[i]!;
        values[i++] = values[j]!;
        values[j--] = swapped;
      }
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return values[k]!;
}

/**
 * The smallest value v for which the weights of all values up to v reach `target`, the largest value if none does.
 * `values` and `weights` are rearranged in place, alike. Cost as above.
 * Throws: RangeError when there is no value, or not a weight for each.
 */
export function selectByWeightInPlace(values: Float64Array, weights: Float64Array, target: number): number {
  if (values.length === 0 || values.length !== weights.length) {
    throw new RangeError(`${values.length} values but ${weights.length} weights`);
  }
  let rounds = roundsMax(values.length);
  let low = 0;
  let high = values.length - 1;
  let below = 0;
  while (low < high) {
    if (rounds-- === 0) {
      sortAlike(values, weights, { low, high });
      while (low < high && below + weights[low]! < target) below += weights[low++]!;
      break;
    }
    const pivot = medianOfThree(values[low]!, values[(low + high) >> 1]!, values[high]!);
    let i = low;
    let j = high;
    // The weight that has gone to the left of i: all of it is of values up to the pivot.
    let left = below;
    while (i <= j) {
      while (values[i]! < pivot) left += weights[i++]!;
      while (values[j]! > pivot) j--;
      if (i <= j) {
        const value = values[i]!;
        const weight = weights[i]!;
        values[i] = values[j]!;
        weights[i] = weights[j]!;
        values[j] = value;
        weights[j--] = weight;
        left += weights[i++]!;
      }
    }
    // At most one value lies between j and i, and it equals the pivot.
    const between = i - j === 2 ? weights[j + 1]! : 0;
    if (left - between >= target && j >= low) high = j;
    else if (left >= target || i > high) return pivot;
    else {
      below = left;
      low = i;
    }
  }
  return values[low]!;
}

/** Four times the halvings that a perfect pivot would need; random values stay far below. */
function roundsMax(count: number): number {
  return 4 + 4 * Math.ceil(Math.log2(count + 1));
}

function sortAlike(
  values: Float64Array,
  weights: Float64Array,
  { low, high }: { readonly low: number; readonly high: number },
): void {
  const pairs = Array.from({ length: high - low + 1 }, (_, i) => [values[low + i]!, weights[low + i]!] as const);
  pairs.sort((a, b) => a[0] - b[0]);
  for (const [i, [value, weight]] of pairs.entries()) {
    values[low + i] = value;
    weights[low + i] = weight;
  }
}

function medianOfThree(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
