/** What the first bytes of a file say that it is, where a form of file begins with bytes of its own. */

/** How a file is packed; what is in it is looked at again. */
export type Packing = "gzip" | "zstd";

/** Forms of tables in bytes. */
export type TableForm = "parquet" | "arrow-file" | "arrow-stream";

/** What first bytes say. */
export type Magic =
  | { readonly kind: "packed"; readonly packing: Packing }
  | { readonly kind: "table"; readonly form: TableForm }
  /** A form that weft does not read.  todo: what its owner can do. */
  | { readonly kind: "foreign"; readonly name: string; readonly todo: string };

/** Bytes that decide: the longest of the signatures, which stands at 257 (tar). */
export const MAGIC_BYTES = 264;

const UNPACK = "unpack the file and give what is in it";
const AS_ROWS = "save the rows as JSON lines, CSV or Parquet";

interface Signature {
  readonly bytes: readonly number[];
  readonly at?: number;
  readonly magic: Magic;
}

const foreign = (bytes: readonly number[], name: string, todo: string, at = 0): Signature => ({
  bytes,
  at,
  magic: { kind: "foreign", name, todo },
});
const ascii = (text: string): readonly number[] => [...text].map((character) => character.charCodeAt(0));

/** Sources: RFC 1952, RFC 8878, the Parquet and Arrow formats, and file(1)'s list for the rest. */
const SIGNATURES: readonly Signature[] = [
  { bytes: [0x1f, 0x8b], magic: { kind: "packed", packing: "gzip" } },
  { bytes: [0x28, 0xb5, 0x2f, 0xfd], magic: { kind: "packed", packing: "zstd" } },
  { bytes: ascii("PAR1"), magic: { kind: "table", form: "parquet" } },
  { bytes: ascii("ARROW1"), magic: { kind: "table", form: "arrow-file" } },
  { bytes: [0xff, 0xff, 0xff, 0xff], magic: { kind: "table", form: "arrow-stream" } },
  foreign(ascii("PARE"), "an encrypted Parquet file", "decrypt it"),
  foreign(ascii("FEA1"), "a Feather file of version 1", AS_ROWS),
  foreign(ascii("PK\u0003\u0004"), "a ZIP archive", UNPACK),
  foreign(ascii("BZh"), "packed by bzip2", UNPACK),
  foreign([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], "packed by xz", UNPACK),
  foreign([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "a 7-Zip archive", UNPACK),
  foreign([0x04, 0x22, 0x4d, 0x18], "packed by lz4", UNPACK),
  foreign(ascii("Rar!"), "a RAR archive", UNPACK),
  foreign(ascii("ustar"), "a tar archive", UNPACK, 257),
  foreign(ascii("%PDF"), "a PDF document", "extract its text"),
  foreign([0xd0, 0xcf, 0x11, 0xe0], "an old office document", "save its text or its table as CSV"),
  foreign(ascii("SQLite format 3"), "an SQLite database", AS_ROWS),
  foreign([0x89, 0x48, 0x44, 0x46], "an HDF5 file", AS_ROWS),
  foreign([0x93, ...ascii("NUMPY")], "a NumPy array", AS_ROWS),
  foreign(ascii("Obj\u0001"), "an Avro file", AS_ROWS),
  foreign(ascii("ORC"), "an ORC file", AS_ROWS),
  foreign(ascii("GGUF"), "a GGUF model", "give a file of examples"),
  foreign([0x80, 0x02], "a Python pickle", AS_ROWS),
  foreign([0x80, 0x03], "a Python pickle", AS_ROWS),
  foreign([0x80, 0x04], "a Python pickle", AS_ROWS),
  foreign([0x80, 0x05], "a Python pickle", AS_ROWS),
  foreign([0x89, 0x50, 0x4e, 0x47], "a PNG image", "give a file of examples"),
  foreign([0xff, 0xd8, 0xff], "a JPEG image", "give a file of examples"),
  foreign([0x7f, 0x45, 0x4c, 0x46], "a program", "give a file of examples"),
];

const OFFICE = "save its table as CSV (UTF-8), or its text";
/** What a ZIP archive is by the name of its first entry, which stands at 30 (and by its content, where that is `mimetype`). */
const ZIPS: readonly (readonly [entry: RegExp, magic: Magic])[] = [
  [
    /^(?:\[Content_Types\]\.xml|_rels\/|docProps\/|xl\/|word\/)/u,
    { kind: "foreign", name: "an office document (.xlsx, .docx)", todo: OFFICE },
  ],
  [
    /^mimetypeapplication\//u,
    { kind: "foreign", name: "an office document or a book (.ods, .odt, .epub)", todo: OFFICE },
  ],
  [/^[^\0]*\.npy/u, { kind: "foreign", name: "NumPy arrays (.npz)", todo: AS_ROWS }],
  [/^[^\0]*\/data\.pkl/u, { kind: "foreign", name: "a file of PyTorch", todo: AS_ROWS }],
];

function zipOf(head: Uint8Array): Magic | undefined {
  if (!ascii("PK\u0003\u0004").every((byte, i) => head[i] === byte)) return undefined;
  const entry = String.fromCharCode(...head.subarray(30));
  return ZIPS.find(([name]) => name.test(entry))?.[1];
}

/** A frame's descriptor, its fifth byte, says in two bits how long the number of the dictionary is (RFC 8878, 3.1.1.1.1). */
const isDictionaryZstd = (head: Uint8Array): boolean =>
  [0x28, 0xb5, 0x2f, 0xfd].every((byte, i) => head[i] === byte) && (head[4]! & 0b11) !== 0;

/** What a file is by its first MAGIC_BYTES bytes; undefined where it may be text. */
export function magicOf(head: Uint8Array): Magic | undefined {
  if (isDictionaryZstd(head)) return { kind: "foreign", name: "packed by zstd with a dictionary", todo: UNPACK };
  const zip = zipOf(head);
  if (zip !== undefined) return zip;
  const matches = ({ bytes, at = 0 }: Signature): boolean => bytes.every((byte, i) => head[at + i] === byte);
  return SIGNATURES.find(matches)?.magic;
}
