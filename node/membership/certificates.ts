/** What is shown of memberships in a handshake: what this peer shows of its own, and what becomes of what others show. */
import { ProtocolError } from "../../protocol/errors.ts";
import type { ShownJudgement, ShownMembership } from "../../protocol/handshake.ts";
import { LIMITS } from "../../protocol/limits.ts";
import {
  type CertificateJudgement,
  type CertificateRefusal,
  certificateOf,
  judgeCertificate,
} from "../../protocol/membership/certificate.ts";
import { decodeEntry, type EntryId, encodeEntry } from "../../protocol/membership/entry.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { MemberStatus, Membership } from "../interface/membership.ts";
import type { Store } from "../interface/store.ts";
import type { RosterStore } from "./roster-store.ts";
import type { Statuses } from "./status.ts";

/** What judging and showing certificates needs. */
export interface CertificateDependencies {
  readonly store: Store;
  readonly roster: RosterStore;
  readonly statuses: Statuses;
  readonly clock: Pick<Clock, "now">;
  readonly verify: VerifySignature;
  readonly self: PeerId;
}

/** Key of the store: the certificate that this peer was admitted with; its roster may not have the entry yet. */
export const CERTIFICATE_KEY = "roster/certificate";

/** The certificate of this peer, and the judge of all others. */
export class Certificates implements Pick<Membership, "judgeShown" | "shown"> {
  readonly #dependencies: CertificateDependencies;
  #own: Uint8Array | undefined;

  constructor(dependencies: CertificateDependencies) {
    this.#dependencies = dependencies;
  }

  /** Read this peer's own from the disk.  Throws: NodeError STORE_FAILED. */
  async load(): Promise<void> {
    const { store, self } = this.#dependencies;
    this.#own = await store.get(CERTIFICATE_KEY);
    if (this.#own !== undefined) this.#take(self, this.#own);
  }

  /** What becomes of a peer that greets; what it shows is remembered where it proves something. */
  judgeShown(peer: PeerId, { certificate, entries }: ShownMembership): ShownJudgement {
    const { roster, statuses } = this.#dependencies;
    const status = statuses.statusOf(peer);
    if (status === "member") return "WELCOME";
    if (certificate.length === 0) return refusalOf(status);
    for (const entry of entries) {
      const { outcome } = roster.add(entry);
      // Whoever sends one wrong entry, or one before those that it follows, is not read to the end.
      if (outcome === "refused" || outcome === "pending") break;
    }
    if (statuses.roleOf(peer) !== undefined) return "WELCOME";
    if (statuses.statusOf(peer) === "removed") return "REMOVED";
    const judged = this.#take(peer, certificate);
    if (judged === "WELCOME") return refusalOf(statuses.statusOf(peer));
    // It may rest on entries that have not come here, once.
    const id = entryOf(certificate);
    const isNew = id !== undefined && roster.log.get(id) === undefined;
    return isNew && entries.length === 0 ? "ROSTER" : judged;
  }

  /** What this peer shows. To somebody with these heads: also what its certificate rests on and they do not hold. */
  shown(known?: readonly EntryId[]): ShownMembership {
    const { roster, self } = this.#dependencies;
    const { log } = roster;
    const certificate = certificateOf(log, self) ?? this.#own ?? new Uint8Array();
    const entries = known === undefined || certificate.length === 0 ? [] : restOf(log, certificate, known);
    return { heads: log.nextParents(), certificate, entries };
  }

  /** Offer a certificate to the roster; where the roster cannot decide yet, remember it if it holds, else say why not. */
  #take(peer: PeerId, certificate: Uint8Array): ShownJudgement {
    const { roster, statuses, verify } = this.#dependencies;
    const judged = this.#judge(peer, certificate, verify);
    if (!judged.isAccepted) return refusedAs(judged.code);
    const { outcome, ...result } = roster.add(certificate);
    // It is in the roster now, or the roster will never take it: what the roster says then holds.
    const isFull = "code" in result && result.code === "FULL";
    if (outcome !== "pending" && !isFull) return outcome === "refused" ? "NOT_A_MEMBER" : "WELCOME";
    if (roster.log.state().members.has(peer)) return "WELCOME";
    const { entry, terms } = judged;
    const stillHolds = (): boolean => {
      // Its signatures were looked at, and are not looked at again with every change of the roster.
      const again = this.#judge(peer, certificate, () => true);
      const isTimely = again.isAccepted || again.code === "NOT_YET" || again.code === "EXPIRED";
      if (!isTimely || isFull) return isTimely;
      // An entry that waits no more has been refused, unless it had to make room for others that wait.
      return roster.log.isWaiting(entry.id) || roster.add(certificate).outcome === "pending";
    };
    statuses.remember(peer, { terms, entry: entry.id, stillHolds });
    return "WELCOME";
  }

  #judge(peer: PeerId, certificate: Uint8Array, verify: VerifySignature): CertificateJudgement {
    const { roster, clock } = this.#dependencies;
    const { log } = roster;
    const nowSeconds = Math.floor(clock.now() / 1000);
    const usesOf = (invite: string, subject: PeerId): number => log.usesOf(invite, subject);
    return judgeCertificate(certificate, { state: log.state(), peer, nowSeconds, usesOf, verify });
  }
}

function refusedAs(code: CertificateRefusal): ShownJudgement {
  switch (code) {
    case "BARRED":
    case "REMOVED":
      return "REMOVED";
    case "EXPIRED":
      return "EXPIRED";
    default:
      return "NOT_A_MEMBER";
  }
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

function refusalOf(status: MemberStatus): ShownJudgement {
  switch (status) {
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
