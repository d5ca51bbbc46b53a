/**
 * The genesis of a network with a roster: its manifest and the signatures of its founders. It is valid when as many
 * founders with the role admin have signed the network id as the manifest's threshold says.
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import canonicalize from "canonicalize";
import type { Signer } from "../envelope.ts";
import { ProtocolError } from "../errors.ts";
import { jsonFlaw } from "../json-names.ts";
import { LIMITS } from "../limits.ts";
import { type NetworkId, networkIdToBytes, parseNetworkId } from "../network-id.ts";
import { manifestDifference, type NetworkManifest, networkId, parseManifest } from "../network-manifest.ts";
import { type PeerId, publicKeyOfPeerId } from "../peer-id.ts";
import { rosterSettings } from "./settings.ts";
import { domainBytes, signStatement, type VerifySignature, verifyStrictly } from "./signatures.ts";

/** The name of this version of the document. */
export const GENESIS_SCHEMA = "weft-genesis/1";

/** A founder's signature of the genesis. */
export interface GenesisSignature {
  readonly peer: string;
  /** 128 lower-case hexadecimal digits. */
  readonly signature: string;
}

/** The content of a network.json where membership is by roster; of an open network it is the manifest alone. */
export interface Genesis {
  readonly schema: typeof GENESIS_SCHEMA;
  readonly manifest: NetworkManifest;
  /** In rising order of peer ids, one of each founder at most. */
  readonly signatures: readonly GenesisSignature[];
}

/** The founders that have signed, and whether they are enough. */
export interface GenesisStatus {
  readonly networkId: NetworkId;
  readonly signed: readonly PeerId[];
  /** Founders with the role admin who have not signed. */
  readonly missing: readonly PeerId[];
  readonly threshold: number;
  readonly isValid: boolean;
}

/** The network id that roster entries, certificates and invites are signed for: that of the first manifest. */
export function rosterIdOf(manifest: NetworkManifest): NetworkId {
  return manifest.succeeds === undefined ? networkId(manifest) : parseNetworkId(manifest.succeeds.first);
}

/** A genesis that nobody has signed yet. */
export function createGenesis(manifest: NetworkManifest): Genesis {
  return { schema: GENESIS_SCHEMA, manifest, signatures: [] };
}

/** The genesis with one more signature (of a founder; signing twice changes nothing).  Throws: GENESIS_INVALID. */
export function signGenesis(genesis: Genesis, signer: Signer): Genesis {
  const founders = rosterSettings(genesis.manifest)?.founders ?? [];
  if (!founders.some(({ peer }) => peer === signer.peer)) {
    throw refused(`${signer.peer} is not among the founders, so its signature means nothing here`);
  }
  const { signature } = signStatement("genesis", networkIdToBytes(networkId(genesis.manifest)), signer);
  const others = genesis.signatures.filter(({ peer }) => peer !== signer.peer);
  const signatures = [...others, { peer: signer.peer, signature: bytesToHex(signature) }];
  return { ...genesis, signatures: signatures.sort((a, b) => (a.peer < b.peer ? -1 : 1)) };
}

/** The genesis with the signatures of both.  Throws: GENESIS_INVALID when they are not of the same manifest. */
export function mergeGenesis(a: Genesis, b: Genesis): Genesis {
  const difference = manifestDifference(a.manifest, b.manifest);
  if (difference !== undefined) {
    const text = `the two are not of the same network: ${difference.path} is ${difference.a} in one and ${difference.b} in the other`;
    throw refused(text, { path: difference.path });
  }
  const others = b.signatures.filter(({ peer }) => a.signatures.every((one) => one.peer !== peer));
  const signatures = [...a.signatures, ...others].sort((one, two) => (one.peer < two.peer ? -1 : 1));
  return { ...a, signatures };
}

/**
 * A genesis, or the manifest alone, from the text of a file or an already parsed value. Every signature in it is verified;
 * too few of them are no error here, see genesisStatus.
 * Throws: GENESIS_INVALID, MANIFEST_INVALID, SIGNATURE_INVALID, TOO_LARGE.
 */
export function parseGenesis(source: unknown, verify: VerifySignature = verifyStrictly): Genesis {
  const value = typeof source === "string" ? parseJson(source) : source;
  if (!isRecord(value) || value.schema !== GENESIS_SCHEMA) return createGenesis(parseManifest(value));
  const { schema, manifest: text, signatures, ...others } = value;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw refused(`${printable(unknown)} is not a field of a genesis`);
  const manifest = parseManifest(text);
  const genesis: Genesis = { schema: GENESIS_SCHEMA, manifest, signatures: parseSignatures(signatures) };
  checkGenesisSignatures(genesis, verify);
  return genesis;
}

/** A genesis from its canonical bytes on the wire.  Throws: as parseGenesis, NOT_CANONICAL, and too few signatures. */
export function genesisFromBytes(bytes: Uint8Array, verify: VerifySignature = verifyStrictly): Genesis {
  refuseAbove(bytes.length);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ProtocolError("GENESIS_INVALID", "genesis: not UTF-8", {}, { cause });
  }
  const genesis = parseGenesis(text, verify);
  if (canonicalize(genesis) !== text) {
    throw new ProtocolError("NOT_CANONICAL", "genesis: the bytes are not in canonical form (RFC 8785)");
  }
  requireValidGenesis(genesis);
  return genesis;
}

/** The genesis in canonical form (RFC 8785), UTF-8. */
export function canonicalGenesisBytes(genesis: Genesis): Uint8Array {
  return new TextEncoder().encode(canonicalize(genesis));
}

/** The founders that have signed. Signatures are not verified again. An open network needs none. */
export function genesisStatus({ manifest, signatures }: Genesis): GenesisStatus {
  const settings = rosterSettings(manifest);
  const signed = signatures.map(({ peer }) => peer as PeerId);
  const admins = (settings?.founders ?? []).filter(({ role }) => role === "admin").map(({ peer }) => peer as PeerId);
  const missing = admins.filter((peer) => !signed.includes(peer));
  const threshold = settings?.threshold ?? 0;
  return {
    networkId: networkId(manifest),
    signed,
    missing,
    threshold,
    isValid: admins.length - missing.length >= threshold,
  };
}

/** Throws: GENESIS_INVALID when fewer admins have signed than the threshold asks for. */
export function requireValidGenesis(genesis: Genesis): void {
  const { threshold, isValid, missing } = genesisStatus(genesis);
  if (isValid) return;
  const text = `fewer than ${threshold} admins have signed; it waits for ${missing.join(", ")}`;
  throw refused(text, { threshold, missing });
}

function parseSignatures(value: unknown): readonly GenesisSignature[] {
  if (!Array.isArray(value) || value.length > LIMITS.signatureCountMax) {
    throw refused(`signatures must be a list of at most ${LIMITS.signatureCountMax}`);
  }
  return value.map((one: unknown, i) => {
    const { peer, signature, ...others } = isRecord(one) ? one : {};
    const isWhole = typeof peer === "string" && typeof signature === "string" && Object.keys(others).length === 0;
    if (!isWhole || !/^[0-9a-f]{128}$/.test(signature)) {
      throw refused(`signatures[${i}] must be a peer and a signature of 128 lower-case hexadecimal digits`);
    }
    return { peer, signature };
  });
}

function checkGenesisSignatures({ manifest, signatures }: Genesis, verify: VerifySignature): void {
  const founders = new Set(rosterSettings(manifest)?.founders.map(({ peer }) => peer));
  const message = domainBytes("genesis", networkIdToBytes(networkId(manifest)));
  signatures.forEach(({ peer, signature }, i) => {
    if (!founders.has(peer)) throw refused(`signatures[${i}] is of a peer that is not among the founders`);
    if (i > 0 && signatures[i - 1]!.peer >= peer) throw refused("signatures must be in rising order of peers");
    if (!verify(publicKeyOfPeerId(peer), message, hexToBytes(signature))) {
      const text = `genesis: the signature of ${peer} is not over this manifest; one of the two was changed`;
      throw new ProtocolError("SIGNATURE_INVALID", text, { peer });
    }
  });
}

function parseJson(text: string): unknown {
  refuseAbove(text.length);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ProtocolError(
      "GENESIS_INVALID",
      `genesis: not JSON: ${printable((cause as Error).message)}`,
      {},
      { cause },
    );
  }
  const flaw = jsonFlaw(text);
  if (flaw?.kind === "twice") throw refused(`${printable(flaw.name)} stands twice in one object`);
  return value;
}

function refuseAbove(bytes: number): void {
  const bytesMax = LIMITS.genesisBytesMax;
  if (bytes > bytesMax) {
    throw new ProtocolError("TOO_LARGE", `genesis: ${bytes} bytes, at most ${bytesMax} are allowed`, {
      bytes,
      bytesMax,
    });
  }
}

const refused = (text: string, facts: Readonly<Record<string, unknown>> = {}) =>
  new ProtocolError("GENESIS_INVALID", `genesis: ${text}`, facts);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const printable = (text: string): string => text.slice(0, 80).replace(/[^ -~]+/g, "?");
