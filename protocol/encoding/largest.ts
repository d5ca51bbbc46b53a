/** top-k: which values of a vector are the largest in magnitude. */

const HIGH = 0x8000;
const LOW = 0x10000;

/**
 * Rising indices of the `count` values of largest magnitude; of equals those that stand first. Zeros are left out, so
 * that there may be fewer. Time proportional to the length.  Shapes: f32[P] without NaN -> u32[at most count].
 */
export function largestIndices(values: Float32Array, count: number): Uint32Array {
  // Without their sign, the bits of floats are in the order of the floats.
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const threshold = thresholdOf(bits, count);
  const above = countWhere(bits, (size) => size > threshold);
  let equals =
    threshold === 0
      ? 0
      : Math.min(
          count - above,
          countWhere(bits, (size) => size === threshold),
        );
  const indices = new Uint32Array(above + equals);
  for (let i = 0, found = 0; found < indices.length; i++) {
    const size = bits[i]! & 0x7fff_ffff;
    if (size < threshold || (size === threshold && equals === 0)) continue;
    if (size === threshold) equals--;
    indices[found++] = i;
  }
  return indices;
}

/** The bits of the `count`-th largest magnitude, from the counts of their upper and then of their lower halves. */
function thresholdOf(bits: Uint32Array, count: number): number {
  if (count >= bits.length) return 0;
  const high = new Uint32Array(HIGH);
  for (let i = 0; i < bits.length; i++) high[(bits[i]! >>> 16) & 0x7fff]!++;
  const upper = placeOf(high, count);
  const low = new Uint32Array(LOW);
  for (let i = 0; i < bits.length; i++) {
    if (((bits[i]! >>> 16) & 0x7fff) === upper.place) low[bits[i]! & 0xffff]!++;
  }
  return upper.place * LOW + placeOf(low, count - upper.above).place;
}

/** Where, counted from the last place down, the counts reach `count`, and how many are above. */
function placeOf(counts: Uint32Array, count: number): { readonly place: number; readonly above: number } {
  let above = 0;
  let place = counts.length - 1;
  while (place > 0 && above + counts[place]! < count) above += counts[place--]!;
  return { place, above };
}

function countWhere(bits: Uint32Array, isMeant: (magnitude: number) => boolean): number {
  let count = 0;
  for (let i = 0; i < bits.length; i++) if (isMeant(bits[i]! & 0x7fff_ffff)) count++;
  return count;
}
