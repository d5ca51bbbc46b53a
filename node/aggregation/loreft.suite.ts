/** LoReFT adapters for the tests of this room, written plainly: two sites, an edit function, rotations of the gauge. */
import { type AdapterSlot, adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng, type Prng } from "../../protocol/prng.ts";
import { orthonormalRowsFromSeed } from "../adapter/orthonormal.ts";

export const RANK = 3;
export const HIDDEN = 8;
export const SITES = ["layers.0.prefix", "layers.1.prefix"] as const;

/** The two sites one after another, with a tensor between them that has no gauge. */
export const SLOTS: readonly AdapterSlot[] = adapterSlots([
  { name: `${SITES[0]}.R`, shape: [RANK, HIDDEN] },
  { name: `${SITES[0]}.W`, shape: [RANK, HIDDEN] },
  { name: `${SITES[0]}.b`, shape: [RANK] },
  { name: "head.weight", shape: [2, 5] },
  { name: `${SITES[1]}.R`, shape: [RANK, HIDDEN] },
  { name: `${SITES[1]}.W`, shape: [RANK, HIDDEN] },
  { name: `${SITES[1]}.b`, shape: [RANK] },
]);
export const PARAMETER_COUNT = SLOTS.reduce((sum, slot) => sum + slot.length, 0);

export function tensor(theta: ArrayLike<number>, name: string): number[] {
  const slot = SLOTS.find((candidate) => candidate.name === name)!;
  return Array.from(theta).slice(slot.offset, slot.offset + slot.length);
}

/** A random adapter: orthonormal R, W = R + 0.3 normal, b and the rest normal. */
export function randomAdapter(seed: number): Float32Array {
  const prng = createPrng(seed);
  const theta = Float32Array.from({ length: PARAMETER_COUNT }, () => prng.normal());
  for (const site of SITES) {
    const R = SLOTS.find((slot) => slot.name === `${site}.R`)!;
    const W = SLOTS.find((slot) => slot.name === `${site}.W`)!;
    theta.set(orthonormalRowsFromSeed(prng.fork(site), RANK, HIDDEN), R.offset);
    for (let i = 0; i < R.length; i++) theta[W.offset + i] = theta[R.offset + i]! + 0.3 * theta[W.offset + i]!;
  }
  return theta;
}

/** h + Rᵀ(W h + b - R h) at one site, summed literally. */
export function editAt(theta: ArrayLike<number>, site: string, h: readonly number[]): number[] {
  const R = tensor(theta, `${site}.R`);
  const W = tensor(theta, `${site}.W`);
  const b = tensor(theta, `${site}.b`);
  const out = [...h];
  for (let i = 0; i < RANK; i++) {
    let inner = b[i]!;
    for (let k = 0; k < HIDDEN; k++) inner += (W[i * HIDDEN + k]! - R[i * HIDDEN + k]!) * h[k]!;
    for (let k = 0; k < HIDDEN; k++) out[k]! += R[i * HIDDEN + k]! * inner;
  }
  return out;
}

/** The largest difference of two adapters as functions, over both sites and twenty random hidden states. */
export function functionDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const prng = createPrng(99);
  let largest = 0;
  for (let trial = 0; trial < 20; trial++) {
    const h = Array.from({ length: HIDDEN }, () => prng.normal());
    for (const site of SITES) {
      const other = editAt(b, site, h);
      for (const [k, x] of editAt(a, site, h).entries()) largest = Math.max(largest, Math.abs(x - other[k]!));
    }
  }
  return largest;
}

/** The same function in another gauge: (Q R, Q W, Q b) with a random orthogonal Q per site. */
export function rotated(theta: Float32Array, seed: number): Float32Array {
  const out = theta.slice();
  for (const site of SITES) {
    const Q = randomOrthogonal(createPrng(seed).fork(site));
    for (const part of ["R", "W", "b"]) {
      const slot = SLOTS.find((candidate) => candidate.name === `${site}.${part}`)!;
      const columns = slot.length / RANK;
      for (let i = 0; i < RANK; i++) {
        for (let k = 0; k < columns; k++) {
          let sum = 0;
          for (let j = 0; j < RANK; j++) sum += Q[i * RANK + j]! * theta[slot.offset + j * columns + k]!;
          out[slot.offset + i * columns + k] = sum;
        }
      }
    }
  }
  return out;
}

/** Largest entry of |R Rᵀ - I| over both sites. */
export function rotationError(theta: ArrayLike<number>): number {
  let largest = 0;
  for (const site of SITES) {
    const R = tensor(theta, `${site}.R`);
    for (let i = 0; i < RANK; i++) {
      for (let j = 0; j < RANK; j++) {
        let sum = i === j ? -1 : 0;
        for (let k = 0; k < HIDDEN; k++) sum += R[i * HIDDEN + k]! * R[j * HIDDEN + k]!;
        largest = Math.max(largest, Math.abs(sum));
      }
    }
  }
  return largest;
}

export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return Array.from(a).reduce((largest, x, i) => Math.max(largest, Math.abs(x - b[i]!)), 0);
}

/** A random rotation or reflection: half of them turn space inside out. */
function randomOrthogonal(prng: Prng): Float64Array {
  return orthonormalRowsFromSeed(prng, RANK, RANK);
}
