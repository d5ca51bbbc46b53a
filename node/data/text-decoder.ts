/**
 * Bytes as text, and nothing guessed: bytes that are no text of the character set are refused with their position, so
 * that no replacement character is ever trained on.
 */
import { NodeError } from "../errors.ts";
import { dataRefusal, type Place } from "./place.ts";
import type { BytePieces } from "./row.ts";

/** Which text the bytes are, and whose for error lines. */
export interface DecodeOptions {
  readonly file: string;
  /** A label of the Encoding Standard such as `latin1`, `windows-1252` or `utf-16le`; default utf-8. */
  readonly charset?: string;
}

/** Characters that no text holds: the controls but tab, line breaks, form feed and escape. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/;

const MARKS: readonly (readonly [bytes: readonly number[], name: string, charset: string])[] = [
  [[0xff, 0xfe], "UTF-16 (little-endian)", "utf-16le"],
  [[0xfe, 0xff], "UTF-16 (big-endian)", "utf-16be"],
];

const UTF_32: readonly (readonly number[])[] = [
  [0xff, 0xfe, 0, 0],
  [0, 0, 0xfe, 0xff],
];

/**
 * The text of these bytes, piece by piece, without a byte order mark.
 * Throws: DATA_FORMAT with file, line and byte of what is no text, and what may help; CONFIG_INVALID for a
 * character set of no known name.
 */
export async function* decodedText(pieces: BytePieces, { file, charset = "utf-8" }: DecodeOptions) {
  const decoder = decoderOf(charset);
  const isUtf8 = decoder.encoding === "utf-8";
  const check = isUtf8 ? new Utf8Check(file) : undefined;
  let line = 1;
  const checked = (text: string): string => {
    const wrong = CONTROL.exec(text);
    if (!wrong) {
      line += breaksIn(text);
      return text;
    }
    line += breaksIn(text.slice(0, wrong.index));
    throw charsetRefusal({ file, line }, controlText(wrong[0]), wrong[0] === "\0" ? "utf-16le" : undefined);
  };
  for await (const bytes of pieces) {
    yield checked(decodedPiece(decoder, bytes, { file, line, charset, check }));
  }
  check?.end();
  yield checked(decoded(() => decoder.decode(), { file, line, charset }));
}

/** The text of a piece. Bytes of UTF-8 are followed one by one only where not each of them is a character. */
function decodedPiece(
  decoder: InstanceType<typeof TextDecoder>,
  bytes: Uint8Array,
  { check, ...at }: { file: string; line: number; charset: string; check: Utf8Check | undefined },
): string {
  if (check === undefined) return decoded(() => decoder.decode(bytes, { stream: true }), at);
  if (check.isAscii(bytes)) {
    check.skip(bytes);
    return decoder.decode(bytes, { stream: true });
  }
  check.read(bytes);
  return decoded(() => decoder.decode(bytes, { stream: true }), at);
}

function decoderOf(charset: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch (cause) {
    const text = `${charset} is no known charset; such names are utf-8, latin1, windows-1252, utf-16le, shift_jis`;
    throw new NodeError("CONFIG_INVALID", text, { charset }, { cause });
  }
}

function decoded(decode: () => string, at: { file: string; line: number; charset: string }): string {
  try {
    return decode();
  } catch (cause) {
    const { charset, ...place } = at;
    const text = `near this line stand bytes that are no ${charset}; name another charset`;
    throw charsetRefusal(place, text, undefined, cause);
  }
}

/** charset: what is likely, where something is. */
function charsetRefusal(place: Place, text: string, charset: string | undefined, cause?: unknown): NodeError {
  const { message, facts } = dataRefusal(place, text);
  return new NodeError("DATA_FORMAT", message, { ...facts, charset, problem: "another-charset" }, { cause });
}

function breaksIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

function controlText(character: string): string {
  const code = character.charCodeAt(0).toString(16).padStart(2, "0");
  if (code === "00") {
    return "a NUL character (byte 00) stands here, which no text has; if the file is UTF-16, give utf-16le as its charset";
  }
  return `a control character (byte ${code}) stands here, which no text has; take it out, or name the charset`;
}

/** The bit of each of four bytes that only bytes of longer characters have. */
const HIGH_BITS = 0x80808080 | 0;

/** Above it a text is not of a language of Europe's west: every other byte is none of ASCII. */
const OTHER_SHARE_MAX = 0.3;
/** Bytes by which that is told. */
const OTHER_SHARE_OF = 4096;

/** The share of the first bytes that are none of ASCII. */
function otherShare(bytes: Uint8Array): number {
  const first = bytes.subarray(0, OTHER_SHARE_OF);
  return first.length === 0 ? 0 : first.filter((byte) => byte >= 0x80).length / first.length;
}

/** Follows bytes of UTF-8 across pieces, to say where they stop being that.  Source: RFC 3629, section 4. */
class Utf8Check {
  readonly #file: string;
  /** Lines and bytes before the next byte. */
  #line = 1;
  #column = 0;
  #offset = 0;
  /** Bytes that the character at hand still needs, and the least and greatest that its next one may be. */
  #left = 0;
  #low = 0x80;
  #high = 0xbf;
  /** The first byte of that character, and where it stands in the line. */
  #lead = { byte: 0, column: 0 };
  /** The piece at hand. */
  #seen: Uint8Array = new Uint8Array();

  constructor(file: string) {
    this.#file = file;
  }

  /** Whether each byte is a character, and none is left of the pieces before. */
  isAscii(bytes: Uint8Array): boolean {
    // Four bytes at once, where they lie so.
    const ahead = (4 - (bytes.byteOffset % 4)) % 4;
    if (this.#left > 0 || bytes.length < ahead) return false;
    const fours = new Uint32Array(bytes.buffer, bytes.byteOffset + ahead, Math.floor((bytes.length - ahead) / 4));
    let bits = 0;
    for (let i = 0; i < fours.length; i++) bits |= fours[i]!;
    const rest = [bytes.subarray(0, ahead), bytes.subarray(ahead + 4 * fours.length)];
    return (bits & HIGH_BITS) === 0 && rest.every((few) => few.every((byte) => byte < 0x80));
  }

  /** Count bytes that are characters each. */
  skip(bytes: Uint8Array): void {
    let last = -1;
    for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) {
      this.#line += 1;
      last = at;
    }
    this.#column = last < 0 ? this.#column + bytes.length : bytes.length - 1 - last;
    this.#offset += bytes.length;
  }

  /** Throws: DATA_FORMAT at the first byte that is out of place. */
  read(bytes: Uint8Array): void {
    if (this.#offset === 0 && UTF_32.some((mark) => mark.every((byte, i) => bytes[i] === byte))) {
      throw dataRefusal({ file: this.#file }, "this is UTF-32, which weft does not read; save it as UTF-8");
    }
    const mark = this.#offset === 0 ? MARKS.find(([mark]) => mark.every((byte, i) => bytes[i] === byte)) : undefined;
    if (mark) {
      const [, name, charset] = mark;
      const text = `this is ${name}, not UTF-8; give ${charset} as its charset`;
      throw charsetRefusal({ file: this.#file }, text, charset);
    }
    this.#seen = bytes;
    for (const byte of bytes) {
      if (this.#left > 0) this.#continue(byte);
      else if (byte >= 0x80) this.#begin(byte);
      this.#offset += 1;
      this.#column += 1;
      if (byte !== 0x0a) continue;
      this.#line += 1;
      this.#column = 0;
    }
  }

  /** Throws: DATA_FORMAT where the last character is not complete. */
  end(): void {
    if (this.#left === 0) return;
    const text = "the file ends within a character; take it from its source again";
    throw dataRefusal({ file: this.#file, line: this.#line }, text);
  }

  #begin(byte: number): void {
    this.#lead = { byte, column: this.#column };
    if (byte < 0xc2 || byte > 0xf4) throw this.#wrong();
    this.#left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    this.#low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    this.#high = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
  }

  #continue(byte: number): void {
    if (byte < this.#low || byte > this.#high) throw this.#wrong();
    this.#left -= 1;
    this.#low = 0x80;
    this.#high = 0xbf;
  }

  #wrong(): NodeError {
    const { byte, column } = this.#lead;
    const isOfWords = otherShare(this.#seen) > OTHER_SHARE_MAX;
    const such = isOfWords ? "shift_jis, gb18030, euc-kr or windows-1251" : "latin1 or windows-1252";
    const text = `byte ${column + 1} of the line (${byte.toString(16)}) is not UTF-8; save the file as UTF-8, or name its charset, such as ${such}`;
    return charsetRefusal({ file: this.#file, line: this.#line }, text, isOfWords ? "NAME" : "latin1");
  }
}
