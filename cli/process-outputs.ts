/** Standard output and standard error of this process. Who reads them may have gone, and where they lead may be full. */
import { EXIT_INTERRUPTED, EXIT_OK, EXIT_RESOURCE } from "./terminal.ts";

/** EPIPE: nobody reads any more; EIO of a terminal: it hung up. */
const isGone = (stream: NodeJS.WriteStream, { code }: NodeJS.ErrnoException): boolean =>
  code === "EPIPE" || (code === "EIO" && stream.isTTY === true);

/** Why data could not be written, for people. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left where it leads; free some, or let it lead elsewhere",
  EDQUOT: "the quota is used up where it leads; free some space, or let it lead elsewhere",
  EFBIG: "the file that it leads to may not grow any more; let it lead elsewhere",
  EIO: "where it leads reports an error; let it lead elsewhere",
};

/** Both outputs of a process. Data that is lost is a failure; talk that is lost is none. */
export class ProcessOutputs {
  readonly #process: Pick<NodeJS.Process, "stdout" | "stderr">;
  #lost: NodeJS.ErrnoException | undefined;

  /** stop: called once nobody reads, or no data can be written. */
  constructor(process: Pick<NodeJS.Process, "stdout" | "stderr">, stop: () => void) {
    this.#process = process;
    const { stdout, stderr } = process;
    stdout.on("error", (error: NodeJS.ErrnoException) => {
      if (!isGone(stdout, error)) this.#lost ??= error;
      stop();
    });
    stderr.on("error", (error: NodeJS.ErrnoException) => {
      if (isGone(stderr, error)) stop();
    });
  }

  /** Wait until all data is written; say it where it is not.  Returns the exit code. */
  async end(exitCode: number): Promise<number> {
    const { stdout, stderr } = this.#process;
    // The stream tells of an error after it has answered.
    await new Promise<void>((resolve) => stdout.write("", () => setImmediate(resolve)));
    if (this.#lost === undefined) return exitCode;
    const { code = "unknown error" } = this.#lost;
    stderr.write(`weft: cannot write standard output: ${REASONS[code] ?? `the system says ${code}`}\n`);
    return exitCode === EXIT_OK || exitCode === EXIT_INTERRUPTED ? EXIT_RESOURCE : exitCode;
  }
}
