/**
 * Zip files whose entries are stored and not compressed, as PyTorch writes them: nothing has to be decompressed, so
 * the content can never be larger than the file.
 * Source: PKWARE APPNOTE.TXT 6.3; pytorch caffe2/serialize/inline_container.cc for the alignment of 64 bytes.
 */
import { NodeError } from "../errors.ts";
import { crc32 } from "./crc32.ts";

/** Entries of one file: a state dict of an intervention has under ten, of a whole adapter some thousand. */
export const ZIP_ENTRIES_MAX = 16_384;

/** PyTorch begins every entry's bytes at a multiple of this, so that they can be mapped. */
const ALIGNMENT = 64;

const LOCAL = { signature: 0x04034b50, bytes: 30 };
const CENTRAL = { signature: 0x02014b50, bytes: 46 };
const END = { signature: 0x06054b50, bytes: 22 };

/** 1980-01-01, the earliest date of the format: equal content gives equal bytes. */
const DATE = 0x0021;

/** Id of the extra field that only fills space; PyTorch's own. */
const PADDING_ID = 0x4246;

/** A zip file of entries in the given order.  Throws: RangeError above 4 GiB, which would need another format. */
export function writeStoredZip(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const placed: { name: Uint8Array; bytes: Uint8Array; crc: number; at: number; padding: number }[] = [];
  let at = 0;
  for (const [text, bytes] of entries) {
    const name = new TextEncoder().encode(text);
    const padding = paddingAfter(at + LOCAL.bytes + name.length);
    placed.push({ name, bytes, crc: crc32(bytes), at, padding });
    at += LOCAL.bytes + name.length + padding + bytes.length;
  }
  const directoryAt = at;
  const directoryBytes = placed.reduce((sum, { name }) => sum + CENTRAL.bytes + name.length, 0);
  const total = directoryAt + directoryBytes + END.bytes;
  if (total > 0xffffffff) throw new RangeError(`a zip file of ${total} bytes`);
  const file = new Uint8Array(total);
  const view = new DataView(file.buffer);
  let central = directoryAt;
  for (const { name, bytes, crc, at: offset, padding } of placed) {
    view.setUint32(offset, LOCAL.signature, true);
    writeFacts(view, offset + 4, { crc, size: bytes.length, nameLength: name.length });
    view.setUint16(offset + 28, padding, true);
    file.set(name, offset + LOCAL.bytes);
    const extra = offset + LOCAL.bytes + name.length;
    view.setUint16(extra, PADDING_ID, true);
    view.setUint16(extra + 2, padding - 4, true);
    file.fill(0x5a, extra + 4, extra + padding);
    file.set(bytes, extra + padding);
    view.setUint32(central, CENTRAL.signature, true);
    writeFacts(view, central + 6, { crc, size: bytes.length, nameLength: name.length });
    view.setUint32(central + 42, offset, true);
    file.set(name, central + CENTRAL.bytes);
    central += CENTRAL.bytes + name.length;
  }
  view.setUint32(central, END.signature, true);
  view.setUint16(central + 8, placed.length, true);
  view.setUint16(central + 10, placed.length, true);
  view.setUint32(central + 12, directoryBytes, true);
  view.setUint32(central + 16, directoryAt, true);
  return file;
}

/** At least the 4 bytes that the field's own header takes. */
function paddingAfter(offset: number): number {
  const padding = ALIGNMENT - (offset % ALIGNMENT);
  return padding < 4 ? padding + ALIGNMENT : padding;
}

/** The fields that stand alike in both headers: version, flags, method, time, date, checksum, sizes, name length. */
function writeFacts(
  view: DataView,
  at: number,
  { crc, size, nameLength }: { readonly crc: number; readonly size: number; readonly nameLength: number },
): void {
  view.setUint16(at, 20, true);
  view.setUint16(at + 8, DATE, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, size, true);
  view.setUint32(at + 18, size, true);
  view.setUint16(at + 22, nameLength, true);
}

/**
 * The entries by name, as views of the file's bytes, checksums verified.  name: the file's, for the error line.
 * Throws: TORCH_FILE_INVALID for anything but a whole, uncompressed zip file of under 4 GiB.
 */
export function readStoredZip(bytes: Uint8Array, name: string): ReadonlyMap<string, Uint8Array> {
  const fail = (what: string): NodeError =>
    new NodeError("TORCH_FILE_INVALID", `${name}: ${what}; save it again with torch.save`, { file: name });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = endRecord(view);
  if (end === undefined) throw fail("not a zip file, or truncated");
  const count = view.getUint16(end + 10, true);
  const size = view.getUint32(end + 12, true);
  const start = view.getUint32(end + 16, true);
  if (count > ZIP_ENTRIES_MAX) throw fail(`${count} entries, ${ZIP_ENTRIES_MAX} at most`);
  if (start + size > end) throw fail("its list of entries is outside of the file");
  const entries = new Map<string, Uint8Array>();
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL.bytes > end || view.getUint32(at, true) !== CENTRAL.signature) throw fail("damaged entry list");
    const nameLength = view.getUint16(at + 28, true);
    const nameEnd = at + CENTRAL.bytes + nameLength;
    if (nameEnd > end) throw fail("damaged entry list");
    const entry = new TextDecoder().decode(bytes.subarray(at + CENTRAL.bytes, nameEnd));
    if (entries.has(entry)) throw fail("two entries of one name");
    if (view.getUint16(at + 10, true) !== 0) throw fail("it is compressed");
    const length = view.getUint32(at + 20, true);
    const content = contentOf(view, { local: view.getUint32(at + 42, true), length, limit: start });
    if (content === undefined) throw fail("an entry is outside of the file");
    if (crc32(content) !== view.getUint32(at + 16, true)) throw fail("an entry does not match its checksum");
    entries.set(entry, content);
    at = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

/** The record stands at the end, behind it only a comment of at most 64 KiB. */
function endRecord(view: DataView): number | undefined {
  const last = view.byteLength - END.bytes;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (
      view.getUint32(at, true) === END.signature &&
      at + END.bytes + view.getUint16(at + 20, true) === view.byteLength
    )
      return at;
  }
  return undefined;
}

/** limit: where the entries end. */
function contentOf(
  view: DataView,
  { local, length, limit }: { readonly local: number; readonly length: number; readonly limit: number },
): Uint8Array | undefined {
  if (local + LOCAL.bytes > limit || view.getUint32(local, true) !== LOCAL.signature) return undefined;
  const begin = local + LOCAL.bytes + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (begin + length > limit) return undefined;
  return new Uint8Array(view.buffer, view.byteOffset + begin, length);
}
