/** Files of weights on disk: opened by their real path, read in pieces, mapped by the runtime. */
import { closeSync, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { basename, dirname, relative, sep } from "node:path";
import { NodeError } from "../../errors.ts";
import type { WeightFile } from "../../model/weight-file.ts";
import { systemCode } from "./atomic-file.ts";

/** Bytes of one read call: the system's own limit is 2 GiB. */
const READ_BYTES_MAX = 1 << 30;

/**
 * The files as one set: their paths are relative to the innermost folder that holds all of them, because a runtime
 * follows no link out of the folder that it maps from, and model caches are full of such links.
 * Throws: MODEL_MISSING for a path that leads nowhere.
 */
export function openWeightFiles(paths: readonly string[]): readonly WeightFile[] {
  const real = paths.map(realPath);
  const folder = commonFolder(real);
  return real.map((path, i) => openWeightFile(path, { name: paths[i]!, folder }));
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    const text = `${path} cannot be opened (${systemCode(cause) ?? String(cause)}); download the model again`;
    throw new NodeError("MODEL_MISSING", text, { path }, { cause });
  }
}

function openWeightFile(file: string, { name, folder }: { name: string; folder: string }): WeightFile {
  const read = (offset: number, length: number): Uint8Array => readRange(file, offset, length);
  const { size, mtimeNs } = withFile(file, (fd) => fstatSync(fd, { bigint: true }));
  const fileBytes = Number(size);
  return {
    name,
    path: relative(folder, file).split(sep).join("/"),
    folder,
    fileBytes,
    stamp: `${file} ${size} ${mtimeNs}`,
    read,
    get data() {
      return read(0, fileBytes);
    },
  };
}

/** Throws: RangeError when the file is shorter than it was when it was opened. */
function readRange(file: string, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return withFile(file, (fd) => {
    for (let at = 0; at < length; ) {
      const wanted = Math.min(READ_BYTES_MAX, length - at);
      const count = readSync(fd, bytes, at, wanted, offset + at);
      if (count === 0) throw new RangeError(`${basename(file)} ends at byte ${offset + at}; it changed while in use`);
      at += count;
    }
    return bytes;
  });
}

function withFile<T>(file: string, use: (fd: number) => T): T {
  const fd = openSync(file, "r");
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function commonFolder(paths: readonly string[]): string {
  let folder = dirname(paths[0]!);
  while (!paths.every((path) => path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`))) {
    folder = dirname(folder);
  }
  return folder;
}
