/** Reads the files that a vocabulary is kept in where there is no tokenizer.json. */
import { NodeError } from "../../errors.ts";
import { isObject } from "../fields.ts";
import { strictText } from "../strict-text.ts";

/** Tokens by text, with their ids. */
export type TokenIds = ReadonlyMap<string, number>;

const refuse = (text: string, cause?: unknown): NodeError => new NodeError("MODEL_CONFIG", text, {}, { cause });

/** Tokens of vocab.txt: one a line, the line is the id.  Throws: MODEL_CONFIG for a token that stands twice, and for what is no UTF-8. */
export function readWordList(name: string, bytes: Uint8Array): TokenIds {
  const lines = textOf(name, bytes).split("\n");
  if (lines.at(-1) === "") lines.pop();
  const ids = new Map<string, number>();
  for (const [id, line] of lines.entries()) {
    const token = line.replace(/\p{White_Space}+$/u, "");
    const known = ids.get(token);
    if (known !== undefined) {
      throw refuse(`${name} has ${JSON.stringify(token)} in line ${known + 1} and in line ${id + 1}`);
    }
    ids.set(token, id);
  }
  return ids;
}

/** Tokens of vocab.json.  Throws: MODEL_CONFIG for ids with holes or doubles, and for a token that is no text. */
export function readVocabularyJson(name: string, bytes: Uint8Array): TokenIds {
  const json = jsonOf(name, bytes);
  if (!isObject(json)) throw refuse(`${name} is no object of tokens`);
  const entries = Object.entries(json);
  const tokens = new Array<string | undefined>(entries.length);
  for (const [token, id] of entries) {
    const shown = JSON.stringify(token);
    if (/\p{Surrogate}/u.test(token)) throw refuse(`${name} has the token ${shown}, half of a character`);
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0)
      throw refuse(`${name} has no id for the token ${shown}`);
    if (id >= entries.length) {
      throw refuse(`${name} has ${entries.length} tokens and gives ${shown} the id ${id}, so that ids are missing`);
    }
    const other = tokens[id];
    if (other !== undefined) throw refuse(`${name} gives ${JSON.stringify(other)} and ${shown} one id, ${id}`);
    tokens[id] = token;
  }
  return new Map(entries as [string, number][]);
}

/** Pairs of merges.txt, the first one first.  Throws: MODEL_CONFIG for a pair whose parts or whole the vocabulary lacks. */
export function readMerges(
  name: string,
  bytes: Uint8Array,
  ids: TokenIds,
): readonly (readonly [left: string, right: string])[] {
  const lines = textOf(name, bytes).split(/\r?\n/u);
  if (lines.at(-1) === "") lines.pop();
  return lines.flatMap((line, i) => {
    if (line.startsWith("#version")) return [];
    const [left = "", right = "", ...more] = line.split(" ");
    if (left === "" || right === "" || more.length > 0) {
      throw refuse(`${name} has no pair of tokens in line ${i + 1}`);
    }
    const lacking = [left, right, left + right].find((token) => !ids.has(token));
    if (lacking !== undefined) {
      throw refuse(
        `${name} makes ${JSON.stringify(left + right)} in line ${i + 1}, and vocab.json has no ${JSON.stringify(lacking)}`,
      );
    }
    return [[left, right] as const];
  });
}

function textOf(name: string, bytes: Uint8Array): string {
  const text = strictText(bytes);
  if (text === undefined) throw refuse(`${name} is no UTF-8`);
  return text;
}

function jsonOf(name: string, bytes: Uint8Array): unknown {
  const text = textOf(name, bytes);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refuse(`${name} is no valid JSON`, cause);
  }
}
