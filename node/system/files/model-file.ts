/** One small file of a model directory: read whole, or refused by what the system or its content says. */
import { readFileSync } from "node:fs";
import { NodeError } from "../../errors.ts";
import { isLfsPointer, LFS_POINTER, WEB_PAGE } from "../../model/stray-file.ts";
import { systemCode } from "./atomic-file.ts";

/** What a file is that cannot be read, by what the system says, and what to do. */
const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: "is a link that leads nowhere; get the file that it stands for again, as a download that is complete has it",
  ELOOP: "is a link that leads to itself; get the file again",
  EACCES: "may not be read by this user; give this user the right to read it",
  EPERM: "may not be read by this user; give this user the right to read it",
  EISDIR: "is a folder and should be a file; get the model again",
  EIO: "cannot be read: the disk or the network behind it fails; get the model again",
};

/** The bytes of a file that stands in the folder.  Throws: MODEL_MISSING, saying why it cannot be read. */
export function readModelFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    const code = systemCode(cause);
    const what = UNREADABLE[code ?? ""] ?? `cannot be read (${code ?? String(cause)}); get the model again`;
    throw new NodeError("MODEL_MISSING", `${path} ${what}`, { path }, { cause });
  }
}

/** The value of a file of JSON.  Throws: MODEL_CONFIG, saying what it is instead or where it stops being JSON. */
export function modelJson(path: string, bytes: Uint8Array): unknown {
  let text = "";
  try {
    // A mark at the beginning that says UTF-8 is passed over.
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return JSON.parse(text);
  } catch (cause) {
    const what = bytes.length > 0 && text === "" ? "it is not UTF-8; save it as that" : jsonFault(text, cause);
    throw new NodeError("MODEL_CONFIG", `${path} is not valid JSON: ${what}`, { path }, { cause });
  }
}

function jsonFault(text: string, cause: unknown): string {
  const begin = text.trimStart();
  if (begin === "") return "it is empty; get the file again";
  if (isLfsPointer(begin)) return `it is ${LFS_POINTER}`;
  if (begin.startsWith("<")) return `it is ${WEB_PAGE}; get the file again`;
  const outside = text.replace(/"(?:[^"\\]|\\.)*"/gsu, (quoted) => " ".repeat(quoted.length));
  const number = /(?<![\w.])-?(?:NaN|Infinity)\b/u.exec(outside);
  if (number)
    return `${number[0]} in line ${lineAt(text, number.index)} is Python's, and no JSON has it; write a number`;
  const comment = /\/\/|\/\*|^\s*#/mu.exec(outside);
  if (comment) return `a comment stands in line ${lineAt(text, comment.index)}, and JSON has none; take it out`;
  const [, position] = /at position (\d+)/u.exec(cause instanceof Error ? cause.message : "") ?? [];
  const where = position === undefined ? "at its end" : `in line ${lineAt(text, Number(position))}`;
  return `something is wrong ${where}; correct it, or get the file again`;
}

const lineAt = (text: string, position: number): number => text.slice(0, position).split("\n").length;
