/**
 * A peer's key as a file to keep elsewhere: sealed by a passphrase. scrypt (RFC 7914) stretches the passphrase to a key of
 * ChaCha20-Poly1305 (RFC 8439), which seals the 32 bytes and authenticates everything else that the file says.
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { peerIdFromPublicKey } from "../../../protocol/peer-id.ts";
import { NodeError } from "../../errors.ts";
import { fileError, systemCode } from "./atomic-file.ts";
import { refuseLooseMode, SEED_BYTES } from "./key-file.ts";
import { readShortFile } from "./short-file.ts";

/** What scrypt takes: memory and time are N * r * 128 bytes, and p times that time. */
export interface StretchSettings {
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

/** 128 MiB and about half a second on one core: OWASP's first choice for scrypt (Password Storage Cheat Sheet, 2024). */
export const STRETCH_DEFAULTS: StretchSettings = { n: 2 ** 17, r: 8, p: 1 };
/** Shorter ones are guessed even through scrypt. */
export const PASSPHRASE_CHARACTERS_MIN = 12;
/** Longer than what anybody types; a file that is longer is not a passphrase. */
export const PASSPHRASE_CHARACTERS_MAX = 1024;

const SCHEMA = "weft-key-backup/1";
const CIPHER = "chacha20-poly1305";
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** A backup has some 400 bytes. */
const BACKUP_BYTES_MAX = 4096;
/** As many as the longest passphrase can have in UTF-8, and a newline. */
const PASSPHRASE_FILE_BYTES_MAX = 4 * PASSPHRASE_CHARACTERS_MAX + 2;
/** A file from elsewhere may not ask for more than 1 GiB of memory or 16 times the time. */
const STRETCH_MAX = { n: 2 ** 20, r: 8, p: 16 } as const;

/** The text of a backup.  Throws: KEY_FILE for a passphrase that is too short or too long. */
export function sealKey(seed: Uint8Array, passphrase: string, stretch: StretchSettings = STRETCH_DEFAULTS): string {
  checkPassphrase(passphrase);
  const [salt, nonce] = [randomBytes(SALT_BYTES), randomBytes(NONCE_BYTES)];
  const head = {
    schema: SCHEMA,
    peer: peerIdFromPublicKey(ed25519.getPublicKey(seed)),
    stretch: { kind: "scrypt", ...stretch, salt: salt.toString("hex") },
    cipher: { kind: CIPHER, nonce: nonce.toString("hex") },
  };
  const cipher = createCipheriv(CIPHER, stretched(passphrase, salt, stretch), nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(authenticated(head), { plaintextLength: SEED_BYTES });
  const sealed = Buffer.concat([cipher.update(seed), cipher.final(), cipher.getAuthTag()]);
  return `${JSON.stringify({ ...head, sealed: sealed.toString("hex") }, null, 2)}\n`;
}

/**
 * The seed in a backup.
 * Throws: KEY_FILE, one line: not a backup, of a later version, the passphrase is not the one, or the file was changed.
 */
export function openKey(text: string, passphrase: string): Uint8Array {
  const { head, stretch, salt, nonce, sealed } = parseBackup(text);
  const decipher = createDecipheriv(CIPHER, stretched(passphrase, salt, stretch), nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(authenticated(head), { plaintextLength: SEED_BYTES });
  decipher.setAuthTag(sealed.subarray(SEED_BYTES));
  try {
    const seed = Buffer.concat([decipher.update(sealed.subarray(0, SEED_BYTES)), decipher.final()]);
    return new Uint8Array(seed);
  } catch (cause) {
    const text =
      "this backup of a key does not open: the passphrase is not the one it was sealed with, or the file was changed";
    throw new NodeError("KEY_FILE", text, { problem: "backup-shut" }, { cause });
  }
}

/** Whose key a backup holds; hearsay until it was opened.  Throws: KEY_FILE. */
export function peerOfBackup(text: string): string {
  return parseBackup(text).head.peer;
}

/** The text of a file that is said to be a backup.  Throws: KEY_FILE, one line with the file's name; DATA_DIRECTORY. */
export async function readBackup(path: string): Promise<string> {
  const bytes = await shortFile(path, { bytesMax: BACKUP_BYTES_MAX, what: "backup" });
  const text = new TextDecoder().decode(bytes);
  try {
    if (bytes.length === SEED_BYTES) {
      throw refused(
        "it has 32 bytes as the key of a peer has, which is copied as it is: the file key in a data directory",
      );
    }
    parseBackup(text);
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    throw new NodeError("KEY_FILE", `${path}: ${error.message}`, { ...error.facts, path }, { cause: error });
  }
  return text;
}

/**
 * The passphrase in a file that its owner alone may read; one newline at its end is not part of it.
 * Throws: KEY_FILE, DATA_DIRECTORY.
 */
export async function readPassphraseFile(path: string): Promise<string> {
  const bytes = await shortFile(path, { bytesMax: PASSPHRASE_FILE_BYTES_MAX, what: "passphrase" });
  await refuseLooseMode(path, "600");
  const passphrase = new TextDecoder().decode(bytes).replace(/\r?\n$/, "");
  checkPassphrase(passphrase);
  return passphrase;
}

/** Throws: KEY_FILE where the file is not there, or longer than what it is said to hold; DATA_DIRECTORY. */
async function shortFile(
  path: string,
  { bytesMax, what }: { readonly bytesMax: number; readonly what: "backup" | "passphrase" },
): Promise<Uint8Array> {
  const facts = { path, problem: what === "backup" ? "no-backup" : "passphrase-unfit" } as const;
  try {
    const bytes = await readShortFile(path, bytesMax);
    if (bytes !== undefined) return bytes;
  } catch (cause) {
    if (systemCode(cause) !== "ENOENT") throw fileError(cause, path);
    throw new NodeError("KEY_FILE", `there is no ${what} file ${path}`, facts, { cause });
  }
  throw new NodeError("KEY_FILE", `${path} is too long to hold a ${what}`, facts);
}

/** Throws: KEY_FILE when a passphrase is too short to protect anything, or no passphrase at all. */
export function checkPassphrase(passphrase: string): void {
  const length = [...passphrase].length;
  if (length < PASSPHRASE_CHARACTERS_MIN) {
    const text = `a passphrase needs at least ${PASSPHRASE_CHARACTERS_MIN} characters, such as some words in a row`;
    throw new NodeError("KEY_FILE", text, { length, problem: "passphrase-unfit" });
  }
  if (length > PASSPHRASE_CHARACTERS_MAX) {
    const text = `a passphrase has at most ${PASSPHRASE_CHARACTERS_MAX} characters, and this has ${length}`;
    throw new NodeError("KEY_FILE", text, { length, problem: "passphrase-unfit" });
  }
}

interface BackupHead {
  readonly schema: string;
  readonly peer: string;
  readonly stretch: StretchSettings & { readonly kind: string; readonly salt: string };
  readonly cipher: { readonly kind: string; readonly nonce: string };
}

function parseBackup(text: string) {
  if (text.length > BACKUP_BYTES_MAX) throw refused("it is too long to be one");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refused("it is not JSON", cause);
  }
  const { schema, peer, stretch, cipher, sealed } = record(value);
  if (typeof schema !== "string" || !schema.startsWith("weft-key-backup/"))
    throw refused(schema === undefined ? "it is none" : `it is none, but ${JSON.stringify(schema)?.slice(0, 60)}`);
  if (schema !== SCHEMA) throw refused(`it is of a version that this weft does not know (${schema.slice(0, 40)})`);
  const { kind, n, r, p, salt } = record(stretch);
  const { kind: cipherKind, nonce } = record(cipher);
  if (kind !== "scrypt" || cipherKind !== CIPHER || typeof peer !== "string") throw refused("a field is wrong");
  if (!isCount(n, STRETCH_MAX.n) || !isCount(r, STRETCH_MAX.r) || !isCount(p, STRETCH_MAX.p) || (n & (n - 1)) !== 0) {
    throw refused("it asks for more memory or time than any of these takes");
  }
  const head: BackupHead = {
    schema,
    peer,
    stretch: { kind, n, r, p, salt: String(salt) },
    cipher: { kind: cipherKind, nonce: String(nonce) },
  };
  return {
    head,
    stretch: { n, r, p },
    salt: hexBytes(salt, SALT_BYTES),
    nonce: hexBytes(nonce, NONCE_BYTES),
    sealed: hexBytes(sealed, SEED_BYTES + TAG_BYTES),
  };
}

/** Everything in the file but the sealed bytes. */
const authenticated = (head: BackupHead): Buffer => Buffer.from(JSON.stringify(head));

function stretched(passphrase: string, salt: Uint8Array, { n, r, p }: StretchSettings): Buffer {
  // One passphrase, one sequence of bytes, whichever keyboard it was typed on.
  const text = passphrase.normalize("NFC");
  return scryptSync(text, salt, KEY_BYTES, { N: n, r, p, maxmem: 128 * r * (n + p + 2) });
}

function hexBytes(value: unknown, length: number): Buffer {
  if (typeof value !== "string" || value.length !== 2 * length || !/^[0-9a-f]*$/.test(value)) {
    throw refused("a field is wrong");
  }
  return Buffer.from(value, "hex");
}

const isCount = (value: unknown, max: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= max;

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};

const refused = (what: string, cause?: unknown): NodeError =>
  new NodeError("KEY_FILE", `no backup of a key that can be used: ${what}`, { problem: "no-backup" }, { cause });
