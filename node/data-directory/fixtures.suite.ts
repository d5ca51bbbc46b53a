/** The data directories of released versions, each unpacked into a folder of its own. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FIXTURES = join(import.meta.dirname, "fixtures");

/** The versions that there are fixtures of. */
export const RELEASED: readonly string[] = readdirSync(FIXTURES).flatMap((name) =>
  name.endsWith(".tar.gz") ? [name.slice(0, -".tar.gz".length)] : [],
);

/** The directory as that version left it, in a new folder. */
export function unpacked(version: string): string {
  const folder = mkdtempSync(join(tmpdir(), "weft-released-"));
  execFileSync("tar", ["-xzf", join(FIXTURES, `${version}.tar.gz`), "-C", folder]);
  return folder;
}
