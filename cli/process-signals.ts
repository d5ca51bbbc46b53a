/**
 * The signals that ask this process to stop. The first one is a wish, which whatever runs hears of and follows; a second one
 * ends the process at once, and so does the first while the thread is held and could hear of none.
 */
import { EXIT_INTERRUPTED, Interruption } from "./terminal.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** A terminal, npx and whoever stops a process group send one wish several times. */
const SAME_WISH_MS = 500;
/** Longer than a signal takes that a process sends to itself. */
const OWN_SIGNAL_MS = 200;

/** What of a process stands under signals. */
type Signalled = Pick<
  NodeJS.Process,
  "on" | "listeners" | "removeListener" | "emit" | "exit" | "kill" | "pid" | "stdin" | "stdout" | "stderr"
>;

/** The signals of a process, heard from now on. */
export class ProcessSignals {
  readonly #process: Signalled;
  readonly #stop: (reason: Interruption) => void;
  #heardAt: number | undefined;
  #isHearing = false;

  /** stop: called with the first signal. */
  constructor(process: Signalled, stop: (reason: Interruption) => void) {
    this.#process = process;
    this.#stop = stop;
    this.hear();
  }

  /** Signals are heard. Idempotent. */
  hear(): void {
    if (this.#isHearing) return;
    this.#isHearing = true;
    for (const signal of SIGNALS) {
      if (!this.#process.listeners(signal).includes(this.#hear)) this.#process.on(signal, this.#hear);
    }
  }

  /** Signals end the process as they end any other: nothing here could hear of them. Idempotent. */
  letEnd(): void {
    // The first process of a container does not die of a signal that it does not hear.
    if (!this.#isHearing || this.#process.pid === 1) return;
    this.#isHearing = false;
    // A hang-up ends nothing where no terminal is, and that is known only where it is heard.
    for (const signal of SIGNALS) if (signal !== "SIGHUP") this.#process.removeListener(signal, this.#hear);
  }

  /** The process is about to end: from now on nothing is heard. */
  close(): void {
    for (const signal of SIGNALS) this.#process.removeListener(signal, this.#hear);
  }

  readonly #hear = (signal: NodeJS.Signals): void => {
    const { stdin, stdout, stderr } = this.#process;
    // Node.js forgets that nohup has a process ignore this signal; without a terminal there is none that could hang up.
    if (signal === "SIGHUP" && ![stdin, stdout, stderr].some((stream) => stream.isTTY)) return;
    const now = performance.now();
    this.#heardAt ??= now;
    if (now - this.#heardAt > SAME_WISH_MS) this.#endNow(signal);
    this.#stop(new Interruption(signal));
  };

  /**
   * End as the signal itself would have: an ordinary exit would wait for, and then abort, the training thread's running
   * step. Exit listeners run first, because the testnet ends its peers there.
   */
  #endNow(signal: NodeJS.Signals): void {
    this.#process.emit("exit", EXIT_INTERRUPTED);
    this.close();
    this.#process.kill(this.#process.pid, signal);
    setTimeout(() => this.#process.exit(EXIT_INTERRUPTED), OWN_SIGNAL_MS);
  }
}
