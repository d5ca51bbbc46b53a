/** The stream of record batches inside an Arrow file, whose table of blocks is passed over. */
import type { BytePieces } from "./row.ts";

/** An Arrow file's mark, at its beginning and its end (columnar format, "IPC File Format"). */
const MARK = new TextEncoder().encode("ARROW1");
/** Bytes of the mark at the beginning, padded. */
const HEAD = 8;

const endsAs = (bytes: Uint8Array, mark: Uint8Array): boolean =>
  bytes.length >= mark.length && mark.every((byte, at) => bytes[bytes.length - mark.length + at] === byte);

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}

/**
 * What stands in an Arrow file between its marks is a stream of its own, ended in words, and then the table of blocks. The library
 * follows a damaged table without end and needs the whole file for it, so it is given the stream alone. A stream is given as it is.
 */
export class ArrowStream {
  #tail: Uint8Array = new Uint8Array(0);
  #isFile = false;
  readonly #pieces: AsyncGenerator<Uint8Array>;

  constructor(pieces: BytePieces) {
    this.#pieces = this.#read(pieces);
  }

  /** The bytes of the stream, for a reader that may leave before the end. */
  async *bytes(): AsyncGenerator<Uint8Array> {
    for (let next = await this.#pieces.next(); next.done !== true; next = await this.#pieces.next()) yield next.value;
  }

  /** Reads what is left.  Throws: Error where a file lacks its mark at the end. */
  async end(): Promise<void> {
    for await (const _ of this.#pieces);
    if (this.#isFile && !endsAs(this.#tail, MARK)) throw new Error("the file ends early");
  }

  async *#read(pieces: BytePieces): AsyncGenerator<Uint8Array> {
    let head: Uint8Array | undefined = new Uint8Array(0);
    for await (const piece of pieces) {
      this.#tail = joined(this.#tail, piece.subarray(-MARK.length)).slice(-MARK.length);
      if (head === undefined) {
        yield piece;
        continue;
      }
      head = joined(head, piece);
      if (head.length < HEAD) continue;
      this.#isFile = endsAs(head.subarray(0, MARK.length), MARK);
      yield this.#isFile ? head.subarray(HEAD) : head;
      head = undefined;
    }
    if (head !== undefined && head.length > 0) yield head;
  }
}
