/**
 * An account may have neither HOME nor an entry in the system's list of users, as in many containers, and libraries ask for
 * its home as they load. Imported before those; from then on they find a place that does not exist.
 */
import { homedir } from "node:os";
import { isAbsolute } from "node:path";

/** Where Debian says that an account without a home lives. */
const NO_HOME = "/nonexistent";

// A place that depends on where a program is started would be another one each time; the XDG specification ignores it.
for (const name of ["XDG_DATA_HOME", "XDG_CACHE_HOME"]) {
  if (!isAbsolute(process.env[name] ?? "/")) delete process.env[name];
}

/** Whether this account has a home. */
export const hasHome = isThere();

function isThere(): boolean {
  const home = homeOrNothing();
  if (home === undefined) process.env.HOME = NO_HOME;
  return home !== undefined && home !== NO_HOME;
}

function homeOrNothing(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : undefined;
  } catch {
    return undefined;
  }
}
