/** What is shown of memberships in a handshake: what this peer shows of its own, and what becomes of what others show. */
import { ProtocolError } from "../../protocol/errors.ts";
import type { ShownJudgement, ShownMembership } from "../../protocol/handshake.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { certificateOf, judgeCertificate } from "../../protocol/membership/certificate.ts";
import { decodeEntry, type EntryId, encodeEntry } from "../../protocol/membership/entry.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { Membership, Standing } from "../interface/membership.ts";
import type { Store } from "../interface/store.ts";
import type { RosterStore } from "./roster-store.ts";
import type { Standings } from "./standings.ts";

export interface CertificateDependencies {
  readonly store: Store;
  readonly roster: RosterStore;
  readonly standings: Standings;
  readonly clock: Pick<Clock, "now">;
  readonly verify: VerifySignature;
  readonly self: PeerId;
  /** Where the store has the certificate that this peer was admitted with; its roster may not have the entry yet. */
  readonly certificateKey: string;
  /** Somebody has become a member for a time that nobody waits for yet. */
  readonly onRemembered: () => void;
}

export interface Certificates extends Pick<Membership, "judgeShown" | "shown"> {
  /** This peer's own, from the disk.  Throws: NodeError STORE_FAILED. */
  load(): Promise<void>;
}

export function createCertificates(dependencies: CertificateDependencies): Certificates {
  const { store, roster, standings, clock, verify, self, certificateKey } = dependencies;
  const { log } = roster;
  let own: Uint8Array | undefined;

  /** Remember the terms of a certificate that holds by what this roster knows; else say why not. */
  const rememberTerms = (peer: PeerId, certificate: Uint8Array): ShownJudgement => {
    const nowSeconds = Math.floor(clock.now() / 1000);
    const judged = judgeCertificate(certificate, { state: log.state(), peer, nowSeconds, verify });
    if (judged.isAccepted) {
      if (log.state().members.get(peer) === undefined) standings.remember(peer, judged.terms);
      // Its parents may be missing; then it waits, and is asked for with them after the handshake.
      roster.add(certificate);
      dependencies.onRemembered();
      return "WELCOME";
    }
    switch (judged.code) {
      case "BARRED":
      case "REMOVED":
        return "REMOVED";
      case "EXPIRED":
        return "EXPIRED";
      default:
        return "NOT_A_MEMBER";
    }
  };

  return {
    async load() {
      own = await store.get(certificateKey);
      if (own !== undefined) rememberTerms(self, own);
    },
    judgeShown(peer, { certificate, entries }) {
      const standing = standings.standingOf(peer);
      if (standing === "member") return "WELCOME";
      if (certificate.length === 0) return refusalOf(standing);
      for (const entry of entries) {
        const result = roster.add(entry);
        // Whoever sends one wrong entry is not read to the end.
        if (result.outcome === "refused") break;
      }
      if (standings.roleOf(peer) !== undefined) return "WELCOME";
      if (standings.standingOf(peer) === "removed") return "REMOVED";
      const judged = rememberTerms(peer, certificate);
      if (judged === "WELCOME") return refusalOf(standings.standingOf(peer));
      // It may rest on entries that have not come here, once.
      const id = entryOf(certificate);
      const isNew = id !== undefined && log.get(id) === undefined;
      return isNew && entries.length === 0 ? "ROSTER" : judged;
    },
    shown(known): ShownMembership {
      const certificate = certificateOf(log, self) ?? own ?? new Uint8Array();
      const entries = known === undefined || certificate.length === 0 ? [] : restOf(log, certificate, known);
      return { heads: log.nextParents(), certificate, entries };
    },
  };
}

function entryOf(certificate: Uint8Array): EntryId | undefined {
  try {
    return decodeEntry(certificate).id;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** Entries that a certificate rests on and that somebody with these heads lacks, parents first, as many as are read. */
function restOf(log: RosterLog, certificate: Uint8Array, known: readonly EntryId[]): readonly Uint8Array[] {
  const held = pastOf(log, known);
  const needed = pastOf(log, [decodeEntry(certificate).id]);
  let room = LIMITS.rosterMessageBytesMax;
  const bytes: Uint8Array[] = [];
  for (const entry of log.entries()) {
    if (!needed.has(entry.id) || held.has(entry.id)) continue;
    const encoded = encodeEntry(entry);
    room -= encoded.length;
    if (room < 0) break;
    bytes.push(encoded);
  }
  return bytes;
}

/** These entries and all that they follow, as far as they are here. */
function pastOf(log: RosterLog, ids: readonly EntryId[]): ReadonlySet<EntryId> {
  const seen = new Set<EntryId>();
  const open = [...ids];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    open.push(...(log.get(next)?.parents ?? []));
  }
  return seen;
}

function refusalOf(standing: Standing): ShownJudgement {
  switch (standing) {
    case "member":
      return "WELCOME";
    case "stranger":
    case "early":
      return "NOT_A_MEMBER";
    case "expired":
      return "EXPIRED";
    case "removed":
      return "REMOVED";
  }
}
