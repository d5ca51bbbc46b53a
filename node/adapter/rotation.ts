/** The rotation R of LoReFT and DiReFT: r orthonormal rows of length d, from the network's seed, and kept so. */
import type { AdapterSlot } from "../../protocol/adapter-spec.ts";
import type { Prng } from "../../protocol/prng.ts";
import type { AdapterPart } from "./method.ts";
import { orthonormalRowsFromSeed, polarRows } from "./orthonormal.ts";

/** The start of an intervention's R, drawn from the stream of the intervention's name (protocol/README.md, 3.3). */
export function startRotation(site: string, rank: number, columns: number): (prng: Prng) => Float64Array {
  return (prng) => orthonormalRowsFromSeed(prng.fork(site), rank, columns);
}

/** R of one intervention: sent, or frozen where the settings say so. */
export function rotationPart(
  site: string,
  rank: number,
  columns: number,
  rotation: "trained" | "frozen" = "trained",
): AdapterPart {
  return {
    name: `${site}.R`,
    shape: [rank, columns],
    role: rotation === "trained" ? "sent" : "frozen",
    start: startRotation(site, rank, columns),
  };
}

/** R <- the nearest matrix with orthonormal rows (its polar factor), for every R of the vector, in place. */
export function retractRotations(slots: readonly AdapterSlot[], theta: Float32Array): void {
  for (const { name, shape, offset, length } of slots) {
    if (!name.endsWith(".R")) continue;
    const [rank, columns] = shape as [number, number];
    theta.set(polarRows(theta.subarray(offset, offset + length), rank, columns), offset);
  }
}
