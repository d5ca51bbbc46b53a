/** The process: its signals, its outputs and its exit code. The only place that ends it. */
import { askSecret } from "./ask-secret.ts";
import { packageVersion } from "./package-folder.ts";
import { EXIT_INTERRUPTED, EXIT_OK } from "./terminal.ts";
import { visibleTerminal } from "./visible-text.ts";

const EXIT_UNEXPECTED = 1;

/**
 * End as the signal itself would have: an ordinary exit would wait for, and then abort, the training thread's running
 * step. Exit listeners run first, because the testnet ends its peers there.
 */
function stopNow(signal: NodeJS.Signals): void {
  process.emit("exit", EXIT_INTERRUPTED);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (interrupt.signal.aborted) stopNow(signal);
    interrupt.abort();
  });
}
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // Whoever read our output has gone; there is nobody left to work for.
    if (error.code !== "EPIPE") throw error;
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
  errIsTerminal: process.stderr.isTTY === true,
  columns: () => process.stderr.columns ?? 120,
  nextLine: () =>
    new Promise((resolve) => {
      process.stdin.once("data", () => resolve()).once("end", () => resolve());
    }),
  ...(process.stdin.isTTY && process.stderr.isTTY && { askSecret: (question: string) => askSecret(question, process) }),
  environment: process.env,
  signal: interrupt.signal,
});

/** The version is the one question that no command has to be known for. */
async function run(words: readonly string[]): Promise<number> {
  if (words.length === 1 && words[0] === "--version") {
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
