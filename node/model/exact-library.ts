/**
 * Parts of the tokenizer library, changed in place where they compute otherwise than Hugging Face's own tokenizers: what a blank and a
 * sign is, how letters become small ones, the map of SentencePiece, bytes that are no text; and where added tokens stand: what only
 * looks like one when it is normalised is none.
 * Source: huggingface/tokenizers 0.23, normalizers/{bert,precompiled,strip,utils}.rs, pre_tokenizers/{bert,byte_level}.rs,
 * decoders/byte_fallback.rs.
 */
import { AddedTokens, type SoughtToken } from "./added-sections.ts";
import { type Fields, fieldsOf } from "./fields.ts";
import { strictText } from "./strict-text.ts";
import { PrecompiledCharsmap } from "./vocabulary/precompiled-charsmap.ts";

/** A part of the library as weft changes it. */
interface LibraryPart {
  normalize?: (text: string) => string;
  pre_tokenize_text?: (text: string, place?: Place) => string[];
  decode_chain?: (tokens: string[]) => string[];
  pattern?: RegExp;
  /** The parts of a sequence: of normalizers, of what divides a text, of decoders. */
  readonly normalizers?: readonly LibraryPart[];
  readonly tokenizers?: readonly LibraryPart[];
  readonly decoders?: readonly LibraryPart[];
}

/** The library's tokenizer as weft uses it. */
export interface LibraryTokenizer {
  readonly normalizer: (LibraryPart & ((text: string) => string)) | null;
  readonly pre_tokenizer: (LibraryPart & ((text: string, place: Place) => string[])) | null;
  readonly decoder: LibraryPart | null;
  readonly model: ((words: string[]) => string[]) & {
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly unk_token_id?: number;
  };
  readonly post_processor:
    | ((ids: readonly number[], second: null, special: boolean) => { readonly tokens: readonly (number | string)[] })
    | null;
  get_added_tokens_decoder(): ReadonlyMap<number, SoughtToken & { readonly id: number; readonly normalized: boolean }>;
}

/** Where a stretch of text stands: 0 at the beginning. */
interface Place {
  readonly section_index: number;
}

/** The ids of a text.  special: with what the template puts around it. */
export type EncodeExactly = (text: string, special: boolean) => number[];

/**
 * Changes what the library made of a tokenizer.json, and returns what finds the ids of a text with it.
 * Throws: Error for a map of characters that is none.
 */
export function makeExact(library: LibraryTokenizer, said: Fields): EncodeExactly {
  const { normalizer, pre_tokenizer: divide, decoder, model, post_processor: finish } = library;
  if (normalizer) changeNormalizer(normalizer, fieldsOf(said.normalizer));
  if (divide) changePreTokenizer(divide, fieldsOf(said.pre_tokenizer));
  if (decoder) changeDecoder(decoder, fieldsOf(said.decoder));
  const idOf = (token: string): number => model.tokens_to_ids.get(token) ?? (model.unk_token_id as number);
  const tokens = [...library.get_added_tokens_decoder().values()];
  // Tokens are sought in the text as it stands, and those that are marked as normalised in the normalised text between them.
  const asStored = new AddedTokens(tokens.filter((token) => !token.normalized).map((token) => [token.content, token]));
  const normal = (text: string): string => (normalizer ? normalizer(text) : text);
  const asRead = new AddedTokens(
    tokens.filter((token) => token.normalized).map((token) => [normal(token.content), token]),
  );
  const idsOf = (text: string): number[] =>
    asStored.sections(text).flatMap((section) => {
      if (section.token) return [section.token.id];
      return asRead.sections(normal(section.text)).flatMap((inner) => {
        if (inner.token) return [inner.token.id];
        const words = divide ? divide(inner.text, { section_index: section.at + inner.at }) : [inner.text];
        // Word by word: what is unknown is one token within a word, and not beyond.
        return words.flatMap((word) => model([word]).map(idOf));
      });
    });
  return (text, special) => {
    const ids = idsOf(text);
    const whole = finish ? finish(ids, null, special).tokens : ids;
    return whole.map((token) => (typeof token === "number" ? token : idOf(token)));
  };
}

function changeNormalizer(part: LibraryPart, said: Fields): void {
  switch (said.type) {
    case "Sequence":
      for (const [i, inner] of (part.normalizers ?? []).entries())
        changeNormalizer(inner, innerOf(said.normalizers, i));
      break;
    case "BertNormalizer":
      part.normalize = (text) => bertText(text, said);
      break;
    case "Lowercase":
      part.normalize = lower;
      break;
    case "Precompiled": {
      const map = new PrecompiledCharsmap(bytesOf(said.precompiled_charsmap));
      part.normalize = (text) => map.normalize(text);
      break;
    }
    case "Strip":
      part.normalize = (text) => {
        const begun = said.strip_left === true ? text.replace(/^\p{White_Space}+/u, "") : text;
        return said.strip_right === true ? trimEnd(begun) : begun;
      };
      break;
    default:
  }
}

function changePreTokenizer(part: LibraryPart, said: Fields): void {
  switch (said.type) {
    case "Sequence":
      for (const [i, inner] of (part.tokenizers ?? []).entries())
        changePreTokenizer(inner, innerOf(said.pretokenizers, i));
      part.pre_tokenize_text = (text, place) => inTurn(part.tokenizers ?? [], text, place);
      break;
    case "BertPreTokenizer":
      part.pre_tokenize_text = (text) => text.match(BERT_WORDS) ?? [];
      break;
    case "ByteLevel":
      part.pattern = BYTE_LEVEL_WORDS;
      break;
    default:
  }
}

/** Only a piece with which the text begins stands where the text does. */
function inTurn(parts: readonly LibraryPart[], text: string, place: Place | undefined): string[] {
  return parts.reduce<string[]>(
    (pieces, part) =>
      pieces.flatMap((piece, i) => {
        const at = i === 0 && text.startsWith(piece) ? place : { section_index: 1 };
        return part.pre_tokenize_text?.(piece, at) ?? [piece];
      }),
    [text],
  );
}

function changeDecoder(part: LibraryPart, said: Fields): void {
  if (said.type === "Sequence") {
    for (const [i, inner] of (part.decoders ?? []).entries()) changeDecoder(inner, innerOf(said.decoders, i));
  } else if (said.type === "ByteFallback") part.decode_chain = fallenBack;
}

const innerOf = (list: unknown, i: number): Fields => fieldsOf(Array.isArray(list) ? list[i] : undefined);

/** Signs that Unicode has had since its version 8 are none to tokenizers, and two are that are none any more. */
const SIGN =
  "(?:[!-/:-@\\[-`{-~\\u166D\\u{111C9}]|(?![\\u061D\\u09FD\\u0A76\\u0C77\\u0C84\\u1B4E\\u1B4F\\u1B7D-\\u1B7F\\u2E43-\\u2E4F" +
  "\\u2E52-\\u2E5D\\u{10D6E}-\\u{10F89}\\u{113D4}-\\u{113D8}\\u{1144B}-\\u{1145D}\\u{11660}-\\u{1166C}\\u{116B9}\\u{1183B}" +
  "\\u{11944}-\\u{11B09}\\u{11BE1}\\u{11C41}-\\u{11C71}\\u{11EF7}-\\u{11FFF}\\u{12FF1}\\u{12FF2}\\u{16D6D}-\\u{16D6F}" +
  "\\u{16E97}-\\u{16E9A}\\u{16FE2}\\u{1E5FF}\\u{1E95E}\\u{1E95F}])\\p{P})";
const BERT_WORDS = new RegExp(`${SIGN}|(?:(?!${SIGN})\\P{White_Space})+`, "gu");
const BYTE_LEVEL_WORDS =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

const CHINESE =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;

function bertText(text: string, settings: Fields): string {
  let read = text;
  if (settings.clean_text === true) {
    read = read.replace(/[\t\n\r]/gu, " ").replace(/[\p{Cc}\p{Cf}\p{Co}\uFFFD]/gu, "");
    read = read.replace(/\p{White_Space}/gu, " ");
  }
  if (settings.handle_chinese_chars === true) read = read.replace(CHINESE, " $& ");
  if ((settings.strip_accents ?? settings.lowercase) === true) read = read.normalize("NFD").replace(/\p{Mn}/gu, "");
  return settings.lowercase === true ? lower(read) : read;
}

/** Letter by letter: JavaScript writes a sigma at the end of a word as ς. */
const lower = (text: string): string => text.replaceAll("Σ", "σ").toLowerCase();

/** As a pattern that ends with its text it would be tried at each blank. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && /\p{White_Space}/u.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}

function bytesOf(base64: unknown): Uint8Array {
  try {
    return Uint8Array.from(atob(String(base64)), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}

/** Tokens of one byte as the text that they are together; bytes that are none are marks, one for each. */
function fallenBack(tokens: string[]): string[] {
  const out: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length > 0) out.push(strictText(Uint8Array.from(bytes)) ?? "\uFFFD".repeat(bytes.length));
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/u.exec(token)?.[1];
    if (byte !== undefined) bytes.push(Number.parseInt(byte, 16));
    else {
      flush();
      out.push(token);
    }
  }
  flush();
  return out;
}
