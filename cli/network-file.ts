/** A network's manifest as a file, and the copy that a peer keeps in its data directory. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { dataDirectoryLayout } from "../node/config.ts";
import { NodeError } from "../node/errors.ts";
import { ensureFolder, writeFileAtomic } from "../node/system/atomic-file.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { manifestDifference, type NetworkManifest, parseManifest } from "../protocol/network-manifest.ts";

/** The manifest in a file.  Throws: NodeError MANIFEST_INVALID, naming the file and what is wrong with it. */
export async function readNetwork(file: string): Promise<NetworkManifest> {
  const manifest = await readNetworkIfThere(file);
  if (manifest !== undefined) return manifest;
  const todo = "make one with weft network create, or get it from somebody in the network";
  throw new NodeError("MANIFEST_INVALID", `no network manifest ${file}; ${todo}`, { file });
}

/** The bytes of a manifest's file, for people to read and pass on. */
export function networkText(manifest: NetworkManifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** Write a manifest's file.  Throws: NodeError DATA_DIRECTORY, DISK_FULL. */
export async function writeNetwork(file: string, manifest: NetworkManifest): Promise<void> {
  await writeFileAtomic(file, new TextEncoder().encode(networkText(manifest)));
}

/**
 * The network of a data directory: that of `file`, or the copy that the directory keeps. Nothing is written.
 * Throws: NodeError MANIFEST_INVALID (there is none, or it is wrong), MANIFEST_MISMATCH (the directory belongs to another).
 */
export async function networkOf(file: string | undefined, dataDirectory: string): Promise<NetworkManifest> {
  if (file !== undefined) {
    const manifest = await readNetwork(resolve(file));
    await isKept(manifest, dataDirectory, file);
    return manifest;
  }
  const kept = await readNetworkIfThere(dataDirectoryLayout(dataDirectory).network);
  if (kept) return kept;
  const text = `${dataDirectory} belongs to no network yet; give --network FILE, made by weft network create`;
  throw new NodeError("MANIFEST_INVALID", text, { dataDirectory });
}

/**
 * Keep a copy of the manifest in the data directory, which belongs to this network from then on.
 * Throws: NodeError MANIFEST_MISMATCH (it belongs to another already), DATA_DIRECTORY, DISK_FULL.
 */
export async function keepNetwork(manifest: NetworkManifest, dataDirectory: string): Promise<void> {
  if (await isKept(manifest, dataDirectory, "the one to join")) return;
  await ensureFolder(dataDirectory, { mode: 0o700 });
  await writeNetwork(dataDirectoryLayout(dataDirectory).network, manifest);
}

/** Whether the directory has a copy of this very network; `source` is what to call it where there is another. */
async function isKept(manifest: NetworkManifest, dataDirectory: string, source: string): Promise<boolean> {
  const kept = await readNetworkIfThere(dataDirectoryLayout(dataDirectory).network);
  if (kept === undefined) return false;
  const difference = manifestDifference(kept, manifest);
  if (difference === undefined) return true;
  const { path, a, b } = difference;
  const text = `${dataDirectory} belongs to another network: ${path} is ${a} there and ${b} in ${source}; choose another --data-dir`;
  throw new NodeError("MANIFEST_MISMATCH", text, { path });
}

async function readNetworkIfThere(file: string): Promise<NetworkManifest | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    const todo = "name a readable file";
    throw new NodeError("MANIFEST_INVALID", `cannot read ${file} (${code}); ${todo}`, { file }, { cause });
  }
  try {
    return parseManifest(text);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new NodeError("MANIFEST_INVALID", `${file}: ${cause.message}`, { file, ...cause.facts }, { cause });
  }
}
