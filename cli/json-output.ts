/** Standard output for programs: with `--json` it holds one document in every case, also where a command fails. */
import { type ErrorDocument, jsonLine, jsonText, type OutputForm } from "./json.ts";
import { EXIT_INTERRUPTED, EXIT_OK, type Terminal } from "./terminal.ts";

/** The terminal of one command line, and what is still owed to whoever reads its standard output as JSON. */
export class JsonOutput {
  readonly terminal: Terminal;
  /** What was asked for; the environment may ask later than the words do. */
  form: OutputForm;
  readonly #out: (text: string) => void;
  #hasData = false;

  constructor(terminal: Terminal, form: OutputForm) {
    this.form = form;
    this.#out = terminal.out;
    this.terminal = {
      ...terminal,
      out: (text) => {
        this.#hasData ||= text !== "";
        terminal.out(text);
      },
    };
  }

  /** The command has ended with this code. Where it had nothing to print, the document says why. */
  end(exitCode: number): void {
    if (exitCode === EXIT_OK && this.form !== "json") return;
    const isStopped = exitCode === EXIT_INTERRUPTED || this.terminal.signal.aborted;
    const [code, message] = isStopped
      ? ["STOPPED", "stopped by a signal before there was a result"]
      : ["FAILED", "there is no result; standard error says why"];
    if (!this.#hasData) this.fail({ code, message, remedy: null, exitCode });
  }

  /** The command has failed. A document that is whole already stays alone; lines get one more. */
  fail(error: ErrorDocument["error"]): void {
    const document: ErrorDocument = { error };
    if (this.form === "jsonl") this.#out(jsonLine(document));
    else if (this.form === "json" && !this.#hasData) this.#out(jsonText(document));
    this.#hasData ||= this.form !== "text";
  }
}
