/**
 * A membership certificate: the entry that makes a peer a member. The member shows it to peers that may not have heard of
 * it. It names the subject, the role, the network and the interval, and admins have signed it. The roster goes before it.
 */
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { PeerId } from "../peer-id.ts";
import { decodeEntry, type Entry, encodeEntry, isGrant, missingSigners, type Terms, wrongSigner } from "./entry.ts";
import type { RosterLog } from "./roster-log.ts";
import { type RosterState, roleOf } from "./roster-state.ts";
import { isWithin } from "./roster-view.ts";
import { type VerifySignature, verifyStrictly } from "./signatures.ts";

/** Clauses of README.md, 10.6, in the order in which they are looked at. */
export type CertificateRefusal =
  | "MALFORMED"
  | "NOT_A_GRANT"
  | "NETWORK_MISMATCH"
  | "WRONG_PEER"
  | "BARRED"
  | "REMOVED"
  | "LOST"
  | "NOT_YET"
  | "EXPIRED"
  | "BELOW_THRESHOLD"
  | "SIGNATURE_INVALID";

/** The verdict on a certificate. */
export type CertificateJudgement =
  | { readonly isAccepted: true; readonly terms: Terms; readonly entry: Entry }
  | { readonly isAccepted: false; readonly code: CertificateRefusal };

/** The certificate of a member; undefined for a founder, whom the genesis names, and for a peer that is no member. */
export function certificateOf(log: RosterLog, peer: PeerId): Uint8Array | undefined {
  const grant = log.state().members.get(peer)?.grant;
  const entry = grant === undefined ? undefined : log.get(grant);
  return entry && encodeEntry(entry);
}

/** Everything that a peer knows when it judges a certificate. */
export interface CertificateContext {
  readonly state: RosterState;
  /** The peer that shows the certificate, as the connection has authenticated it. */
  readonly peer: PeerId;
  /** Seconds since 1970. */
  readonly nowSeconds: number;
  /** RosterLog.usesOf: other peers that an invite has admitted; unknown when absent. */
  readonly usesOf?: (invite: string, subject: PeerId) => number;
  readonly verify?: VerifySignature;
}

/** Whether a certificate makes its bearer a member, as far as this roster has heard.  Throws: nothing. */
export function judgeCertificate(bytes: Uint8Array, context: CertificateContext): CertificateJudgement {
  const { state, peer, nowSeconds, usesOf, verify = verifyStrictly } = context;
  let entry: Entry;
  try {
    entry = decodeEntry(bytes);
  } catch (error) {
    if (error instanceof ProtocolError) return refused("MALFORMED");
    throw error;
  }
  const { statement } = entry;
  if (!isGrant(statement)) return refused("NOT_A_GRANT");
  if (entry.networkId !== state.networkId) return refused("NETWORK_MISMATCH");
  if (statement.subject !== peer) return refused("WRONG_PEER");
  if (state.barred.has(peer)) return refused("BARRED");
  if (state.removed.has(peer)) return refused("REMOVED");
  if (isLost(entry, state, usesOf)) return refused("LOST");
  // The roster may know of a later promotion or an earlier end; a certificate cannot bring the earlier terms back.
  const terms: Terms = state.members.get(peer) ?? statement;
  if (!isWithin(terms, nowSeconds)) return refused(nowSeconds > terms.notAfter ? "EXPIRED" : "NOT_YET");
  if (entry.issuedAt > nowSeconds + LIMITS.clockSkewSeconds) return refused("NOT_YET");
  const admins = entry.signers.filter((signer) => roleOf(state, signer, nowSeconds) === "admin");
  const isWhole =
    missingSigners(entry).length === 0 && statement.notAfter - statement.notBefore <= state.policy.certificateSeconds;
  if (!isWhole || admins.length < state.policy.threshold) return refused("BELOW_THRESHOLD");
  if (wrongSigner(entry, verify) !== undefined) return refused("SIGNATURE_INVALID");
  return { isAccepted: true, terms, entry };
}

/** Whether the entry does not count by the entries of the roster: by itself there, or by one that it would have to outrank. */
function isLost({ id, statement }: Entry, state: RosterState, usesOf: CertificateContext["usesOf"]): boolean {
  if (state.lost.some((lost) => lost.id === id)) return true;
  if (statement.kind === "rotate") {
    const { replaces } = statement;
    return state.barred.has(replaces) || (state.removed.has(replaces) && state.removed.get(replaces)?.entry !== id);
  }
  if (statement.kind !== "admit" || statement.invite === undefined || usesOf === undefined) return false;
  return usesOf(statement.invite.key, statement.subject) >= statement.invite.uses;
}

const refused = (code: CertificateRefusal): CertificateJudgement => ({ isAccepted: false, code });
