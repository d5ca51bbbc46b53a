/** What a command has of the world around it; tests bring their own. */
export interface Terminal {
  /** Data, on standard output. */
  out(text: string): void;
  /** Talk, on standard error. */
  err(text: string): void;
  /** A view on standard error that begins by clearing the one before; absent where there is none. */
  draw?(text: string): void;
  /** Whether standard error is a terminal on which lines can be drawn over. */
  readonly errIsTerminal: boolean;
  /** Whether standard output is a terminal, perhaps the same as standard error. */
  readonly outIsTerminal?: boolean;
  /** Whether this process is the program's own, so that a thread of it may write to standard error. */
  readonly ownsProcess?: boolean;
  /** Whether talk was asked to be left out; `err` leaves it out already. */
  readonly isQuiet?: boolean;
  /** Width of the terminal in characters. */
  columns(): number;
  /** Its height in lines; absent where there is none. */
  rows?(): number | undefined;
  /** Resolves when a line, or the end, has come on standard input. */
  nextLine(): Promise<void>;
  /** Ask for a secret, which is not shown; absent where nobody sits at a terminal. */
  askSecret?(question: string): Promise<string>;
  /** Ask a question that is answered in a line; absent where nobody sits at a terminal. */
  askLine?(question: string): Promise<string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first Ctrl-C, SIGTERM or hang-up (with an Interruption), or when nobody reads the output any more. */
  readonly signal: AbortSignal;
  /** Told when work holds this thread, and when it is free again: held, it hears of no signal. Absent where nobody cares. */
  thread?(state: "held" | "free"): void;
}

/** A command is done; the number is the exit code. */
export const EXIT_OK = 0;
/** A bug of weft; its stack has been printed. */
export const EXIT_UNEXPECTED = 1;
/** An expected failure of input: a flag, a file or a setting; one line has said what to do. */
export const EXIT_REFUSED = 2;
/** An expected failure of the network; one line has said what to do. */
export const EXIT_NETWORK = 3;
/** Refused by a rule; one line has said which. */
export const EXIT_POLICY = 4;
/** An expected failure of the machine; one line has said what to do. */
export const EXIT_RESOURCE = 5;
/** Stopped by a signal before the end: 128 + SIGINT, as shells have it. */
export const EXIT_INTERRUPTED = 130;

/** A signal that asked the program to stop. */
export class Interruption extends DOMException {
  readonly signal: string;

  constructor(signal: string) {
    super(`stopped by ${signal}`, "AbortError");
    this.signal = signal;
  }
}

/** The exit code of what runs until it is stopped: done where SIGTERM asked, as supervisors do; interrupted by any other. */
export function stoppedCode({ reason }: AbortSignal): number {
  return reason instanceof Interruption && reason.signal === "SIGTERM" ? EXIT_OK : EXIT_INTERRUPTED;
}
