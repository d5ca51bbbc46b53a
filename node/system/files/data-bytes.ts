/** Bytes of data on disk or standard input, unpacked: one file, or the shards in a folder. */
import { createReadStream, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import * as zlib from "node:zlib";
import { MAGIC_BYTES, type Magic, magicOf, type Packing } from "../../data/file-magic.ts";
import type { RandomBytes } from "../../data/parquet-rows.ts";
import { dataRefusal } from "../../data/place.ts";
import type { BytePieces } from "../../data/row.ts";
import { NodeError } from "../../errors.ts";
import { systemCode } from "./atomic-file.ts";
import { type FolderShards, shardsOf } from "./data-folder.ts";

/** A file behind everything that it is packed by. */
export interface OpenedBytes {
  /** For error lines. */
  readonly file: string;
  /** The file's name without the endings of what it is packed by. */
  readonly name: string;
  /** What it is packed by, the outermost first. */
  readonly packings: readonly Packing[];
  /** What is inside, where its first bytes say so. */
  readonly magic: Exclude<Magic, { readonly kind: "packed" }> | undefined;
  /** The unpacked bytes, once. */
  readonly pieces: BytePieces;
  /** The unpacked bytes by their places: of a packed file, or of standard input, all of them in memory. */
  random(): Promise<RandomBytes>;
  /** By how many bytes the file grew while it was read; known once it is. */
  grown(): number;
}

/** How standard input is named where a file could be. */
export const STANDARD_INPUT = "-";

/** Packed files in packed files that are opened. */
const LAYERS_MAX = 3;

/** Bytes of a packed table, which cannot be read from any place: what the runtime holds in one piece, nearly. */
const MEMORY_BYTES_MAX = 2 ** 31 - 1;

const PACKED = /\.(?:gz|gzip|zst|zstd)$/iu;

/**
 * The files that a path stands for: itself, or the shards in a folder, by `shardsOf`.
 * Throws: DATA_FORMAT where there is nothing to read.
 */
export async function filesOfPath(path: string): Promise<FolderShards> {
  const alone = { paths: [{ file: path }], warnings: [] };
  if (path === STANDARD_INPUT) return alone;
  const about = await statOf(path);
  if (about.isFile() || about.isFIFO() || about.isCharacterDevice()) return alone;
  if (!about.isDirectory()) throw new NodeError("DATA_FORMAT", `${path} is not a file; give a file of data`, { path });
  return shardsOf(path);
}

/** Open a file, through what it is packed by.  Throws: DATA_FORMAT for a packing that is damaged or not read. */
export async function openBytes(file: string): Promise<OpenedBytes> {
  const isInput = file === STANDARD_INPUT;
  // What is no file on a disk, such as a pipe, is read once and from its beginning.
  const isOnDisk = !isInput && (await statOf(file)).isFile();
  const label = isInput ? "standard input" : file;
  const growth: Growth = { bytes: 0 };
  let source: BytePieces = isInput ? process.stdin : isOnDisk ? bytesOf(file, growth) : pipeOf(file);
  let name = isInput ? "" : basename(file);
  const packings: Packing[] = [];
  for (;;) {
    const { head, pieces } = await withHead(source, MAGIC_BYTES);
    const magic = magicOf(head);
    if (magic?.kind !== "packed") {
      const random = packings.length === 0 && isOnDisk ? () => randomOfFile(file) : () => collected(pieces, label);
      return { file: label, name, packings, magic, pieces, random, grown: () => growth.bytes };
    }
    packings.push(magic.packing);
    if (packings.length > LAYERS_MAX) {
      throw dataRefusal({ file: label }, `this is packed more than ${LAYERS_MAX} times; unpack it first`);
    }
    source = unpacked(pieces, magic.packing, label);
    name = name.replace(PACKED, "");
  }
}

/** The bytes of a pipe or a device.  Throws: DATA_FORMAT where it may not be read. */
async function* pipeOf(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

/** The bytes of a file, as far as it goes when it is opened.  Throws: DATA_FORMAT where it may not be read, or its disk fails. */
async function* bytesOf(file: string, growth: Growth): AsyncGenerator<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, "r");
    const { size } = await handle.stat();
    let left = size;
    // What is written behind its end while it is read is not read: where that stops would be chance. A file of /proc has no size.
    const range = size > 0 ? { end: size - 1 } : {};
    for await (const piece of handle.createReadStream({ ...range, autoClose: false }) as AsyncIterable<Uint8Array>) {
      left -= piece.length;
      yield piece;
    }
    const now = (await handle.stat()).size;
    if (left > 0) throw shortened(file);
    growth.bytes = size > 0 ? now - size : 0;
  } catch (cause) {
    if (cause instanceof NodeError) throw cause;
    throw unreadable(file, cause);
  } finally {
    await handle?.close();
  }
}

/** By how many bytes a file grew while it was read. */
interface Growth {
  bytes: number;
}

const shortened = (file: string): NodeError =>
  dataRefusal({ file }, "the file became shorter while it was read; give a copy that nothing writes to");

/** One zstd frame unpacked; absent where this Node.js does not know zstd. */
export const unzstd: ((bytes: Uint8Array) => Uint8Array) | undefined =
  typeof zlib.zstdDecompressSync === "function" ? (bytes) => zlib.zstdDecompressSync(bytes) : undefined;

async function* unpacked(pieces: BytePieces, packing: Packing, file: string): AsyncGenerator<Uint8Array> {
  if (packing === "zstd" && unzstd === undefined) {
    const text = `this is packed by zstd, which this Node.js (${process.version}) cannot unpack; use Node.js 22.15 or later, or unpack it first`;
    throw dataRefusal({ file }, text);
  }
  const unpacker = packing === "gzip" ? zlib.createGunzip() : zlib.createZstdDecompress();
  const source = Readable.from(pieces);
  source.on("error", (error) => unpacker.destroy(error));
  try {
    for await (const piece of source.pipe(unpacker) as AsyncIterable<Uint8Array>) yield piece;
  } catch (cause) {
    if (cause instanceof NodeError) throw cause;
    const text = `this is packed by ${packing}, but damaged or not complete; take it from its source again`;
    throw dataRefusal({ file }, text, cause);
  } finally {
    source.destroy();
  }
}

/** The first bytes, and all of them again. */
async function withHead(
  source: BytePieces,
  length: number,
): Promise<{ readonly head: Uint8Array; readonly pieces: AsyncIterable<Uint8Array> }> {
  const iterator = Readable.from(source, { objectMode: true })[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const first: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < length) {
    const { value, done } = await iterator.next();
    if (done) break;
    first.push(value);
    bytes += value.length;
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      yield* first;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { head: Buffer.concat(first).subarray(0, length), pieces: all() };
}

async function randomOfFile(file: string): Promise<RandomBytes> {
  const { size } = await statOf(file);
  return {
    byteLength: size,
    slice: async (start, end = size) => {
      const bytes = new Uint8Array(Math.max(0, end - start));
      const handle = await open(file, "r");
      try {
        for (let at = 0; at < bytes.length; ) {
          const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
          if (bytesRead === 0) throw shortened(file);
          at += bytesRead;
        }
      } finally {
        await handle.close();
      }
      return bytes.buffer;
    },
  };
}

async function collected(pieces: BytePieces, file: string): Promise<RandomBytes> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    size += piece.length;
    if (size > MEMORY_BYTES_MAX) {
      throw dataRefusal({ file }, "a packed Parquet file of more than 2 GiB is not read; unpack it first");
    }
    parts.push(piece);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return { byteLength: size, slice: async (start, end) => whole.buffer.slice(start, end) };
}

async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): NodeError {
  const code = systemCode(cause);
  const known: Readonly<Record<string, string>> = {
    EACCES: "give this user the right to read it",
    EPERM: "give this user the right to read it",
    ENOENT: "check that the file exists and may be read",
    EIO: "the disk or the network behind it fails",
  };
  const todo = known[code ?? ""] ?? `the system says ${code ?? "no more"}; give a file that can be read`;
  return new NodeError("DATA_FORMAT", `${path} cannot be read; ${todo}`, { path }, { cause });
}

/** Whether a path can be read only once: standard input, or a pipe such as of `<(…)`.  Throws: DATA_FORMAT where there is none. */
export async function isReadOnce(path: string): Promise<boolean> {
  if (path === STANDARD_INPUT) return true;
  const about = await statOf(path);
  return !about.isFile() && !about.isDirectory();
}
