/** Folders of adapters and merged models on disk: read within bounds, written file by file, each whole or not at all. */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { copyFile, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { NodeError } from "../../errors.ts";
import { ensureFolder, fileError, syncFolder, systemCode, temporaryPath, writeFileAtomic } from "./atomic-file.ts";
import { refuseForeignLink } from "./model-link.ts";
import { fillFolder, unfinished } from "./unfinished-writes.ts";

/** Files of a directory by name. */
export type FolderFiles = ReadonlyMap<string, Uint8Array>;

/** What adapters of any form consist of; whatever else lies in such a folder is not read. */
const ADAPTER_FILE =
  /^(weft-data\.json|adapter\.(json|safetensors)|adapter_(config\.json|model\.(safetensors|bin))|config\.json|(intkey_.+|pytorch_model)\.bin)$/;
/** Files of one adapter: an intervention of pyreft is one, a deep model has two for each layer. */
const FILES_MAX = 4096;
/** Bytes of one adapter: LoRA of rank 256 on every layer of a 70-billion-parameter model has 13 GB; Node reads 2 GiB. */
const FILE_BYTES_MAX = 2 ** 31 - 1;

/** The files of an adapter's folder.  Throws: ADAPTER_FILE when there is none, or too much of it. */
export async function readAdapterFolder(folder: string): Promise<FolderFiles> {
  const all = await names(folder);
  if (all === undefined)
    throw new NodeError("ADAPTER_FILE", `there is no folder ${folder} with an adapter`, { folder });
  const found = all.filter((name) => ADAPTER_FILE.test(name));
  if (found.length > FILES_MAX) {
    throw new NodeError("ADAPTER_FILE", `${folder} has ${found.length} files of an adapter, ${FILES_MAX} at most`);
  }
  const files = new Map<string, Uint8Array>();
  for (const name of found) {
    const path = join(folder, name);
    try {
      const { size } = await stat(path);
      if (size > FILE_BYTES_MAX) throw new NodeError("ADAPTER_FILE", `${path} has ${size} bytes, 2 GiB at most`);
      files.set(name, await readFile(path));
    } catch (cause) {
      if (cause instanceof NodeError) throw cause;
      throw new NodeError(
        "ADAPTER_FILE",
        `${path} cannot be read (${systemCode(cause) ?? String(cause)})`,
        {},
        { cause },
      );
    }
  }
  return files;
}

/** One more file of such a folder, which an adapter alone does not need; undefined where it is not there.  Throws: ADAPTER_FILE. */
export async function readFolderFile(folder: string, name: string): Promise<Uint8Array | undefined> {
  const path = join(folder, name);
  try {
    return await readFile(path);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    const text = `${path} cannot be read (${systemCode(cause) ?? String(cause)})`;
    throw new NodeError("ADAPTER_FILE", text, {}, { cause });
  }
}

/**
 * A folder to write to, which must be new or empty, so that nothing is ever written over.
 * Throws: ADAPTER_FILE when it holds something, DISK_FULL, DATA_DIRECTORY.
 */
export async function prepareOutputFolder(folder: string): Promise<void> {
  const isFile = (await stat(folder).catch(() => undefined))?.isDirectory() === false;
  if (isFile) throw new NodeError("ADAPTER_FILE", `${folder} is a file`, { folder, problem: "folder-not-empty" });
  const present = await names(folder);
  if (present !== undefined && present.length > 0) {
    throw new NodeError("ADAPTER_FILE", `${folder} is not empty`, { folder, problem: "folder-not-empty" });
  }
  await ensureFolder(folder);
  fillFolder(folder, present !== undefined);
}

/** Write files in their order.  Throws: DISK_FULL, DATA_DIRECTORY. */
export function writeFolder(folder: string, files: FolderFiles): Promise<void> {
  return unfinished(async () => {
    for (const [name, bytes] of files) await writeFileAtomic(join(folder, name), bytes);
  });
}

/** A folder of these files alone, in the place of what had its name before.  Throws: DISK_FULL, DATA_DIRECTORY. */
export async function replaceFolder(folder: string, files: FolderFiles): Promise<void> {
  const next = join(dirname(folder), `.${basename(folder)}.tmp`);
  try {
    await rm(next, { recursive: true, force: true });
    await ensureFolder(next);
    await writeFolder(next, files);
    await rm(folder, { recursive: true, force: true });
    await rename(next, folder);
  } catch (cause) {
    await rm(next, { recursive: true, force: true }).catch(() => undefined);
    throw cause instanceof NodeError ? cause : fileError(cause, folder);
  }
}

/** A file in pieces, of any size.  Throws: DISK_FULL, DATA_DIRECTORY. */
export function writePieces(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  return unfinished(() => replaceByPieces(path, pieces));
}

async function replaceByPieces(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    const fd = openSync(temporary, "wx");
    try {
      for (const piece of pieces) {
        for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at);
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    await rename(temporary, path);
    await syncFolder(join(path, ".."));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError(cause, path);
  }
}

/** What a model directory holds beside weights and config.json that its users read. */
const COMPANION =
  /^(tokenizer.*|special_tokens_map\.json|added_tokens\.json|vocab\..*|merges\.txt|(spm|spiece|sentencepiece\.bpe)\.model|generation_config\.json|chat_template\..*)$/;

/**
 * Copy tokenizer and generation settings of a model; returns their names.
 * Throws: MODEL_CONFIG where a name leads out of the model or to no file; DISK_FULL, DATA_DIRECTORY.
 */
export async function copyCompanions(from: string, to: string): Promise<readonly string[]> {
  const found = ((await names(from)) ?? []).filter((name) => COMPANION.test(name)).toSorted();
  for (const name of found) {
    refuseForeignLink(from, name);
    try {
      await copyFile(join(from, name), join(to, name));
    } catch (cause) {
      throw fileError(cause, join(to, name));
    }
  }
  return found;
}

async function names(folder: string): Promise<readonly string[] | undefined> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw new NodeError("ADAPTER_FILE", `${folder} is no folder that can be read`, { folder }, { cause });
  }
}
