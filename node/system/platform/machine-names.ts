/** What names this machine and who uses it. */
import { homedir, hostname, userInfo } from "node:os";
import "./user-home.ts";

/** Names of the machine and the account, and the home folder with what takes its place. */
export function machineNames(): {
  readonly texts: readonly string[];
  readonly folders: readonly (readonly [string, string])[];
} {
  return { texts: [hostname(), accountName()].filter((name) => !COMMON.has(name)), folders: [[homedir(), "~"]] };
}

/** Names that say nothing, and that stand in other words. */
const COMMON = new Set(["localhost", "root", "node", "weft", "user", "admin", ""]);

/** "" for an account without an entry. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return "";
  }
}
