/** A network as a file (a manifest, or a genesis where there is a roster), and the copy in a peer's data directory. */
import { counted } from "../../protocol/counted.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { createGenesis, type Genesis, genesisStatus, parseGenesis } from "../../protocol/membership/genesis.ts";
import { rosterSettings } from "../../protocol/membership/settings.ts";
import { manifestDifference, type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { NodeError } from "../errors.ts";
import { absolutePath } from "../system/files/absolute-path.ts";
import { ensureFolder, readIfThere, writeFileAtomic } from "../system/files/atomic-file.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";

/**
 * The network in a file, in either form; every signature in it is verified, too few of them are no error here.
 * Throws: NodeError MANIFEST_INVALID, naming the file and what is wrong with it.
 */
export async function readNetwork(file: string): Promise<Genesis> {
  const genesis = await readNetworkIfThere(file);
  if (genesis !== undefined) return genesis;
  throw new NodeError("MANIFEST_INVALID", `no network manifest ${file}`, { file, problem: "manifest-missing" });
}

/**
 * The bytes of a network's file, for people to read and pass on: of an open network the manifest alone, and of one that goes
 * on after another, whose roster agrees to it instead of founders.
 */
export function networkText(genesis: Genesis): string {
  const value = isSignedByFounders(genesis) ? genesis : genesis.manifest;
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** Write a network's file.  Throws: NodeError DATA_DIRECTORY, DISK_FULL. */
export async function writeNetwork(file: string, genesis: Genesis): Promise<void> {
  await writeFileAtomic(file, new TextEncoder().encode(networkText(genesis)));
}

/** A network as programs give it: its file, or what such a file holds. */
export type GivenNetwork = string | NetworkManifest | Genesis;

/**
 * The network of a data directory: the given one, or the copy that the directory keeps. Nothing is written.
 * Throws: NodeError MANIFEST_INVALID (there is none, it is wrong, or founders have yet to sign it), MANIFEST_MISMATCH
 * (the directory belongs to another).
 */
export async function networkOf(given: GivenNetwork | undefined, dataDirectory: string): Promise<Genesis> {
  if (given !== undefined) {
    const isFile = typeof given === "string";
    const genesis = isFile ? await readNetwork(absolutePath(given)) : genesisOf(given);
    requireSigned(genesis, isFile ? absolutePath(given) : GIVEN);
    const kept = await keptNetwork(dataDirectory);
    // The network has gone on since that file was written.
    if (kept !== undefined && follows(kept, genesis)) return kept;
    if (kept === undefined || !follows(genesis, kept)) await isKept(genesis, dataDirectory, isFile ? given : GIVEN);
    return genesis;
  }
  const { network } = dataDirectoryLayout(dataDirectory);
  const kept = await readNetworkIfThere(network);
  if (kept) {
    requireSigned(kept, network);
    return kept;
  }
  const text = `${dataDirectory} belongs to no network yet`;
  throw new NodeError("MANIFEST_INVALID", text, { dataDirectory, problem: "network-not-given" });
}

/** What to call a network that was given without a file. */
const GIVEN = "the given network";

const genesisOf = (given: NetworkManifest | Genesis): Genesis => ("manifest" in given ? given : createGenesis(given));

/**
 * Keep a copy of the network in the data directory, which belongs to it from then on.
 * Throws: NodeError MANIFEST_MISMATCH (it belongs to another already), DATA_DIRECTORY, DISK_FULL.
 */
export async function keepNetwork(genesis: Genesis, dataDirectory: string): Promise<void> {
  if (await isKept(genesis, dataDirectory, "the one to join")) return;
  await ensureFolder(dataDirectory, { mode: 0o700 });
  await writeNetwork(dataDirectoryLayout(dataDirectory).network, genesis);
}

/** The network that a data directory keeps; undefined when it belongs to none.  Throws: NodeError MANIFEST_INVALID. */
export function keptNetwork(dataDirectory: string): Promise<Genesis | undefined> {
  return readNetworkIfThere(dataDirectoryLayout(dataDirectory).network);
}

/** Whether the directory has a copy of this very network; `source` is what to call it where there is another. */
async function isKept({ manifest }: Genesis, dataDirectory: string, source: string): Promise<boolean> {
  const kept = await keptNetwork(dataDirectory);
  if (kept === undefined) return false;
  const difference = manifestDifference(kept.manifest, manifest);
  if (difference === undefined) return true;
  const { path, a, b } = difference;
  const text = `${dataDirectory} belongs to another network: ${path} is ${short(a)} there and ${short(b)} in ${source}`;
  throw new NodeError("MANIFEST_MISMATCH", text, { path, problem: "another-network" });
}

/** Longer than any number, name or digest. */
const VALUE_CHARACTERS_MAX = 72;

/** A value of a manifest as a line has room for it. */
const short = (value: string): string =>
  value.length <= VALUE_CHARACTERS_MAX ? value : `${value.slice(0, VALUE_CHARACTERS_MAX)}…`;

/**
 * The genesis that the roster of a network begins with: the network's own, or of one that follows another the one that the
 * data directory has kept. undefined: membership is open.
 * Throws: NodeError MANIFEST_INVALID when it is not there.
 */
export async function rosterGenesis(genesis: Genesis, dataDirectory: string): Promise<Genesis | undefined> {
  if (rosterSettings(genesis.manifest) === undefined) return undefined;
  if (isSignedByFounders(genesis)) return genesis;
  const first = await readNetworkIfThere(dataDirectoryLayout(dataDirectory).genesis);
  if (first !== undefined) return first;
  const text = `${dataDirectory} lacks the genesis of the network before; join by an invite, or run under that one first`;
  throw new NodeError("MANIFEST_INVALID", text, { dataDirectory });
}

/** Whether one network is a successor of another, or of a successor of it. */
export function follows({ manifest: { succeeds } }: Genesis, { manifest: before }: Genesis): boolean {
  const id = networkId(before);
  return succeeds !== undefined && (succeeds.network === id || succeeds.first === id);
}

/** Whether it is founders' signatures that make a network valid. */
export function isSignedByFounders({ manifest }: Genesis): boolean {
  return rosterSettings(manifest) !== undefined && manifest.succeeds === undefined;
}

function requireSigned(genesis: Genesis, file: string): void {
  const { isValid, threshold, missing } = genesisStatus(genesis);
  if (isValid || !isSignedByFounders(genesis)) return;
  const text = `${file} is not signed by ${counted(threshold, "admin")} yet; it waits for ${missing.join(", ")}`;
  throw new NodeError("MANIFEST_INVALID", text, { file, threshold, missing, problem: "signatures-missing" });
}

async function readNetworkIfThere(file: string): Promise<Genesis | undefined> {
  const bytes = await readable(file);
  if (bytes === undefined) return undefined;
  try {
    return parseGenesis(new TextDecoder().decode(bytes), createNativeVerifier());
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new NodeError("MANIFEST_INVALID", `${file}: ${cause.message}`, { file, ...cause.facts }, { cause });
  }
}

async function readable(file: string): Promise<Uint8Array | undefined> {
  try {
    return await readIfThere(file);
  } catch (cause) {
    if (!(cause instanceof NodeError)) throw cause;
    const todo = "name a readable file";
    throw new NodeError(
      "MANIFEST_INVALID",
      `cannot read ${file} (${cause.facts.system}); ${todo}`,
      { file },
      { cause },
    );
  }
}
