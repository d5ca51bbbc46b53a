/**
 * Checkpoints as numbered safetensors files: vectors as tensors, the JSON value and a SHA-256 over both as metadata.
 * The two newest stay. A file appears under its name only when it is whole, so a kill at any moment leaves the last
 * checkpoint; one that the disk has damaged since is told by its checksum and the one before it is used.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { NodeError } from "../../errors.ts";
import type { Checkpoint, Checkpoints } from "../../interface/checkpoint.ts";
import type { Logger } from "../../interface/logger.ts";
import { readSafetensors, toFloat32, writeSafetensors } from "../../model/safetensors.ts";
import { ensureFolder, fileError, systemCode, writeFileAtomic } from "./atomic-file.ts";

/** The newest checkpoint and the one before it. */
const CHECKPOINTS_KEPT = 2;
const SCHEMA = "weft-checkpoint/1";
const NAME = /^checkpoint-(\d{1,15})\.safetensors$/;

/** The checkpoints in `folder`, which is created when it is absent. One process at a time. */
export function createCheckpointFiles(
  { logger }: { readonly logger: Logger },
  { folder }: { readonly folder: string },
): Checkpoints {
  return {
    load: async () => {
      const damaged: { readonly path: string; readonly error: unknown }[] = [];
      for (const number of await numbers(folder)) {
        const path = pathOf(folder, number);
        try {
          const checkpoint = decodeCheckpoint(await readFile(path), path);
          await setAside(folder, damaged, logger);
          return checkpoint;
        } catch (cause) {
          const error = fileError(cause, path);
          if (!isDamage(error)) throw error;
          damaged.push({ path, error });
        }
      }
      if (damaged.length === 0) return undefined;
      const text = `no checkpoint in ${folder} is whole; move that folder away to start from the first round`;
      throw new NodeError("CHECKPOINT_CORRUPT", text, { folder }, { cause: damaged[0]?.error });
    },
    save: async (checkpoint) => {
      await ensureFolder(folder, { mode: 0o700 });
      const present = await numbers(folder);
      const number = (present[0] ?? 0) + 1;
      await writeFileAtomic(pathOf(folder, number), encodeCheckpoint(checkpoint), { mode: 0o600 });
      for (const old of present.slice(CHECKPOINTS_KEPT - 1)) await rm(pathOf(folder, old), { force: true });
    },
  };
}

/** One file's bytes. */
export function encodeCheckpoint({ vectors, state }: Checkpoint): Uint8Array {
  const json = JSON.stringify(state);
  const tensors = [...vectors].map(([name, data]) => ({ name, shape: [data.length], data }));
  return writeSafetensors(tensors, { schema: SCHEMA, state: json, sha256: checksum(vectors, json) });
}

/** The opposite of `encodeCheckpoint`.  Throws: SAFETENSORS_INVALID, CHECKPOINT_CORRUPT. */
export function decodeCheckpoint(bytes: Uint8Array, path: string): Checkpoint {
  const { tensors, metadata } = readSafetensors(bytes, { name: path });
  if (metadata.schema !== SCHEMA) throw corrupt(path, `its schema is not ${SCHEMA}`);
  const vectors = new Map([...tensors].map(([name, tensor]) => [name, toFloat32(tensor)]));
  const json = metadata.state ?? "";
  if (checksum(vectors, json) !== metadata.sha256) throw corrupt(path, "its checksum does not match");
  return { vectors, state: JSON.parse(json) };
}

function checksum(vectors: ReadonlyMap<string, Float32Array>, json: string): string {
  const hash = createHash("sha256");
  // Names and lengths first, as JSON, so that no two different checkpoints hash the same bytes.
  const sorted = [...vectors].sort(([a], [b]) => (a < b ? -1 : 1));
  hash.update(JSON.stringify([sorted.map(([name, data]) => [name, data.length]), json]));
  for (const [, data] of sorted) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex");
}

const corrupt = (path: string, what: string): NodeError =>
  new NodeError("CHECKPOINT_CORRUPT", `${path}: ${what}`, { path });

const isDamage = (error: unknown): boolean =>
  error instanceof NodeError && (error.code === "CHECKPOINT_CORRUPT" || error.code === "SAFETENSORS_INVALID");

/** Damaged files newer than the one in use: kept under another name, so that they count neither now nor later. */
async function setAside(
  folder: string,
  damaged: readonly { readonly path: string; readonly error: unknown }[],
  logger: Logger,
): Promise<void> {
  for (const { path, error } of damaged) {
    logger.warn("checkpoint is damaged, going on from the one before it", {
      path,
      reason: error instanceof Error ? error.message : String(error),
    });
    try {
      await rename(path, join(folder, "damaged.safetensors"));
    } catch (cause) {
      throw fileError(cause, path);
    }
  }
}

const pathOf = (folder: string, number: number): string =>
  join(folder, `checkpoint-${String(number).padStart(6, "0")}.safetensors`);

/** Numbers of the checkpoints in a folder, newest first. */
async function numbers(folder: string): Promise<number[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return [];
    throw fileError(cause, folder);
  }
  const found = names.map((name) => NAME.exec(name)?.[1]).filter((digits) => digits !== undefined);
  return found.map(Number).sort((a, b) => b - a);
}
