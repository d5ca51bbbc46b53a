/**
 * Writes one file of golden vectors to standard output, from fixed seeds:
 * `node protocol/vectors/generate.ts updates > protocol/vectors/updates.json`.
 * Vectors that were published never change; a new version of the wire adds new ones.
 */
import { addressesVectors } from "./addresses-vectors.ts";
import { conversationVectors } from "./conversation-vectors.ts";
import { decodedVectors, handshakeVectors, manifestVectors, peerVectors } from "./decoded-vectors.ts";
import { featuresVectors } from "./features-vectors.ts";
import { announcementVectors, updateVectors } from "./judged-vectors.ts";
import { membershipVectors } from "./membership-vectors.ts";
import { payloadVectors } from "./payload-vectors.ts";
import { sketchVectors } from "./sketch-vectors.ts";

/** The files of this folder, by name without `.json`. */
export const VECTOR_FILES: Readonly<Record<string, () => readonly unknown[]>> = {
  addresses: addressesVectors,
  announcements: announcementVectors,
  conversations: conversationVectors,
  decoded: decodedVectors,
  features: featuresVectors,
  handshakes: handshakeVectors,
  manifests: manifestVectors,
  membership: membershipVectors,
  payloads: payloadVectors,
  peers: peerVectors,
  sketches: sketchVectors,
  updates: updateVectors,
};

/** The text of one file.  Throws: RangeError when there is no such file. */
export function vectorFile(name: string): string {
  const vectors = VECTOR_FILES[name];
  if (vectors === undefined)
    throw new RangeError(`no vectors of that name; there are ${Object.keys(VECTOR_FILES).join(", ")}`);
  return `${JSON.stringify(vectors(), null, 1)}\n`;
}

if (import.meta.main) process.stdout.write(vectorFile(process.argv[2] ?? ""));
