/** The log of a peer on disk: the newest lines in one file, those before in numbered ones, and never more than a few of them. */
import { closeSync, fstatSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { ensureFolder, fileError, systemCode } from "./atomic-file.ts";

/** How much is kept. */
export interface LogFileBounds {
  readonly fileBytes: number;
  /** Files in all, the one that is written included. */
  readonly files: number;
}

/** 20 MB: weeks of a peer at its ordinary levels, hours at the most talkative one. */
export const LOG_FILE_BOUNDS: LogFileBounds = { fileBytes: 4 * 2 ** 20, files: 5 };

/** Of the file that is written, and of older ones by rising age. */
export const logFiles = (folder: string, { files }: LogFileBounds = LOG_FILE_BOUNDS): readonly string[] =>
  Array.from({ length: files }, (_, age) => `${folder}/${age === 0 ? "weft.log" : `weft.${age}.log`}`);

/** A file that takes lines. */
export interface LogFile {
  /** Written when this returns; what cannot be written is lost, because a log must not stop a peer. */
  write(line: string): void;
  close(): void;
}

/** Open it for appending; its folder is made (0700) where it is not there.  Throws: NodeError DISK_FULL, DATA_DIRECTORY. */
export async function openLogFile(folder: string, bounds: LogFileBounds = LOG_FILE_BOUNDS): Promise<LogFile> {
  await ensureFolder(folder, { mode: 0o700 });
  const paths = logFiles(folder, bounds);
  const [newest = ""] = paths;
  try {
    return new RotatedFile(paths, bounds.fileBytes);
  } catch (cause) {
    throw fileError(cause, newest);
  }
}

class RotatedFile implements LogFile {
  readonly #paths: readonly string[];
  readonly #fileBytes: number;
  #file: number | undefined;
  #bytes = 0;

  constructor(paths: readonly string[], fileBytes: number) {
    this.#paths = paths;
    this.#fileBytes = fileBytes;
    this.#open();
  }

  write(line: string): void {
    try {
      if (this.#file === undefined) return;
      const bytes = Buffer.byteLength(line);
      if (this.#bytes > 0 && this.#bytes + bytes > this.#fileBytes) this.#rotate();
      writeSync(this.#file, line);
      this.#bytes += bytes;
    } catch (error) {
      // A full disk, or a folder that was taken away; the peer itself says what of its files it cannot write.
      if (systemCode(error) === undefined) throw error;
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): void {
    const [newest = ""] = this.#paths;
    this.#file = openSync(newest, "a", 0o600);
    this.#bytes = fstatSync(this.#file).size;
  }

  #rotate(): void {
    this.close();
    rmSync(this.#paths.at(-1) ?? "", { force: true });
    for (let age = this.#paths.length - 2; age >= 0; age--) {
      try {
        renameSync(this.#paths[age] ?? "", this.#paths[age + 1] ?? "");
      } catch (error) {
        if (systemCode(error) !== "ENOENT") throw error;
      }
    }
    this.#open();
  }
}

/** Thousands of ordinary lines. */
const TAIL_BYTES_MAX = 256 * 1024;

/** The newest lines of a log, the newest last, as they stand there; no log is an empty one.  Throws: NodeError DATA_DIRECTORY. */
export async function logTail(folder: string, count: number): Promise<readonly string[]> {
  const [path = ""] = logFiles(folder);
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      const bytes = new Uint8Array(Math.min(size, TAIL_BYTES_MAX));
      await file.read(bytes, 0, bytes.length, size - bytes.length);
      const lines = new TextDecoder().decode(bytes).split("\n");
      return lines.slice(size > bytes.length ? 1 : 0, -1).slice(-count);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return [];
    throw fileError(cause, path);
  }
}
