/** `weft` as a process of its own, for tests of what only whole processes show: signals, parents, descriptors. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { join } from "node:path";

/** The program's entry, as the package installs it. */
export const WEFT = join(import.meta.dirname, "weft.js");

/** A process, what it has printed so far, and how it ended. */
export interface Watched {
  readonly child: ChildProcess;
  readonly text: { out: string; err: string };
  /** Resolves once the text is there; rejects with all that was printed when the process ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  /** The exit code, null after a signal; once all output has come. */
  readonly ended: Promise<number | null>;
}

/** Start a command, of a group of its own, without what the surrounding npm tells its children. */
export function watch(command: string, words: readonly string[], options: SpawnOptions = {}): Watched {
  const { npm_command: _, ...env } = { ...process.env, ...options.env };
  const child = spawn(command, words, { stdio: ["ignore", "pipe", "pipe"], detached: true, ...options, env });
  const text = { out: "", err: "" };
  const looks = new Set<() => void>();
  const look = (): void => {
    for (const one of looks) one();
  };
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    text.out += chunk;
    look();
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text.err += chunk;
    look();
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const said = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const once = (): void => {
        const found = pattern.exec(text.err) ?? pattern.exec(text.out);
        if (found === null) return;
        looks.delete(once);
        resolve(found);
      };
      looks.add(once);
      once();
      void ended.then(() => reject(new Error(`${pattern} was not said:\n${text.out}\n${text.err}`)));
    });
  return { child, text, said, ended };
}

/** Start `weft` with these words. */
export const watchWeft = (words: readonly string[], options: SpawnOptions = {}): Watched =>
  watch(process.execPath, [WEFT, ...words], options);

/** Whether a process is there. */
export function isThere(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch {
    return false;
  }
}
