/** The cache of copies of weights in another form: one folder, one file for each copy, there whole or not at all. */
import { randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { NodeError } from "../../errors.ts";
import type { WeightCache, WeightCopy } from "../../model/weight-copy.ts";
import type { WeightFile } from "../../model/weight-file.ts";
import { userCacheFolder } from "../platform/user-folders.ts";
import { TOLD_BYTES_MIN, WorkCount } from "../platform/work-channel.ts";
import { systemCode } from "./atomic-file.ts";
import { openWeightFiles } from "./weight-files.ts";

/** The given folder, else that of the environment variable WEFT_CACHE, else the system's place for caches. */
export function cacheFolder(given?: string): string {
  return given ?? process.env.WEFT_CACHE ?? userCacheFolder;
}

/** Nothing is created before something is to be kept. */
export function createWeightCache({ folder }: { readonly folder: string }): WeightCache {
  return {
    open: (weights) => {
      const path = join(folder, `${weights.key}.safetensors`);
      const known = complete(path, weights);
      if (known) return known;
      try {
        mkdirSync(folder, { recursive: true });
        removeAbandoned(folder);
        write(path, weights);
      } catch (cause) {
        throw cacheError(cause, { folder, bytes: weights.fileBytes });
      }
      const made = complete(path, weights);
      if (made) return made;
      throw new NodeError("DATA_DIRECTORY", `${path} has changed since it was written; remove it and start again`);
    },
  };
}

/** The file, when it is as long as it must be and begins as it must: only whole files are ever given their name. */
function complete(path: string, { header, fileBytes }: WeightCopy): WeightFile | undefined {
  if (!existsSync(path)) return undefined;
  const [file] = openWeightFiles([path]) as [WeightFile];
  if (file.fileBytes !== fileBytes) return undefined;
  const start = file.read(0, header.length);
  return start.every((byte, i) => byte === header[i]) ? file : undefined;
}

/** Peers that start together may write the same file at once: each under a name of its own, and all the same bytes. */
function write(path: string, weights: WeightCopy): void {
  const temporary = `${path}.${process.pid}.${randomUUID()}.tmp`;
  const count = new WorkCount({
    ...{ what: "converting the weights", total: weights.fileBytes },
    ...{ unit: "bytes", fewest: TOLD_BYTES_MIN, blocks: true },
  });
  try {
    const fd = openSync(temporary, "wx");
    try {
      for (const piece of weights.pieces()) {
        for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at);
        count.add(piece.length);
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    rename(temporary, path, weights);
  } finally {
    count.end();
    rmSync(temporary, { force: true });
  }
}

/** A system that does not replace a file in use keeps the one that another peer wrote. */
function rename(temporary: string, path: string, weights: WeightCopy): void {
  try {
    renameSync(temporary, path);
  } catch (error) {
    if (!complete(path, weights)) throw error;
  }
}

/** What a killed writer left behind. */
function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = /\.safetensors\.(\d+)\.[0-9a-f-]+\.tmp$/.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(folder, name), { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
}

function cacheError(cause: unknown, { folder, bytes }: { folder: string; bytes: number }): unknown {
  const code = systemCode(cause);
  if (code === undefined) return cause;
  const size = `${Math.ceil(bytes / 1e6)} MB`;
  const remedy = "set WEFT_CACHE to another folder";
  const facts = { folder, system: code };
  if (code === "ENOSPC" || code === "EDQUOT") {
    const text = `no space left in ${folder} for the converted weights (${size}); free some or ${remedy}`;
    return new NodeError("DISK_FULL", text, facts, { cause });
  }
  const text = `cannot keep the converted weights (${size}) in ${folder}: the system says ${code}; ${remedy}`;
  return new NodeError("DATA_DIRECTORY", text, facts, { cause });
}
