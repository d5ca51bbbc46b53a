/**
 * State dicts as `torch.save` writes them: a zip file of one pickle that names the tensors and one entry of raw bytes
 * for each storage. Written from opcodes, read by a reader that runs nothing.
 * Source: torch/serialization.py (`_save`, `_load`) and torch/_utils.py of PyTorch 2.
 */
import { NodeError } from "../errors.ts";
import type { SafetensorsDtype } from "../model/safetensors.ts";
import { toFloat32 } from "../model/safetensors.ts";
import { sizeOf } from "../tensor.ts";
import type { Pickled } from "./pickle-reader.ts";
import { readPickle } from "./pickle-reader.ts";
import { readStoredZip, writeStoredZip } from "./stored-zip.ts";

/** One tensor of a state dict, values in row-major order. */
export interface StateTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Tensors of one state dict. */
export const STATE_TENSORS_MAX = 4096;
const RANK_MAX = 8;

/** The archive's folder inside of the zip file; PyTorch takes the file's own name, readers take any. */
const FOLDER = "archive";

/** The bytes of a `.bin` file of float32 tensors, which `torch.load` reads with `weights_only=True`. */
export function writeTorchFile(tensors: readonly StateTensor[]): Uint8Array {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const entries = new Map([[`${FOLDER}/data.pkl`, stateDictPickle(tensors)]]);
  entries.set(`${FOLDER}/byteorder`, text("little"));
  for (const [i, { data }] of tensors.entries()) {
    entries.set(`${FOLDER}/data/${i}`, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  entries.set(`${FOLDER}/version`, text("3\n"));
  return writeStoredZip(entries);
}

/**
 * The floating point tensors of a state dict as float32, in its order; integers (such as PyTorch's buffers of sizes)
 * are checked and left out.  name: the file's, for the error line.
 * Throws: TORCH_FILE_INVALID.
 */
export function readTorchFile(bytes: Uint8Array, name: string): readonly StateTensor[] {
  const fail = (what: string): NodeError =>
    new NodeError("TORCH_FILE_INVALID", `${name}: ${what}; give a state dict of plain tensors`, { file: name });
  if (bytes[0] === 0x80) throw fail("it has the form of PyTorch 1.5 and before; save it again with a newer PyTorch");
  const entries = readStoredZip(bytes, name);
  const pickleName = [...entries.keys()].find((entry) => /^[^/]*\/data\.pkl$/.test(entry));
  if (pickleName === undefined) throw fail("it holds no data.pkl, so torch.save did not write it");
  const folder = pickleName.slice(0, -"data.pkl".length);
  const order = entries.get(`${folder}byteorder`);
  if (order !== undefined && new TextDecoder().decode(order) !== "little") throw fail("its numbers are big endian");
  const root = readPickle(entries.get(pickleName)!, name);
  if (root.kind !== "dict") throw fail("it holds no dict");
  if (root.entries.length > STATE_TENSORS_MAX) throw fail(`more than ${STATE_TENSORS_MAX} tensors`);
  const source = { storages: openStorages(entries, `${folder}data/`), budget: { values: bytes.length }, fail };
  const names = new Set<string>();
  const tensors: StateTensor[] = [];
  for (const [key, value] of root.entries) {
    if (key.kind !== "text" || names.has(key.value)) throw fail("a name is no text, or stands there twice");
    names.add(key.value);
    const tensor = tensorOf(value, source);
    if (tensor) tensors.push({ name: key.value, ...tensor });
  }
  return tensors;
}

const DTYPES: Readonly<Record<string, { readonly dtype: SafetensorsDtype; readonly bytes: number }>> = {
  "torch.FloatStorage": { dtype: "F32", bytes: 4 },
  "torch.DoubleStorage": { dtype: "F64", bytes: 8 },
  "torch.HalfStorage": { dtype: "F16", bytes: 2 },
  "torch.BFloat16Storage": { dtype: "BF16", bytes: 2 },
  "torch.LongStorage": { dtype: "I64", bytes: 8 },
  "torch.IntStorage": { dtype: "I32", bytes: 4 },
};

interface Storage {
  readonly bytes: number;
  /** All values; converted once, however many tensors share the storage. */
  values(dtype: SafetensorsDtype): Float32Array;
}

interface Source {
  readonly storages: (key: string) => Storage | undefined;
  /** Values that may still be read: tensors may share a storage, but not so that a small file fills the memory. */
  readonly budget: { values: number };
  readonly fail: (what: string) => NodeError;
}

function openStorages(entries: ReadonlyMap<string, Uint8Array>, folder: string): Source["storages"] {
  const opened = new Map<string, Storage>();
  return (key) => {
    const bytes = entries.get(folder + key);
    if (!bytes) return undefined;
    const known = opened.get(key);
    if (known) return known;
    const converted = new Map<SafetensorsDtype, Float32Array>();
    const storage: Storage = {
      bytes: bytes.length,
      values: (dtype) => {
        const values = converted.get(dtype) ?? toFloat32({ dtype, bytes });
        converted.set(dtype, values);
        return values;
      },
    };
    opened.set(key, storage);
    return storage;
  };
}

/** Undefined for a tensor of integers. */
function tensorOf(value: Pickled, source: Source): Omit<StateTensor, "name"> | undefined {
  const { storages, budget, fail } = source;
  if (value.kind !== "call") throw fail("an entry is no tensor");
  if (value.function === "torch._utils._rebuild_parameter") {
    const [inner] = value.arguments;
    if (inner?.kind !== "call" || inner.function === "torch._utils._rebuild_parameter") {
      throw fail("an entry is no tensor");
    }
    return tensorOf(inner, source);
  }
  const [storage, offset, size, stride] = value.arguments;
  const [tag, global, key, , count] =
    storage?.kind === "persistent" && storage.id.kind === "list" ? storage.id.items : [];
  const about = global?.kind === "global" ? DTYPES[global.name] : undefined;
  if (tag?.kind !== "text" || tag.value !== "storage" || !about || key?.kind !== "text" || count?.kind !== "number") {
    throw fail("a tensor without a storage");
  }
  const opened = storages(key.value);
  if (!isCount(count.value) || opened?.bytes !== count.value * about.bytes)
    throw fail("a storage is missing or of another length");
  const shape = counts(size);
  const strides = counts(stride);
  if (!shape || !strides || shape.length !== strides.length || offset?.kind !== "number" || !isCount(offset.value)) {
    throw fail("a tensor has no valid size and strides");
  }
  const length = sizeOf(shape);
  const last = offset.value + shape.reduce((sum, n, axis) => sum + Math.max(0, n - 1) * strides[axis]!, 0);
  if (!Number.isSafeInteger(length) || (length > 0 && !(last < count.value))) {
    throw fail("a tensor reaches beyond its storage");
  }
  if (about.dtype === "I64" || about.dtype === "I32") return undefined;
  budget.values -= length;
  if (budget.values < 0) throw fail("its tensors have more values than the file has bytes");
  return { shape, data: gatherStrided(opened.values(about.dtype), { shape, strides, offset: offset.value }) };
}

function counts(value: Pickled | undefined): number[] | undefined {
  if (value?.kind !== "list" || value.items.length > RANK_MAX) return undefined;
  const numbers = value.items.map((item) => (item.kind === "number" ? item.value : Number.NaN));
  return numbers.every(isCount) ? numbers : undefined;
}

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;

function gatherStrided(
  data: Float32Array,
  {
    shape,
    strides,
    offset,
  }: { readonly shape: readonly number[]; readonly strides: number[]; readonly offset: number },
): Float32Array {
  const out = new Float32Array(sizeOf(shape));
  const index = new Array<number>(shape.length).fill(0);
  let at = offset;
  for (let i = 0; i < out.length; i++) {
    out[i] = data[at]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      index[axis] = index[axis]! + 1;
      if (index[axis]! < shape[axis]!) break;
      at -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** Protocol 2: OrderedDict(), then name and _rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict()). */
function stateDictPickle(tensors: readonly StateTensor[]): Uint8Array {
  const out: number[] = [0x80, 2];
  const op = (char: string): void => void out.push(char.charCodeAt(0));
  const uint32 = (n: number): void => void out.push(n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, n >>> 24);
  const global = (module: string, name: string): void => {
    op("c");
    out.push(...new TextEncoder().encode(`${module}\n${name}\n`));
  };
  const text = (value: string): void => {
    const bytes = new TextEncoder().encode(value);
    op("X");
    uint32(bytes.length);
    out.push(...bytes);
  };
  const integer = (n: number): void => {
    if (n > 0x7fffffff) throw new RangeError(`a tensor dimension of ${n}`);
    op("J");
    uint32(n);
  };
  const tuple = (items: readonly (() => void)[]): void => {
    op("(");
    for (const item of items) item();
    op("t");
  };
  const integers = (values: readonly number[]): void => tuple(values.map((n) => () => integer(n)));
  const orderedDict = (): void => {
    global("collections", "OrderedDict");
    op(")");
    op("R");
  };
  const storage = (index: number, count: number): void => {
    tuple([
      () => text("storage"),
      () => global("torch", "FloatStorage"),
      () => text(String(index)),
      () => text("cpu"),
      () => integer(count),
    ]);
    op("Q");
  };
  orderedDict();
  for (const [i, { name, shape, data }] of tensors.entries()) {
    text(name);
    global("torch._utils", "_rebuild_tensor_v2");
    tuple([
      () => storage(i, data.length),
      () => integer(0),
      () => integers(shape),
      () => integers(shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))),
      () => void out.push(0x89),
      orderedDict,
    ]);
    op("R");
    op("s");
  }
  op(".");
  return Uint8Array.from(out);
}
