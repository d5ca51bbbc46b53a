/**
 * The membership that a data directory holds, to be looked at and shown to neighbours. It works on a copy in memory, so that
 * nothing is written, and without what its admin has agreed to: an entry signed by an examination would be a second one
 * under the number that the peer itself uses next.
 */
import { counted } from "../../protocol/counted.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { decodeEntry, END_OF_TIME, isGrant, type Terms } from "../../protocol/membership/entry.ts";
import type { Genesis } from "../../protocol/membership/genesis.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Store } from "../interface/store.ts";
import { CERTIFICATE_KEY } from "../membership/certificates.ts";
import { PROOF_PREFIX } from "../membership/equivocation-proofs.ts";
import { createMembership, type MembershipDependencies, type RosterMembership } from "../membership/membership.ts";
import { nearness, quorumEndWords, quorumOf } from "../membership/quorum.ts";
import { ENTRY_PREFIX } from "../membership/roster-store.ts";
import { statusError } from "../membership/status.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { type Finding, problemOf } from "../system/platform/health.ts";

/** What a membership consists of, on disk. */
const COPIED = [ENTRY_PREFIX, PROOF_PREFIX, CERTIFICATE_KEY];
/** A membership that ends sooner is worth a warning: renewing it takes people. */
const WARNING_SECONDS = 7 * 86_400;
const DAY_SECONDS = 86_400;

/**
 * A membership that is neither started nor written; undefined in an open network.
 * `stored`: of a peer that does not run; undefined where it never has.
 * Throws: NodeError NOT_ALLOWED (a roster, and no genesis); ProtocolError GENESIS_INVALID; STORE_FAILED.
 */
export async function storedMembership(
  dependencies: Omit<MembershipDependencies, "store">,
  { manifest, genesis, stored }: { manifest: NetworkManifest; genesis: Genesis | undefined; stored: Store | undefined },
): Promise<RosterMembership | undefined> {
  if (manifest.membership?.kind !== "roster") return undefined;
  if (genesis === undefined) {
    const text = "the network has a roster, and the data directory lacks the genesis that it begins with";
    throw new NodeError("NOT_ALLOWED", text, { problem: "genesis-missing" });
  }
  return await createMembership({ ...dependencies, store: await copyOf(stored) }, { genesis, manifest });
}

async function copyOf(stored: Store | undefined): Promise<Store> {
  const copy = createMemoryStore();
  if (stored === undefined) return copy;
  for (const prefix of COPIED) {
    for await (const [key, value] of stored.entries(prefix)) await copy.batch([{ put: key, value }]);
  }
  return copy;
}

/** Whether this peer is a member, as what, and for how long. */
export function membershipFinding(
  membership: RosterMembership,
  { self, nowSeconds }: { readonly self: PeerId; readonly nowSeconds: number },
): Finding {
  const name = "membership";
  const role = membership.roleOf(self);
  const terms = termsOf(membership, self);
  if (role === undefined)
    return problemOf(name, statusError(membership.statusOf(self), self, membership.roster.log.state()));
  const { members, entryCount } = membership.roster.log.state();
  const notAfter = terms?.notAfter ?? END_OF_TIME;
  const until = notAfter === END_OF_TIME ? "without end" : `until ${dateOf(notAfter)}`;
  const text = `${role} ${until}, in a roster of ${counted(members.size, "member")} and ${counted(entryCount, "entry", "entries")}`;
  const secondsLeft = notAfter - nowSeconds;
  if (secondsLeft >= WARNING_SECONDS) return { name, state: "ok", text };
  const days = Math.max(0, Math.floor(secondsLeft / DAY_SECONDS));
  return {
    name,
    state: "warning",
    text: `${text}; ${counted(days, "day is", "days are")} left: ask an admin to renew it`,
  };
}

/** That too few admins are left to change the roster, or will be from a known time on; nothing where no such time is known. */
export function quorumFindings(membership: RosterMembership, nowSeconds: number): readonly Finding[] {
  const quorum = quorumOf(membership.roster.log.state(), nowSeconds);
  if (quorum.endsAt === undefined) return [];
  const text = quorumEndWords(quorum, nowSeconds);
  if (nearness(quorum.endsAt, nowSeconds) === 0) return [{ name: "admins", state: "ok", text }];
  return [{ name: "admins", state: "warning", text: `${text}; make others admins, or their memberships longer` }];
}

/** By the roster, or by the certificate that it does not have yet. */
function termsOf(membership: RosterMembership, self: PeerId): Terms | undefined {
  const known = membership.roster.log.state().members.get(self);
  if (known !== undefined) return known;
  try {
    const { statement } = decodeEntry(membership.shown().certificate);
    return isGrant(statement) ? statement : undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

const dateOf = (seconds: number): string =>
  `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
