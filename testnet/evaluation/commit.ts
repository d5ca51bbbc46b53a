/** The state of the program that computes, for results that are kept: figures of other states are not comparable. */
import { execFileSync } from "node:child_process";

/** The parts of the source tree that decide figures; a page that a run writes is none of them. */
const PROGRAM = ["protocol", "node", "testnet", "package-lock.json"];

/** The commit, such as `ea8a2f3c1d20`, with `-dirty` where the program was changed since; undefined where the folder is no checkout. */
export function commitOf(folder: string): string | undefined {
  const git = (...words: string[]): string =>
    execFileSync("git", words, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no", "--", ...PROGRAM);
    return `${git("rev-parse", "--short=12", "HEAD")}${changed === "" ? "" : "-dirty"}`;
  } catch {
    // No git, or no checkout: the result says nothing of it then.
    return undefined;
  }
}
