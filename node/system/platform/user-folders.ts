/** The system's folders for what programs keep for a user. */
// First and by itself: what comes next asks for the home folder as it loads.
import "./user-home.ts";

import { tmpdir } from "node:os";
import { join } from "node:path";
import envPaths from "env-paths";
import { hasHome } from "./user-home.ts";

const { data, cache } = envPaths("weft", { suffix: "" });

/** The folder for data; undefined for an account without a home, where the environment names none. */
export const userDataFolder: string | undefined = hasHome || process.env.XDG_DATA_HOME ? data : undefined;

/** The folder for what can be made again. */
export const userCacheFolder: string = hasHome || process.env.XDG_CACHE_HOME ? cache : join(tmpdir(), "weft-cache");
