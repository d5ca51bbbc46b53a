/** One peer as an operating system process: started, listened to, stopped. */
import { spawn } from "node:child_process";
import type { PeerEvent } from "../node/index.ts";
import { lineSplitter, parseEventLine } from "./words/event-line.ts";
import type { PeerExit } from "./words/result.ts";

/** For glibc's allocator, read when a process begins; without it steps are slower in some processes (docs/PERFORMANCE.md). */
export const PEER_ENVIRONMENT = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };

/** A peer in a process of its own. */
export interface PeerProcess {
  /** Process id; undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly ended: Promise<PeerExit>;
  /** Let a peer that waits for a line before its first round begin. */
  begin(): void;
  /** Ask it to stop (SIGINT); what does not end within `graceMs` is killed. Resolves when it has ended. */
  stop(graceMs: number): Promise<PeerExit>;
  /** End it at once (SIGKILL), as a power cut would. */
  kill(): void;
}

/** How to start it, and who hears of it. */
export interface PeerProcessOptions {
  /** The JavaScript file that is the `weft` command. */
  readonly command: string;
  /** The words after the command. */
  readonly arguments: readonly string[];
  /** Put before Node.js on the command line, such as ["ip", "netns", "exec", "site"]; nothing when absent. */
  readonly launcher?: readonly string[];
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly onEvent: (event: PeerEvent) => void;
}

/** Lines of standard error that are kept of each peer. */
const LAST_LINES = 20;
/** A line of standard error is cut to this. */
const LINE_CHARACTERS_MAX = 2_000;

/**
 * Start a peer's process with this same Node.js. It leads a process group of its own, so that Ctrl-C in a terminal
 * reaches it only by way of `stop`; it ends by itself when nobody reads its events any more.
 */
export function startPeerProcess(options: PeerProcessOptions): PeerProcess {
  const { command, onEvent } = options;
  const [program, ...words] = [...(options.launcher ?? []), process.execPath, command, ...options.arguments];
  const child = spawn(program!, words, {
    stdio: ["pipe", "pipe", "pipe"],
    detached: process.platform !== "win32",
    env: { ...PEER_ENVIRONMENT, ...process.env, ...options.environment },
  });
  const lastLines: string[] = [];
  const keep = (line: string): void => {
    if (line.trim() === "") return;
    lastLines.push(line.slice(0, LINE_CHARACTERS_MAX));
    if (lastLines.length > LAST_LINES) lastLines.shift();
  };
  child.stdout.setEncoding("utf8").on(
    "data",
    lineSplitter((line) => {
      const event = parseEventLine(line);
      if (event) onEvent(event);
      else keep(line);
    }),
  );
  child.stderr.setEncoding("utf8").on("data", lineSplitter(keep));

  // A process that has died takes no more lines; its end is told by "close".
  child.stdin.on("error", () => undefined);

  const ended = new Promise<PeerExit>((resolve) => {
    child.on("error", (error) => {
      keep(error.message);
      if (child.pid === undefined) resolve({ code: null, signal: null, lastLines });
    });
    // "close" comes after the last byte of both outputs, "exit" may come before.
    child.on("close", (code, signal) => resolve({ code, signal, lastLines }));
  });
  return {
    pid: child.pid,
    ended,
    begin: () => void child.stdin.end("\n"),
    kill: () => void child.kill("SIGKILL"),
    stop: async (graceMs) => {
      child.kill("SIGINT");
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      try {
        return await ended;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
