/** What processes take, looked at from outside, so that looking takes none of their memory. Linux only. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Megabytes at the moment when the proportional share of all processes together was largest. */
export interface MemoryPeak {
  /** Resident pages, each as often as processes have it. */
  readonly residentMb: number;
  /** Proportional share: a page of several processes is divided among them. */
  readonly proportionalMb: number;
  /** Of the share, pages of files: the base as mapped, programs, libraries. The system may let them go and read them again. */
  readonly filesMb: number;
  /** Of the share, memory of the processes' own. */
  readonly ownMb: number;
  /** Processes then. */
  readonly processes: number;
  /** Largest resident set of all together, at any moment. */
  readonly largestResidentMb: number;
}

/** A command that ran to its end. */
export interface MeasuredRun {
  readonly stdout: string;
  /** Lines of its standard error, and when they came, in seconds from the start. */
  readonly lines: readonly { readonly at: number; readonly text: string }[];
  readonly seconds: number;
  /** User and system, of all its threads and of the processes that it waited for. */
  readonly processorSeconds: number;
  readonly peak: MemoryPeak;
}

/** What /proc calls a kB has 1,024 bytes; a megabyte has a million of them, here as where memory is foreseen. */
const MB_OF_KB = 1.024e-3;

/** How often processes are looked at; a page table of gigabytes takes some 10 ms. */
const LOOK_MS = 150;

/** Runs a command and watches it and its children.  timeoutMs: after it, it is killed.  Throws: where it fails. */
export async function measured(
  command: string,
  words: readonly string[],
  { env = process.env, timeoutMs }: { readonly env?: NodeJS.ProcessEnv; readonly timeoutMs?: number } = {},
): Promise<MeasuredRun> {
  const [began, before] = [performance.now(), waitedForSeconds()];
  const child = spawn(command, words, { env, stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs });
  const watch = watchMemory(() => (child.pid === undefined ? [] : familyOf(child.pid)));
  const lines: { at: number; text: string }[] = [];
  let [stdout, rest] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    const at = (performance.now() - began) / 1000;
    lines.push(...parts.map((line) => ({ at, text: line })));
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject).on("close", resolve);
  });
  const seconds = (performance.now() - began) / 1000;
  const peak = watch.stop();
  const said = [...lines.map(({ text }) => text), rest].slice(-8).join("\n");
  if (code !== 0) throw new Error(`${command} ${words.join(" ")} ended with ${code ?? "a signal"}:\n${said}`);
  return { stdout, lines, seconds, processorSeconds: waitedForSeconds() - before, peak };
}

/** Looks at some processes again and again until it is stopped. */
export function watchMemory(pids: () => readonly number[]): { stop(): MemoryPeak } {
  let most: Omit<MemoryPeak, "largestResidentMb"> | undefined;
  let largestResidentMb = 0;
  const look = (): void => {
    const seen = pids().flatMap((pid) => memoryOf(pid) ?? []);
    const sum = (of: keyof ProcessMemory): number => seen.reduce((all, one) => all + one[of], 0) * MB_OF_KB;
    const [residentMb, proportionalMb] = [sum("residentKb"), sum("proportionalKb")];
    largestResidentMb = Math.max(largestResidentMb, residentMb);
    if (proportionalMb <= (most?.proportionalMb ?? 0)) return;
    const [filesMb, ownMb] = [sum("filesKb"), sum("ownKb")];
    most = { residentMb, proportionalMb, filesMb, ownMb, processes: seen.length };
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    stop: () => {
      clearInterval(timer);
      const none = { residentMb: 0, proportionalMb: 0, filesMb: 0, ownMb: 0, processes: 0 };
      return { ...(most ?? none), largestResidentMb };
    },
  };
}

interface ProcessMemory {
  readonly residentKb: number;
  readonly proportionalKb: number;
  readonly filesKb: number;
  readonly ownKb: number;
}

/** undefined for a process that is gone. */
function memoryOf(pid: number): ProcessMemory | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const kb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
    return { residentKb: kb("Rss"), proportionalKb: kb("Pss"), filesKb: kb("Pss_File"), ownKb: kb("Pss_Anon") };
  } catch {
    return undefined;
  }
}

/** A process and all that it started. */
function familyOf(pid: number): readonly number[] {
  const parents = readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const fields = statOf(name);
    return fields ? [[Number(name), Number(fields[1])] as const] : [];
  });
  const family = [pid];
  for (const one of family) family.push(...parents.flatMap(([child, parent]) => (parent === one ? [child] : [])));
  return family;
}

/** Fields of /proc/PID/stat from the state on. */
function statOf(pid: string): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** Ticks of a second in /proc, on every Linux that Node.js runs on. */
const TICKS = 100;

/** Processor time of all processes that this one started and that have ended. */
function waitedForSeconds(): number {
  const fields = statOf("self") ?? [];
  return (Number(fields[13]) + Number(fields[14])) / TICKS;
}
