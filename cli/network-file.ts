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

/** Write a manifest for people to read and pass on.  Throws: NodeError DATA_DIRECTORY, DISK_FULL. */
export async function writeNetwork(file: string, manifest: NetworkManifest): Promise<void> {
  await writeFileAtomic(file, new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`));
}

/**
 * The network of a data directory: from `file`, which the directory then keeps a copy of, or from that copy.
 * Throws: NodeError MANIFEST_INVALID (there is none, or it is wrong), MANIFEST_MISMATCH (the directory belongs to another).
 */
export async function joinNetwork(file: string | undefined, dataDirectory: string): Promise<NetworkManifest> {
  const copy = dataDirectoryLayout(dataDirectory).network;
  const kept = await readNetworkIfThere(copy);
  if (file === undefined) {
    if (kept) return kept;
    const text = `${dataDirectory} belongs to no network yet; give --network FILE, made by weft network create`;
    throw new NodeError("MANIFEST_INVALID", text, { dataDirectory });
  }
  const manifest = await readNetwork(resolve(file));
  if (kept === undefined) {
    await ensureFolder(dataDirectory, { mode: 0o700 });
    await writeNetwork(copy, manifest);
    return manifest;
  }
  const difference = manifestDifference(kept, manifest);
  if (difference === undefined) return manifest;
  const { path, a, b } = difference;
  const text = `${dataDirectory} belongs to another network: ${path} is ${a} there and ${b} in ${file}; choose another --data-dir`;
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
