/** The process: its signals, its outputs and its exit code. The only place that ends it. */
import { askLine } from "./ask-line.ts";
import { askSecret } from "./ask-secret.ts";
import { packageVersion } from "./package-folder.ts";
import { EXIT_INTERRUPTED, EXIT_OK, EXIT_UNEXPECTED, Interruption } from "./terminal.ts";
import { visibleTerminal } from "./visible-text.ts";

/**
 * End as the signal itself would have: an ordinary exit would wait for, and then abort, the training thread's running
 * step. Exit listeners run first, because the testnet ends its peers there.
 */
function stopNow(signal: NodeJS.Signals): void {
  process.emit("exit", EXIT_INTERRUPTED);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // The first process of a container does not die of its own signal.
  setTimeout(() => process.exit(EXIT_INTERRUPTED), OWN_SIGNAL_MS);
}

/** A terminal, npx and whoever stops a process group send one wish several times. */
const SAME_WISH_MS = 500;
/** Longer than a signal takes that a process sends to itself. */
const OWN_SIGNAL_MS = 200;

const interrupt = new AbortController();
let interruptedAt = 0;
const streams = [process.stdout, process.stderr];
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    // Node.js forgets that nohup has a process ignore this signal; without a terminal there is none that could hang up.
    if (signal === "SIGHUP" && ![process.stdin, ...streams].some((stream) => stream.isTTY)) return;
    if (!interrupt.signal.aborted) interruptedAt = performance.now();
    else if (performance.now() - interruptedAt > SAME_WISH_MS) stopNow(signal);
    interrupt.abort(new Interruption(signal));
  });
}
for (const stream of streams) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // Whoever read our output has gone (EIO: the terminal hung up); there is nobody left to work for.
    if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
    interrupt.abort();
  });
}

if (process.channel) {
  // Started by another Node.js (cli/weft.js): end with it, but do not wait for it.
  process.channel.unref();
  process.on("disconnect", () => interrupt.abort());
}

const terminal = visibleTerminal({
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  draw: (text) => void process.stderr.write(text),
  errIsTerminal: process.stderr.isTTY === true && process.env.TERM !== "dumb",
  outIsTerminal: process.stdout.isTTY === true,
  ownsProcess: true,
  columns: () => process.stderr.columns || 120,
  nextLine: () =>
    new Promise((resolve) => {
      process.stdin.once("data", () => resolve()).once("end", () => resolve());
    }),
  ...(process.stdin.isTTY &&
    process.stderr.isTTY && {
      askSecret: (question: string) => askSecret(question, process),
      askLine: (question: string) =>
        askLine(question, { stdin: process.stdin, stderr: process.stderr, signal: interrupt.signal }),
    }),
  environment: process.env,
  signal: interrupt.signal,
});

/** The version is the one question that no command has to be known for. */
async function run(words: readonly string[]): Promise<number> {
  if (words.length === 1 && ["--version", "-V", "-v", "version"].includes(words[0] ?? "")) {
    terminal.out(`${packageVersion()}\n`);
    return EXIT_OK;
  }
  const { runCommandLine } = await import("./program.ts");
  return runCommandLine(words, terminal);
}

let exitCode: number;
try {
  exitCode = await run(process.argv.slice(2));
} catch (error) {
  terminal.err(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  exitCode = EXIT_UNEXPECTED;
}
// What is still in a pipe is written before the process ends.
process.stdout.write("", () => process.exit(exitCode));
