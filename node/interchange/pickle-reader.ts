/**
 * Reads the pickles that PyTorch writes for state dicts, without running anything: every opcode outside of the few that
 * such files consist of, and every name outside of a closed list, is refused. A pickle is a program; this is no machine
 * for it but a reader of one dialect.
 * Source: Python's pickletools for the opcodes; torch/serialization.py and torch/_utils.py for the dialect.
 */
import { NodeError } from "../errors.ts";

/** The names that a pickle may refer to. Everything else, `os.system` for one, is refused by name. */
export const KNOWN_GLOBALS = [
  "collections.OrderedDict",
  "torch._utils._rebuild_tensor_v2",
  "torch._utils._rebuild_parameter",
  "torch.FloatStorage",
  "torch.DoubleStorage",
  "torch.HalfStorage",
  "torch.BFloat16Storage",
  "torch.LongStorage",
  "torch.IntStorage",
] as const;
/** A name that a state dict's pickle may refer to. */
export type KnownGlobal = (typeof KNOWN_GLOBALS)[number];

/** The values that a pickle is read into. Tuples and lists are both `list`. */
export type Pickled =
  | { readonly kind: "none" }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "global"; readonly name: KnownGlobal }
  | { readonly kind: "list"; readonly items: Pickled[] }
  | { readonly kind: "dict"; readonly entries: [Pickled, Pickled][] }
  /** A persistent id: in PyTorch's files a storage. */
  | { readonly kind: "persistent"; readonly id: Pickled }
  /** A call of a known function that was written down, not made. */
  | { readonly kind: "call"; readonly function: KnownGlobal; readonly arguments: readonly Pickled[] };

/** Opcodes of one pickle: a tensor takes about 40, so this is tens of thousands of tensors. */
export const PICKLE_OPCODES_MAX = 1 << 21;
/** Characters of a name or key; module paths are under 200. */
const TEXT_BYTES_MAX = 4096;

const MARK = Symbol("mark");
type Slot = Pickled | typeof MARK;

/** name: the file's, for the error line.  Throws: TORCH_FILE_INVALID naming the byte and what stands there. */
export function readPickle(bytes: Uint8Array, name: string): Pickled {
  return new Reader(bytes, name).read();
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;
  readonly #stack: Slot[] = [];
  readonly #memo = new Map<number, Pickled>();
  #at = 0;

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#name = name;
  }

  read(): Pickled {
    for (let count = 0; count < PICKLE_OPCODES_MAX; count++) {
      const opcode = this.#byte();
      if (opcode === 0x2e) {
        const result = this.#pop();
        if (this.#stack.length > 0) throw this.#fail("values are left over at its end");
        return result;
      }
      const value = this.#scalar(opcode) ?? this.#container(opcode);
      if (value) this.#stack.push(value);
      else this.#change(opcode);
    }
    throw this.#fail(`more than ${PICKLE_OPCODES_MAX} opcodes`);
  }

  /** Opcodes that put a value without parts on the stack. */
  #scalar(opcode: number): Pickled | undefined {
    switch (opcode) {
      case 0x63: // c GLOBAL
        return { kind: "global", name: this.#global() };
      case 0x4e: // N NONE
        return { kind: "none" };
      case 0x88: // NEWTRUE
      case 0x89: // NEWFALSE
        return { kind: "boolean", value: opcode === 0x88 };
      case 0x4b: // K BININT1
        return { kind: "number", value: this.#byte() };
      case 0x4d: // M BININT2
        return { kind: "number", value: this.#take(2).getUint16(0, true) };
      case 0x4a: // J BININT
        return { kind: "number", value: this.#take(4).getInt32(0, true) };
      case 0x8a: // LONG1
        return { kind: "number", value: this.#long() };
      case 0x47: // G BINFLOAT
        return { kind: "number", value: this.#take(8).getFloat64(0, false) };
      case 0x58: // X BINUNICODE
        return { kind: "text", value: this.#text(this.#uint32()) };
      default:
        return undefined;
    }
  }

  /** Opcodes that put a value made of others on the stack, or one again. */
  #container(opcode: number): Pickled | undefined {
    switch (opcode) {
      case 0x29: // ) EMPTY_TUPLE
      case 0x5d: // ] EMPTY_LIST
        return { kind: "list", items: [] };
      case 0x74: // t TUPLE
        return { kind: "list", items: this.#popToMark() };
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return { kind: "list", items: this.#popMany(opcode - 0x84) };
      case 0x7d: // } EMPTY_DICT
        return { kind: "dict", entries: [] };
      case 0x51: // Q BINPERSID
        return { kind: "persistent", id: this.#pop() };
      case 0x52: // R REDUCE
        return this.#called();
      case 0x68: // h BINGET
        return this.#recalled(this.#byte());
      case 0x6a: // j LONG_BINGET
        return this.#recalled(this.#uint32());
      default:
        return undefined;
    }
  }

  /** Opcodes that change what is on the stack. */
  #change(opcode: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        if (this.#byte() > 5) throw this.#fail("a pickle protocol above 5");
        break;
      case 0x71: // q BINPUT
        this.#memo.set(this.#byte(), this.#top());
        break;
      case 0x72: // r LONG_BINPUT
        this.#memo.set(this.#uint32(), this.#top());
        break;
      case 0x28: // ( MARK
        this.#stack.push(MARK);
        break;
      case 0x61: // a APPEND
        this.#append([this.#pop()]);
        break;
      case 0x65: // e APPENDS
        this.#append(this.#popToMark());
        break;
      case 0x73: // s SETITEM
        this.#setItems(this.#popMany(2));
        break;
      case 0x75: // u SETITEMS
        this.#setItems(this.#popToMark());
        break;
      case 0x62: // b BUILD
        this.#build();
        break;
      default:
        throw this.#fail(`the opcode 0x${opcode.toString(16).padStart(2, "0")}, which no state dict has`);
    }
  }

  /** The attributes of a state dict (its `_metadata` of versions) change nothing of its tensors. */
  #build(): void {
    const state = this.#pop();
    const target = this.#top();
    if (state.kind !== "dict" || target.kind !== "dict")
      throw this.#fail("attributes given to something that is no state dict");
  }

  #called(): Pickled {
    const given = this.#pop();
    const called = this.#pop();
    if (called.kind !== "global" || given.kind !== "list") throw this.#fail("a call of something that is no function");
    if (called.name === "collections.OrderedDict" && given.items.length === 0) return { kind: "dict", entries: [] };
    if (called.name !== "torch._utils._rebuild_tensor_v2" && called.name !== "torch._utils._rebuild_parameter") {
      throw this.#fail(`a call of ${called.name}`);
    }
    return { kind: "call", function: called.name, arguments: given.items };
  }

  #append(items: Pickled[]): void {
    const list = this.#top();
    if (list.kind !== "list") throw this.#fail("an item added to something that is no list");
    for (const item of items) list.items.push(item);
  }

  #setItems(items: readonly Pickled[]): void {
    const dict = this.#top();
    if (dict.kind !== "dict" || items.length % 2 !== 0) throw this.#fail("an item set in something that is no dict");
    for (let i = 0; i < items.length; i += 2) dict.entries.push([items[i]!, items[i + 1]!]);
  }

  #global(): KnownGlobal {
    const name = `${this.#line()}.${this.#line()}`;
    const known = KNOWN_GLOBALS.find((candidate) => candidate === name);
    if (known === undefined) throw this.#fail(`it names ${printable(name)}, which no state dict of tensors needs`);
    return known;
  }

  /** Little endian, two's complement; only what a double holds exactly. */
  #long(): number {
    const length = this.#byte();
    if (length > 7) throw this.#fail("an integer of more than 56 bits");
    let value = 0;
    const view = this.#take(length);
    for (let i = 0; i < length; i++) value += view.getUint8(i) * 2 ** (8 * i);
    const isNegative = length > 0 && view.getUint8(length - 1) >= 0x80;
    const result = isNegative ? value - 2 ** (8 * length) : value;
    if (!Number.isSafeInteger(result)) throw this.#fail("an integer of more than 53 bits");
    return result;
  }

  #text(length: number): string {
    if (length > TEXT_BYTES_MAX) throw this.#fail(`a text of ${length} bytes`);
    const { buffer, byteOffset } = this.#take(length);
    return new TextDecoder().decode(new Uint8Array(buffer, byteOffset, length));
  }

  #line(): string {
    const begin = this.#at;
    while (this.#byte() !== 0x0a) {
      if (this.#at - begin > TEXT_BYTES_MAX) throw this.#fail("a name without end");
    }
    return new TextDecoder().decode(this.#bytes.subarray(begin, this.#at - 1));
  }

  #recalled(index: number): Pickled {
    const value = this.#memo.get(index);
    if (!value) throw this.#fail(`it recalls value ${index}, which it has not kept`);
    return value;
  }

  #pop(): Pickled {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw this.#fail("a value is missing");
    return value;
  }

  #top(): Pickled {
    const value = this.#stack.at(-1);
    if (value === undefined || value === MARK) throw this.#fail("a value is missing");
    return value;
  }

  #popMany(count: number): Pickled[] {
    return Array.from({ length: count }, () => this.#pop()).reverse();
  }

  #popToMark(): Pickled[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw this.#fail("a mark is missing");
    const items = this.#stack.splice(mark) as [typeof MARK, ...Pickled[]];
    return items.slice(1) as Pickled[];
  }

  #byte(): number {
    return this.#take(1).getUint8(0);
  }

  #uint32(): number {
    return this.#take(4).getUint32(0, true);
  }

  #take(length: number): DataView {
    const begin = this.#at;
    if (begin + length > this.#bytes.length) throw this.#fail("it is truncated");
    this.#at += length;
    return new DataView(this.#view.buffer, this.#view.byteOffset + begin, length);
  }

  #fail(what: string): NodeError {
    const text = `${this.#name}: at byte ${this.#at} of its pickle: ${what}; give a state dict of plain tensors`;
    return new NodeError("TORCH_FILE_INVALID", text, { file: this.#name, at: this.#at });
  }
}

const printable = (text: string): string => text.slice(0, 80).replace(/[^ -~]/g, "?");
