/** Text files that are small: templates that a user names. */
import { readFileSync, statSync } from "node:fs";

const BYTES_MAX = 2 ** 20;

/** Throws: what the system says, or RangeError for a file of more than 1 MiB; TypeError for one that is not UTF-8. */
export function readSmallText(file: string): string {
  const { size } = statSync(file);
  if (size > BYTES_MAX) throw new RangeError(`${file} has ${size} bytes, ${BYTES_MAX} at most`);
  return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
}
