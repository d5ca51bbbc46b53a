/**
 * Material that others made, or that is large: models, data sets, ONNX files. This repository does not hold it; tests find it
 * in ../shared/assets beside the checkout, and are skipped where it is not there, or where WEFT_WITHOUT_MATERIAL is set: so a
 * machine that has it can show that a clone without it passes.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** A file or folder below ../shared/assets. */
export interface SharedAsset {
  readonly path: string;
  readonly missing: boolean;
}

/** Find one, or say on stderr which tests are skipped without it.  what: one phrase, with its origin. */
export function sharedAsset(name: string, what: string): SharedAsset {
  const folder = process.env.WEFT_WITHOUT_MATERIAL === "1" ? "none" : "../../../shared/assets";
  const path = join(import.meta.dirname, folder, name);
  const missing = !existsSync(path);
  if (missing)
    console.warn(`skipped: the tests with ${what}, which this repository does not hold: there is no ${path}`);
  return { path, missing };
}
