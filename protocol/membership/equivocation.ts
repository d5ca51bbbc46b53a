/**
 * Proof that somebody signed two different things under one number: two announcements of updates, or two roster entries.
 * Its holder can show it to anybody; nobody needs to trust the holder.
 */
import { type Announcement, readAnnouncement } from "../announcement.ts";
import { decodeCanonical, encodeCanonical } from "../canonical-message.ts";
import { contentIdOf } from "../content-id.ts";
import { openEnvelope, signedBytes } from "../envelope.ts";
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { NetworkId } from "../network-id.ts";
import type { PeerId } from "../peer-id.ts";
import { decodeEntry, type Entry, encodeEntry, missingSigners, wrongSigner } from "./entry.ts";
import { EquivocationProofSchema } from "./membership_pb.ts";
import { type VerifySignature, verifyStrictly } from "./signatures.ts";

/** The kind of two statements; on the wire the numbers 1 and 2. */
export type EquivocationKind = "announcement" | "roster-entry";

/** Two signed messages of one author that contradict each other. */
export interface Equivocation {
  readonly kind: EquivocationKind;
  readonly author: PeerId;
  readonly networkId: NetworkId;
  readonly sequence: number;
}

const KIND_NUMBERS: Readonly<Record<EquivocationKind, number>> = { announcement: 1, "roster-entry": 2 };

/**
 * A proof from the bytes of two statements; which one is first does not matter. Of entries the author's signatures alone
 * go into it.
 * Throws: as checkEquivocation, when the two prove nothing.
 */
export function createEquivocationProof(
  kind: EquivocationKind,
  statements: readonly [Uint8Array, Uint8Array],
  verify: VerifySignature = verifyStrictly,
): Uint8Array {
  const told =
    kind === "roster-entry" ? statements.map((bytes) => encodeEntry(byAuthor(decodeEntry(bytes)))) : statements;
  const [first, second] = told.toSorted((a, b) => (contentIdOf(a) < contentIdOf(b) ? -1 : 1));
  const bytes = encodeCanonical(EquivocationProofSchema, { kind: KIND_NUMBERS[kind], first: first!, second: second! });
  checkEquivocation(bytes, verify);
  return bytes;
}

/**
 * The author that equivocated, by a proof from anybody. The caller compares the network id with its own. Announcements have
 * the network's id, entries the roster's.
 * Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, WRONG_KIND, FIELD_INVALID (no equivocation), SIGNATURE_INVALID.
 */
export function checkEquivocation(bytes: Uint8Array, verify: VerifySignature = verifyStrictly): Equivocation {
  const proof = decodeCanonical(EquivocationProofSchema, bytes, LIMITS.equivocationProofBytesMax);
  if (contentIdOf(proof.first) >= contentIdOf(proof.second)) throw invalid("its statements are not in rising order");
  switch (proof.kind) {
    case KIND_NUMBERS.announcement:
      return ofAnnouncements(proof.first, proof.second, verify);
    case KIND_NUMBERS["roster-entry"]:
      return ofEntries(proof.first, proof.second, verify);
    default:
      throw invalid(`kind ${proof.kind} is not known`);
  }
}

function ofAnnouncements(first: Uint8Array, second: Uint8Array, verify: VerifySignature): Equivocation {
  const [a, b] = [readAnnouncement(first), readAnnouncement(second)];
  const { author, networkId, sequence } = sameNumber(a, b);
  if (a.contentId === b.contentId) throw invalid("both announcements are of one update");
  for (const bytes of [first, second]) {
    const { publicKey, body, signature } = openEnvelope("announcement", bytes);
    if (!verify(publicKey, signedBytes("announcement", body), signature)) throw wrongSignature();
  }
  return { kind: "announcement", author, networkId, sequence };
}

function ofEntries(first: Uint8Array, second: Uint8Array, verify: VerifySignature): Equivocation {
  const [a, b] = [decodeEntry(first), decodeEntry(second)];
  const { author, networkId, sequence } = sameNumber(a, b);
  if (a.id === b.id) throw invalid("both entries are the same");
  for (const entry of [a, b]) {
    // The other signers may have been fooled, and the bringer of a proof could put anything in their places.
    if (missingSigners(entry).length !== entry.signers.length - 1) throw invalid("it has signatures of others");
    const at = entry.signers.indexOf(entry.author);
    if (entry.signatures[at]!.length === 0 || wrongSigner(entry, verify) !== undefined) throw wrongSignature();
  }
  return { kind: "roster-entry", author, networkId, sequence };
}

/** An entry with its author's signature alone. */
function byAuthor(entry: Entry): Entry {
  const { author, signers, signatures } = entry;
  return { ...entry, signatures: signatures.map((one, i) => (signers[i] === author ? one : new Uint8Array(0))) };
}

function sameNumber<T extends Pick<Announcement | Entry, "author" | "networkId" | "sequence">>(a: T, b: T): T {
  if (a.author !== b.author || a.networkId !== b.networkId || a.sequence !== b.sequence) {
    throw invalid("its statements are of different authors, networks or numbers");
  }
  return a;
}

const invalid = (text: string) => new ProtocolError("FIELD_INVALID", `equivocation proof: ${text}`);
const wrongSignature = () =>
  new ProtocolError("SIGNATURE_INVALID", "equivocation proof: a statement is not signed by its author");
