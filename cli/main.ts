/** The process: its signals, its outputs and its exit code. The only place that ends it. */
import { packageVersion } from "./package-folder.ts";
import { ProcessOutputs } from "./process-outputs.ts";
import { ProcessSignals } from "./process-signals.ts";
import { EXIT_OK, EXIT_UNEXPECTED, type Terminal } from "./terminal.ts";

const interrupt = new AbortController();
const outputs = new ProcessOutputs(process, () => interrupt.abort());
const signals = new ProcessSignals(process, (reason) => interrupt.abort(reason));

if (process.channel) {
  // Started by another Node.js (cli/weft.js): end with it, but do not wait for it.
  process.channel.unref();
  process.on("disconnect", () => interrupt.abort());
}

const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  draw: (text) => void process.stderr.write(text),
  errIsTerminal: process.stderr.isTTY === true && process.env.TERM !== "dumb",
  outIsTerminal: process.stdout.isTTY === true,
  ownsProcess: true,
  columns: () => process.stderr.columns || 120,
  // A terminal that was never told its size says 0.
  rows: () => process.stderr.rows || undefined,
  nextLine: () =>
    new Promise((resolve) => {
      process.stdin.once("data", () => resolve()).once("end", () => resolve());
    }),
  ...(process.stdin.isTTY &&
    process.stderr.isTTY && {
      askSecret: async (question: string) => (await import("./ask-secret.ts")).askSecret(question, process),
      askLine: async (question: string) => {
        const { askLine } = await import("./ask-line.ts");
        return askLine(question, { stdin: process.stdin, stderr: process.stderr, signal: interrupt.signal });
      },
    }),
  environment: process.env,
  signal: interrupt.signal,
  thread: (state) => (state === "held" ? signals.letEnd() : signals.hear()),
};

/** The version is the one question that no command has to be known for: nothing else is loaded for it. */
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
  const { visibleTerminal } = await import("./visible-text.ts");
  visibleTerminal(terminal).err(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  exitCode = EXIT_UNEXPECTED;
}
exitCode = await outputs.end(exitCode);
// The end waits for a step that a thread is in; from now on a signal does not.
signals.close();
process.exit(exitCode);
