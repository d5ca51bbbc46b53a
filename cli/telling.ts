/** What a command tells while it works and at its end, in the form that was asked for. */
import { NodeError } from "../node/index.ts";
import { jsonLine, jsonText } from "./json.ts";
import type { Terminal } from "./terminal.ts";

/** The flags for it. */
export interface OutputFlags {
  readonly json?: boolean;
  readonly format?: "jsonl";
}

/** One thing alone fills standard output.  Throws: NodeError CONFIG_INVALID. */
export function refuseTwoForms({ json, format, events }: OutputFlags & { readonly events?: boolean }): void {
  if (!json || (!events && format === undefined)) return;
  const flag = events ? "--events" : "--format jsonl";
  throw new NodeError("CONFIG_INVALID", `${flag} and --json both fill standard output; give one of them`);
}

/** Lines of JSON while it happens, where they were asked for; the result in every form. */
export class Telling {
  readonly #isLines: boolean;
  readonly #isJson: boolean;
  readonly #out: (text: string) => void;

  /** Throws: NodeError CONFIG_INVALID for two forms at once. */
  constructor(flags: OutputFlags, { out }: Pick<Terminal, "out">) {
    refuseTwoForms(flags);
    const { json = false, format } = flags;
    this.#isJson = json;
    this.#isLines = !json && format === "jsonl";
    this.#out = out;
  }

  /** Whether standard output is for a program. */
  get isForPrograms(): boolean {
    return this.#isJson || this.#isLines;
  }

  /** Something has happened; a line of JSON where these were asked for, nothing else. */
  event(type: string, facts: object): void {
    if (this.#isLines) this.#out(jsonLine({ type, ...facts }));
  }

  /** The end: the document, or the words that stand for it. */
  result(document: object, words: () => string): void {
    if (this.#isLines) this.#out(jsonLine({ type: "result", ...document }));
    else this.#out(this.#isJson ? jsonText(document) : words());
  }
}
