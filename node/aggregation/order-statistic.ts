/** The value of a given rank among unsorted ones, without sorting them. */

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
  // Twice the halvings that a perfect pivot would need; random values stay far below.
  let rounds = 4 + 4 * Math.ceil(Math.log2(values.length + 1));
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

function medianOfThree(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
