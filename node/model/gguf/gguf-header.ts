/**
 * The header of a GGUF file: settings, and where each tensor stands. What it says is read with bounds, for a file may come from
 * anywhere: nothing is taken that lies beyond the file, and nothing is allocated by a count alone.
 * Source: ggml, docs/gguf.md, versions 2 and 3, little endian.
 */
import { NodeError } from "../../errors.ts";
import type { WeightFile } from "../weight-file.ts";

/** A value of the settings. Integers of 64 bits are numbers as long as they are exact. */
export type GgufValue = number | boolean | string | readonly (number | boolean | string)[];

/** A tensor as the header names it. */
export interface GgufTensor {
  readonly name: string;
  /** Outermost first, as elsewhere in weft; the file has it the other way round. */
  readonly shape: readonly number[];
  /** The number of its type in ggml. */
  readonly type: number;
  /** From the beginning of the tensors' data. */
  readonly offset: number;
}

/** What the header says. */
export interface GgufHeader {
  readonly settings: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
  /** Where the tensors' data begin in the file. */
  readonly dataOffset: number;
}

/** Settings and tensors: the largest published files have some thousands of tensors. */
const COUNT_MAX = 100_000;
/** Elements of a list: vocabularies and their merges have up to a million. */
const LIST_MAX = 4_000_000;
/** Bytes of a text: chat templates are the longest. */
const TEXT_BYTES_MAX = 4_194_304;
const DIMENSIONS_MAX = 4;

/** Throws: MODEL_CONFIG, one line that says what is wrong with the file. */
export function readGgufHeader(file: WeightFile): GgufHeader {
  const cursor = new Cursor(file);
  if (cursor.number("u32") !== 0x46554747) throw cursor.refusal("it does not begin with GGUF");
  const version = cursor.number("u32");
  if (version !== 2 && version !== 3) throw cursor.refusal(`its version is ${version}, and weft reads 2 and 3`);
  const tensorCount = cursor.count(COUNT_MAX, "tensors");
  const settingCount = cursor.count(COUNT_MAX, "settings");
  const settings = new Map<string, GgufValue>();
  for (let i = 0; i < settingCount; i++) {
    const key = cursor.text();
    if (settings.has(key)) throw cursor.refusal(`${shown(key)} stands twice among its settings`);
    settings.set(key, cursor.value(cursor.number("u32")));
  }
  const names = new Set<string>();
  const tensors = Array.from({ length: tensorCount }, () => {
    const tensor = cursor.tensor();
    if (names.has(tensor.name)) throw cursor.refusal(`tensor ${shown(tensor.name)} stands twice`);
    names.add(tensor.name);
    return tensor;
  });
  const alignment = settings.get("general.alignment") ?? 32;
  const isAlignment = typeof alignment === "number" && alignment >= 8 && alignment <= 65_536 && alignment % 8 === 0;
  if (!isAlignment) throw cursor.refusal(`general.alignment is ${shown(String(alignment))}`);
  return { settings, tensors, dataOffset: Math.ceil(cursor.at / alignment) * alignment };
}

/** A text of the file in an error line. */
const shown = (text: string): string => JSON.stringify(text.slice(0, 60));

const NUMBERS = {
  u8: [1, (view: DataView) => view.getUint8(0)],
  i8: [1, (view: DataView) => view.getInt8(0)],
  u16: [2, (view: DataView) => view.getUint16(0, true)],
  i16: [2, (view: DataView) => view.getInt16(0, true)],
  u32: [4, (view: DataView) => view.getUint32(0, true)],
  i32: [4, (view: DataView) => view.getInt32(0, true)],
  f32: [4, (view: DataView) => view.getFloat32(0, true)],
  u64: [8, (view: DataView) => Number(view.getBigUint64(0, true))],
  i64: [8, (view: DataView) => Number(view.getBigInt64(0, true))],
  f64: [8, (view: DataView) => view.getFloat64(0, true)],
} as const satisfies Readonly<Record<string, readonly [number, (view: DataView) => number]>>;
type NumberKind = keyof typeof NUMBERS;

/** Value types by their number; 7 is a bool, 8 a text, 9 a list. */
const KINDS: readonly (NumberKind | undefined)[] = [
  ...(["u8", "i8", "u16", "i16", "u32", "i32", "f32"] as const),
  ...[undefined, undefined, undefined],
  ...(["u64", "i64", "f64"] as const),
];
const [BOOL, TEXT, LIST] = [7, 8, 9];

/** Bytes read ahead at a time. */
const WINDOW_BYTES = 1 << 20;

/** A place in the file, which moves on as values are read. */
class Cursor {
  at = 0;
  readonly #file: WeightFile;
  #window: { readonly from: number; readonly bytes: Uint8Array } = { from: 0, bytes: new Uint8Array() };

  constructor(file: WeightFile) {
    this.#file = file;
  }

  refusal(why: string): NodeError {
    return new NodeError("MODEL_CONFIG", `${this.#file.name} is no GGUF file that weft can read: ${why}`);
  }

  number(kind: NumberKind): number {
    const [bytes, read] = NUMBERS[kind];
    return read(this.#take(bytes));
  }

  /** A count of things, each of which takes at least a byte. */
  count(most: number, what: string): number {
    const count = this.number("u64");
    if (count > most) throw this.refusal(`it names ${count} ${what}, and at most ${most} are read`);
    if (count > this.#file.fileBytes - this.at) throw this.refusal(`it ends before its ${count} ${what}`);
    return count;
  }

  text(): string {
    const view = this.#take(this.count(TEXT_BYTES_MAX, "bytes of a text"));
    // Tokens may be parts of characters, which stay readable with a mark in their place.
    return new TextDecoder().decode(view);
  }

  value(type: number, isInside = false): number | boolean | string | GgufValue {
    const kind = KINDS[type];
    if (kind) return this.number(kind);
    if (type === BOOL) return this.number("u8") !== 0;
    if (type === TEXT) return this.text();
    if (type !== LIST || isInside) throw this.refusal(`it has a value of type ${type}${isInside ? " in a list" : ""}`);
    const inner = this.number("u32");
    const count = this.count(LIST_MAX, "elements of a list");
    return Array.from({ length: count }, () => this.value(inner, true) as number | boolean | string);
  }

  tensor(): GgufTensor {
    const name = this.text();
    const dimensions = this.number("u32");
    if (dimensions > DIMENSIONS_MAX) throw this.refusal(`tensor ${shown(name)} has ${dimensions} dimensions`);
    const shape = Array.from({ length: dimensions }, () => this.number("u64")).reverse();
    const size = shape.reduce((product, n) => product * n, 1);
    if (size === 0 || size > Number.MAX_SAFE_INTEGER) throw this.refusal(`tensor ${shown(name)} has shape [${shape}]`);
    return { name, shape, type: this.number("u32"), offset: this.number("u64") };
  }

  #take(length: number): DataView {
    if (length > this.#file.fileBytes - this.at) throw this.refusal(`it ends within its header, at byte ${this.at}`);
    const { from, bytes } = this.#window;
    if (this.at < from || this.at + length > from + bytes.length) {
      const ahead = Math.min(Math.max(length, WINDOW_BYTES), this.#file.fileBytes - this.at);
      this.#window = { from: this.at, bytes: this.#file.read(this.at, ahead) };
    }
    const window = this.#window;
    const view = new DataView(window.bytes.buffer, window.bytes.byteOffset + this.at - window.from, length);
    this.at += length;
    return view;
  }
}
