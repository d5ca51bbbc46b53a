/**
 * The tokens that a tokenizer of transformers adds to its vocabulary: those of the files beside it, those that its class knows by name,
 * and those that its model file marks.
 * Source: transformers 5.18, tokenization_utils_base.py (_from_pretrained) and tokenization_utils_tokenizers.py (__init__); tokenizers,
 * tokenizer/added_vocabulary.rs (add_tokens).
 */
import { NodeError } from "../../errors.ts";
import type { TokenFiles } from "../added-tokens.ts";
import { type Fields, fieldsOf } from "../fields.ts";

/** An added token as tokenizer.json has it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** A token before it has an id.  isPlain: only its text is known. */
interface Named extends Omit<AddedToken, "id"> {
  readonly isPlain: boolean;
}

/** What a class and its model file bring. */
export interface OwnTokens {
  /** Texts of the tokens that have a use, by its name, such as `eos_token`. */
  readonly named: Readonly<Record<string, string>>;
  /** Tokens of the model file that are no pieces of words. */
  readonly marked: readonly { readonly content: string; readonly special: boolean }[];
}

/** The tokens of a tokenizer that are not its model's alone. */
export interface SpecialTokens {
  readonly added: readonly AddedToken[];
  /** Text and id of each token that has a use, by its name. */
  readonly uses: ReadonlyMap<string, { readonly content: string; readonly id: number }>;
}

const USES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
const isUse = (name: string): boolean => /_token$/u.test(name);

/**
 * vocabulary: ids of the model's own tokens.
 * Throws: MODEL_CONFIG, without the folder, for a token that the files name and that would get another id than they say.
 */
export function specialTokens(
  vocabulary: ReadonlyMap<string, number>,
  own: OwnTokens,
  files: TokenFiles,
): SpecialTokens {
  const config = fieldsOf(files.tokenizerConfig);
  const listed = listedTokens(config, files);
  const flagged = new Map(listed.map(({ token }) => [token.content, token]));
  const uses = new Map<string, Named>();
  for (const [name, value] of Object.entries(namedTokens(own, config, files))) {
    const token = tokenOf(value);
    if (token !== undefined) uses.set(name, flagged.get(token.content) ?? token);
  }
  const names = [...USES.filter((name) => uses.has(name)), ...[...uses.keys()].filter((name) => !USES.includes(name))];
  const isNamed = new Set([...uses.values()].map(({ content }) => content));
  const wanted: readonly { readonly token: Named; readonly id?: number }[] = [
    ...listed,
    ...names.map((name) => ({ token: uses.get(name)! })),
    ...otherTokens(own, config, files).map((token) => ({ token })),
  ];
  const ids = new Map<string, AddedToken>();
  let last = -1;
  for (const { token, id } of wanted) {
    // A token that the files list is that one; among the others the last one of a text counts.
    if (token.content === "" || (id === undefined && flagged.has(token.content))) continue;
    const { isPlain, ...flags } = token;
    const known = vocabulary.get(token.content) ?? ids.get(token.content)?.id;
    const given = known ?? Math.max(last + 1, vocabulary.size);
    if (id !== undefined && id !== given) {
      const text = `the added token ${JSON.stringify(token.content)} has id ${id} in the files, and after the vocabulary it is token ${given}`;
      throw new NodeError("MODEL_CONFIG", text);
    }
    last = Math.max(last, given);
    const special = isPlain || token.special || isNamed.has(token.content);
    ids.set(token.content, { id: given, ...flags, special });
  }
  const useIds = names.flatMap((name) => {
    const found = ids.get(uses.get(name)!.content);
    return found === undefined ? [] : [[name, { content: found.content, id: found.id }] as const];
  });
  return { added: [...ids.values()].toSorted((a, b) => a.id - b.id), uses: new Map(useIds) };
}

/** Tokens with ids: of tokenizer_config.json, or, where it lists none, of added_tokens.json. */
function listedTokens(config: Fields, files: TokenFiles): readonly { readonly token: Named; readonly id: number }[] {
  if (config.added_tokens_decoder !== undefined) {
    const listed = Object.entries(fieldsOf(config.added_tokens_decoder)).flatMap(([id, value]) => {
      const token = tokenOf(value);
      return token === undefined || !/^\d{1,9}$/u.test(id) ? [] : [{ token, id: Number(id) }];
    });
    return listed.toSorted((a, b) => a.id - b.id);
  }
  const named = { ...config, ...fieldsOf(files.specialTokensMap) };
  const special = new Set(
    [...USES.map((name) => named[name]), ...listOf(named.extra_special_tokens ?? named.additional_special_tokens)]
      .map(contentOf)
      .filter((text) => text !== undefined),
  );
  const listed = Object.entries(fieldsOf(files.addedTokens)).flatMap(([content, id]) => {
    const isSpecial = special.has(content);
    if (typeof id !== "number" || !Number.isSafeInteger(id) || id < 0) return [];
    return [{ token: { ...NO_FLAGS, content, special: isSpecial, normalized: !isSpecial, isPlain: false }, id }];
  });
  return listed.toSorted((a, b) => a.id - b.id);
}

/** Values of the fields `…_token`; those of special_tokens_map.json count where tokenizer_config.json lists no tokens. */
function namedTokens({ named }: OwnTokens, config: Fields, files: TokenFiles): Fields {
  const ofFile = (file: Fields): Fields =>
    Object.fromEntries(
      Object.entries(file).filter(([name, value]) => isUse(name) && (USES.includes(name) || value !== null)),
    );
  const extra = config.extra_special_tokens;
  const map = config.added_tokens_decoder === undefined ? fieldsOf(files.specialTokensMap) : {};
  const special = Object.entries(ofFile(map)).map(([name, value]) => {
    const fields = fieldsOf(value);
    return [name, typeof value === "string" ? value : { ...fields, special: true }];
  });
  return { ...named, ...ofFile(config), ...fieldsOf(extra), ...Object.fromEntries(special) };
}

/** Tokens without a use of their own: those that the files list, or, where they have no list, those that the model file marks. */
function otherTokens({ marked }: OwnTokens, config: Fields, files: TokenFiles): readonly Named[] {
  const extra = Array.isArray(config.extra_special_tokens) ? config.extra_special_tokens : undefined;
  const list = extra?.length ? extra : (config.additional_special_tokens ?? extra);
  const map = config.added_tokens_decoder === undefined ? fieldsOf(files.specialTokensMap) : {};
  if (Array.isArray(list)) return list.map(tokenOf).filter((token) => token !== undefined);
  if (marked.length > 0) return marked.map((token) => ({ ...NO_FLAGS, ...token, normalized: false, isPlain: false }));
  return listOf(map.additional_special_tokens ?? map.extra_special_tokens)
    .map(tokenOf)
    .filter((token) => token !== undefined);
}

const NO_FLAGS = { single_word: false, lstrip: false, rstrip: false };

/** A token is written as its text, or as an object with its text and flags. */
function tokenOf(value: unknown): Named | undefined {
  const content = contentOf(value);
  if (content === undefined) return undefined;
  if (typeof value === "string") return { ...NO_FLAGS, content, normalized: false, special: true, isPlain: true };
  const fields = fieldsOf(value);
  const flag = (name: string, otherwise: boolean): boolean =>
    typeof fields[name] === "boolean" ? fields[name] : otherwise;
  const special = flag("special", false);
  return {
    content,
    single_word: flag("single_word", false),
    lstrip: flag("lstrip", false),
    rstrip: flag("rstrip", false),
    normalized: flag("normalized", !special),
    special,
    isPlain: false,
  };
}

function contentOf(value: unknown): string | undefined {
  const content = typeof value === "string" ? value : fieldsOf(value).content;
  return typeof content === "string" ? content : undefined;
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
