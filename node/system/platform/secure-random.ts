/** The operating system's cryptographic random numbers. */
import { randomFillSync } from "node:crypto";
import type { RandomSource } from "../../interface/random-source.ts";

export function createSecureRandom(): RandomSource {
  return { fill: (out) => void randomFillSync(out) };
}
