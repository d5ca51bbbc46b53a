/** The flags of a file of data, for all commands that read one. */
import { resolve } from "node:path";
import { type LoadExamplesOptions, STANDARD_INPUT } from "../node/index.ts";
import type { OptionRow } from "./command-row.ts";

/** A file of data and how it is read. */
export interface DataFlags {
  readonly data?: string;
  readonly columns?: string;
  readonly roles?: string;
  readonly charset?: string;
  readonly chatTemplate?: string;
}

/** Files that are held out whole. */
export interface HeldOutFlags {
  readonly validation?: string;
  readonly test?: string;
}

/** The flag that names the data. */
export const DATA: OptionRow = {
  flags: "--data <file>",
  text: "examples: a file of JSON lines, a JSON list, CSV, TSV, Parquet, Arrow or plain text (also .gz, .zst), a folder of such files, or - for standard input",
  otherwise: "the embedded tasks",
};

/** The flag of the template that writes conversations. */
export const CHAT_TEMPLATE: OptionRow = {
  flags: "--chat-template <name>",
  text: "how conversations are written: a chat template of the model by its name, a file of one, or none",
  otherwise: "the adapter's, else the model's",
};

/** How a file of data is read. */
export const READING: readonly OptionRow[] = [
  {
    flags: "--columns <pairs>",
    text: "names of the data's columns, such as prompt=frage,response=antwort",
    otherwise: "they have the names of docs/DATA.md",
  },
  {
    flags: "--roles <pairs>",
    text: "whose turns of a conversation are whose, such as assistant=doctor,user=patient; the assistant's are learnt",
    otherwise: "by the usual names of roles; of a chat between people everybody's words are learnt",
  },
  { flags: "--charset <name>", text: "character set of text files, such as latin1 or utf-16le", otherwise: "utf-8" },
  CHAT_TEMPLATE,
];

/** What is held out, where it does not come out of the data. */
export const HELD_OUT: readonly OptionRow[] = [
  {
    flags: "--validation <file>",
    text: "examples to validate on, none of which is trained on",
    otherwise: "a tenth of the data",
  },
  {
    flags: "--test <file>",
    text: "examples to test on, none of which is trained on",
    otherwise: "a tenth of the data",
  },
];

/** The word for the small tasks that come with weft, where they are meant. */
export const EMBEDDED_DATA = "embedded";

/** A file of data by its whole path; standard input and the embedded tasks stay what they are. */
export function dataPath(file: string): string {
  return file === STANDARD_INPUT || file === EMBEDDED_DATA ? file : resolve(file);
}

/** A template's file by its whole path; a name stays what it is. */
export function templateArgument(text: string): string {
  return /[\\/]|\.jinja2?$/u.test(text) ? resolve(text) : text;
}

/** The flags as `loadExamples` takes them. */
export function dataOptions(
  flags: DataFlags & HeldOutFlags,
): Pick<LoadExamplesOptions, "file" | "columns" | "roles" | "charset" | "chatTemplate" | "validation" | "test"> {
  const { data, columns, roles, charset, chatTemplate, validation, test } = flags;
  return {
    ...(data !== undefined && data !== EMBEDDED_DATA && { file: dataPath(data) }),
    ...(columns !== undefined && { columns }),
    ...(roles !== undefined && { roles }),
    ...(charset !== undefined && { charset }),
    ...(chatTemplate !== undefined && { chatTemplate: templateArgument(chatTemplate) }),
    ...(validation !== undefined && { validation: dataPath(validation) }),
    ...(test !== undefined && { test: dataPath(test) }),
  };
}

/** What was found in data as a line on standard error; a warning begins with that word, by which `--quiet` lets it through. */
export function dataNote(note: string): string {
  return note.startsWith("warning: ") ? `${note}\n` : `data: ${note}\n`;
}
