/**
 * Tokens that were added to a tokenizer after it was trained. Directories name them in three more places than
 * tokenizer.json: `added_tokens_decoder` of tokenizer_config.json, added_tokens.json, and special_tokens_map.json, which
 * says what the special ones are for.
 */
import { NodeError } from "../errors.ts";
import { type Fields, isObject } from "./fields.ts";

/** The files beside tokenizer.json, parsed, where they are there. */
export interface TokenFiles {
  readonly tokenizerConfig?: unknown;
  readonly addedTokens?: unknown;
  readonly specialTokensMap?: unknown;
}

interface AddedToken extends Fields {
  readonly id: number;
  readonly content: string;
}

/**
 * tokenizer.json with the added tokens of all files; the same object where they add none.
 * place: for error lines.
 * Throws: MODEL_CONFIG for a token with two ids, and for an id with two tokens.
 */
export function withAddedTokens(tokenizerJson: Fields, files: TokenFiles, place: string): Fields {
  const named = namedTokens(files);
  if (named.length === 0) return tokenizerJson;
  const refuse = (what: string): NodeError =>
    new NodeError("MODEL_CONFIG", `${place}: ${what}; take the tokenizer's files from one model`, { place });
  const ids = knownIds(tokenizerJson);
  const tokens = new Map([...ids].map(([content, id]) => [id, content]));
  const missing: AddedToken[] = [];
  for (const token of named) {
    const known = ids.get(token.content);
    if (known === token.id) continue;
    const quoted = JSON.stringify(token.content);
    if (known !== undefined) throw refuse(`the token ${quoted} has id ${known} there and id ${token.id} beside it`);
    const other = tokens.get(token.id);
    if (other !== undefined) {
      throw refuse(`id ${token.id} is ${JSON.stringify(other)} there and ${quoted} beside it`);
    }
    ids.set(token.content, token.id);
    tokens.set(token.id, token.content);
    missing.push(token);
  }
  if (missing.length === 0) return tokenizerJson;
  const present = Array.isArray(tokenizerJson.added_tokens) ? tokenizerJson.added_tokens : [];
  return { ...tokenizerJson, added_tokens: [...present, ...missing.toSorted((a, b) => a.id - b.id)] };
}

/**
 * The text of a special token such as `eos_token`: of tokenizer_config.json, else of special_tokens_map.json; undefined
 * where neither names it.
 */
export function specialToken(name: "bos_token" | "eos_token", files: TokenFiles): string | undefined {
  for (const file of [files.tokenizerConfig, files.specialTokensMap]) {
    const content = contentOf(isObject(file) ? file[name] : undefined);
    if (content !== undefined) return content;
  }
  return undefined;
}

function namedTokens({ tokenizerConfig, addedTokens, specialTokensMap }: TokenFiles): readonly AddedToken[] {
  const decoder = isObject(tokenizerConfig) ? tokenizerConfig.added_tokens_decoder : undefined;
  const listed = Object.entries(isObject(decoder) ? decoder : {}).flatMap(([id, token]) => {
    const content = contentOf(token);
    const flags = isObject(token) ? token : {};
    return content === undefined || !/^\d+$/.test(id) ? [] : [{ ...FLAGS, ...flags, id: Number(id), content }];
  });
  const special = new Set(
    [tokenizerConfig, specialTokensMap].flatMap((file) => (isObject(file) ? specialTexts(file) : [])),
  );
  const counted = Object.entries(isObject(addedTokens) ? addedTokens : {}).flatMap(([content, id]) => {
    if (!Number.isSafeInteger(id) || listed.some((token) => token.content === content && token.id === id)) return [];
    const isSpecial = special.has(content);
    return [{ ...FLAGS, id: id as number, content, special: isSpecial, normalized: !isSpecial }];
  });
  return [...listed, ...counted];
}

/** The flags of an added token, where a file does not say them. */
const FLAGS = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };

/** The texts of all fields `…_token` and of `additional_special_tokens`. */
function specialTexts(file: Fields): readonly string[] {
  const values = Object.entries(file).flatMap(([name, value]) =>
    name.endsWith("_token") ? [value] : /special_tokens$/.test(name) && Array.isArray(value) ? value : [],
  );
  return values.map(contentOf).filter((text) => text !== undefined);
}

/** Ids of tokenizer.json by token: those of its model and those added there. */
function knownIds({ model, added_tokens: added }: Fields): Map<string, number> {
  const vocab = isObject(model) ? model.vocab : undefined;
  const own: readonly (readonly [string, unknown])[] = Array.isArray(vocab)
    ? vocab.map((entry, id) => [String(Array.isArray(entry) ? entry[0] : entry), id] as const)
    : Object.entries(isObject(vocab) ? vocab : {});
  const more = (Array.isArray(added) ? added : []).map((token) => [contentOf(token) ?? "", token?.id] as const);
  return new Map([...own, ...more].filter((entry): entry is [string, number] => typeof entry[1] === "number"));
}

/** A token is written as its text, or as an object with its text and flags. */
function contentOf(token: unknown): string | undefined {
  const content = isObject(token) ? token.content : token;
  return typeof content === "string" ? content : undefined;
}
