/** The operating system's cryptographic random numbers. */
import { randomFillSync } from "node:crypto";
import type { RandomSource } from "../../interface/random-source.ts";

/** Random bytes that nobody can foretell. */
export function createSecureRandom(): RandomSource {
  return { fill: (out) => void randomFillSync(out) };
}
