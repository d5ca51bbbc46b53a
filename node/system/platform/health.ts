/** Looks at the machine and at a peer's files without changing anything. */
import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { dirname } from "node:path";
import { counted } from "../../../protocol/counted.ts";
import { type ErrorFacts, NodeError, type Problem } from "../../errors.ts";
import { fileError, systemCode } from "../files/atomic-file.ts";
import { readKey } from "../files/key-file.ts";

/** One thing that was looked at. `absent`: it is not there yet, which is no problem. */
export interface Finding {
  readonly name: string;
  readonly state: "ok" | "warning" | "problem" | "absent";
  readonly text: string;
  /** What exactly is wrong or missing, where something can be done about it. */
  readonly problem?: Problem;
}

/** What an error says, as a finding. */
export function problemOf(
  name: string,
  { message, facts }: { readonly message: string; readonly facts: ErrorFacts },
): Finding {
  const { problem } = facts;
  return { name, state: "problem", text: message, ...(problem && { problem }) };
}

/** Below this a checkpoint may not find its place: two of them, of vectors of up to 16 million values. */
const SPACE_NEEDED_BYTES = 1_000_000_000;
/** Below this nothing is written for long. */
const SPACE_LEAST_BYTES = 50_000_000;

/** The machine's processors and memory. */
export function machineFinding(): Finding {
  const gigabytes = (totalmem() / 1e9).toFixed(1);
  const text = `Node.js ${process.versions.node}, ${process.platform} ${process.arch}, ${counted(availableParallelism(), "processor")}, ${gigabytes} GB of memory`;
  return { name: "machine", state: "ok", text };
}

/** The folder of a peer: there, writable, and closed to others. */
export function folderFinding(folder: string): Promise<Finding> {
  return finding("data folder", async () => {
    const { mode } = await stat(folder);
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    if (process.platform === "win32") return { state: "ok", text: folder };
    const shown = (mode & 0o777).toString(8);
    if ((mode & 0o077) === 0) return { state: "ok", text: `${folder}, mode ${shown}` };
    return { state: "problem", text: `${folder} may be read by others (mode ${shown}); run: chmod 700 ${folder}` };
  });
}

/** The peer's key: whole, and closed to others. */
export function keyFinding(path: string): Promise<Finding> {
  return finding("key", async () => {
    const key = await readKey(path);
    return key ? { state: "ok", text: `${path}, for its owner alone` } : ABSENT;
  });
}

/** Space for checkpoints, on the disk of the folder or of the nearest one above it that is there. */
export function spaceFinding(folder: string): Promise<Finding> {
  return finding("disk", async () => {
    const { bavail, bsize } = await statfs(await nearest(folder));
    const bytes = bavail * bsize;
    const text = `${(bytes / 1e9).toFixed(1)} GB free`;
    if (bytes < SPACE_LEAST_BYTES) return { state: "problem", text: `${text}; free some space` };
    if (bytes < SPACE_NEEDED_BYTES) return { state: "warning", text: `${text}; large adapters need more` };
    return { state: "ok", text };
  });
}

const ABSENT = { state: "absent", text: "not there yet", problem: "nothing-made-yet" } as const;

async function finding(name: string, look: () => Promise<Omit<Finding, "name">>): Promise<Finding> {
  try {
    return { name, ...(await look()) };
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return { name, ...ABSENT };
    const error = cause instanceof NodeError ? cause : fileError(cause, name);
    if (!(error instanceof NodeError)) throw error;
    return problemOf(name, error);
  }
}

async function nearest(folder: string): Promise<string> {
  try {
    await stat(folder);
    return folder;
  } catch (error) {
    if (systemCode(error) !== "ENOENT" || dirname(folder) === folder) throw error;
    return nearest(dirname(folder));
  }
}
