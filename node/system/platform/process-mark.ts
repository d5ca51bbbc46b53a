/**
 * Which process a number means: together with the time at which it began and the machine's boot, a process that has ended, or
 * whose number another one has got since, is told from the one that was meant.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { systemCode } from "../files/atomic-file.ts";

/** One process of one machine, for as long as that runs. */
export interface ProcessMark {
  readonly process: number;
  /** Ticks after boot at which the process began (proc(5), stat, field 22), or what ps says; "" where the system says neither. */
  readonly startedAt: string;
  /** Identifies the machine's boot; "" where the system does not say. */
  readonly boot: string;
}

/** The mark of a process that runs; undefined where none has this number. */
export async function processMark(id: number): Promise<ProcessMark | undefined> {
  if (!isThere(id)) return undefined;
  const began = await startedAt(id);
  // Where the system has no such file, every process lacks it; this one runs for sure.
  if (began === undefined && (await startedAt(process.pid)) !== undefined) return undefined;
  return { process: id, startedAt: began ?? "", boot: await bootId() };
}

/** Whether the process still runs that a mark was made of. */
export async function isProcessRunning(mark: ProcessMark): Promise<boolean> {
  if (mark.boot !== (await bootId()) || !isThere(mark.process)) return false;
  if (mark.startedAt === "") return true;
  return (await startedAt(mark.process)) === mark.startedAt;
}

function isThere(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (cause) {
    // EPERM: it is there and belongs to another user.
    return systemCode(cause) === "EPERM";
  }
}

async function bootId(): Promise<string> {
  try {
    return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  } catch {
    // Only Linux has it.
    return "";
  }
}

/** undefined when the process is gone, a zombie included, or when the system does not say. */
async function startedAt(id: number): Promise<string | undefined> {
  if (process.platform === "linux") return statTime(id);
  if (process.platform === "win32") return undefined;
  try {
    const { stdout } = await promisify(execFile)("ps", ["-o", "lstart=", "-p", String(id)]);
    return stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}

async function statTime(id: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${id}/stat`, "utf8");
    // The second field is the command in parentheses, which may hold anything: count from its end.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
