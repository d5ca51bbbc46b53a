/**
 * An account may have neither HOME nor an entry in the system's list of users, as in many containers, and libraries ask for
 * its home as they load. Imported before those; from then on they find a place that does not exist.
 */
import { homedir } from "node:os";

/** Where Debian says that an account without a home lives. */
const NO_HOME = "/nonexistent";

/** Whether this account has a home. */
export const hasHome = isThere();

function isThere(): boolean {
  try {
    return homedir() !== NO_HOME;
  } catch {
    process.env.HOME = NO_HOME;
    return false;
  }
}
