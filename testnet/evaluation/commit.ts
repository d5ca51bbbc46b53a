/** The state of the program that computes, for results that are kept: figures of other states are not comparable. */
import { execFileSync } from "node:child_process";

/** As `git describe` names it, such as `ea8a2f3c1d20-dirty`; undefined where the folder is no checkout. */
export function commitOf(folder: string): string | undefined {
  try {
    const words = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    return execFileSync("git", words, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    // No git, or no checkout: the result says nothing of it then.
    return undefined;
  }
}
