/** The members of a network with a roster, as far as one peer has heard: plain data, a function of the entries. */
import type { MessageKind } from "../envelope.ts";
import type { NetworkId } from "../network-id.ts";
import type { PeerId } from "../peer-id.ts";
import type { EntryId, EntryKind, RevokeReason } from "./entry.ts";
import { maySend, type Role } from "./roles.ts";
import { isWithin, type LossReason, type Standing } from "./roster-view.ts";
import type { MembershipPolicy } from "./settings.ts";

/** An entry that was signed as it should be and does not count. */
export interface LostEntry {
  readonly id: EntryId;
  readonly kind: EntryKind;
  readonly reason: LossReason;
}

/** How somebody stopped being a member. */
export interface Removal {
  readonly entry: EntryId;
  /** Why; "rotated" when another key took its place. */
  readonly reason: RevokeReason | "rotated";
  /** Of a rotation: the new key. */
  readonly successor: PeerId | undefined;
}

/** The agreed change to another manifest. */
export interface Succession {
  readonly entry: EntryId;
  /** Network id of the next manifest. */
  readonly network: NetworkId;
  /** First round that is trained under it. */
  readonly round: number;
}

/** The members of a roster, and what else its entries come to. */
export interface RosterState {
  /** Of the network's first manifest. */
  readonly networkId: NetworkId;
  readonly policy: MembershipPolicy;
  /** Everybody with a membership, expired ones and those that begin later among them: see isMember. */
  readonly members: ReadonlyMap<PeerId, Standing>;
  /** Everybody whose membership an entry ended and no later one renewed. */
  readonly removed: ReadonlyMap<PeerId, Removal>;
  /** Authors of two different things under one number, whom the policy bars. */
  readonly barred: ReadonlySet<PeerId>;
  /** The same whether or not the policy bars them. */
  readonly equivocators: ReadonlySet<PeerId>;
  readonly succession: Succession | undefined;
  /** It and those that count in its past, which it may rest on; in order, it last. */
  readonly successions: readonly Succession[];
  /** Entries that lost to others, in order. */
  readonly lost: readonly LostEntry[];
  /** Entries that no other one follows. */
  readonly heads: readonly EntryId[];
  readonly entryCount: number;
  /** SHA-256 over the names of all entries, rising; equal digests, equal states. */
  readonly digest: string;
}

/** Whether a peer is a member at this time (seconds since 1970); clocks may be LIMITS.clockSkewSeconds apart. */
export function isMember(state: RosterState, peer: PeerId, nowSeconds: number): boolean {
  return roleOf(state, peer, nowSeconds) !== undefined;
}

/** The role of a peer at this time (seconds since 1970); undefined when it is no member then. */
export function roleOf(state: RosterState, peer: PeerId, nowSeconds: number): Role | undefined {
  const standing = state.members.get(peer);
  if (standing === undefined || state.barred.has(peer) || !isWithin(standing, nowSeconds)) return undefined;
  return standing.role;
}

/** Admins at this time (seconds since 1970), rising; with fewer than the threshold nothing can be changed any more. */
export function adminsOf(state: RosterState, nowSeconds: number): readonly PeerId[] {
  return [...state.members.keys()].filter((peer) => roleOf(state, peer, nowSeconds) === "admin").sort();
}

/** The questions of a judge of messages (JudgeState), answered by a roster at this time (seconds since 1970). */
export function judgeMembership(state: RosterState, nowSeconds: number) {
  return {
    isMember: (peer: PeerId): boolean => isMember(state, peer, nowSeconds),
    maySend: (peer: PeerId, kind: MessageKind): boolean => maySend(roleOf(state, peer, nowSeconds), kind),
  };
}

/** Whether updates that a peer sent while it was a member may still be used. */
export function keepsEarlierUpdates(state: RosterState, peer: PeerId): boolean {
  if (state.barred.has(peer)) return false;
  const removal = state.removed.get(peer);
  return removal === undefined || removal.reason === "rotated" || state.policy.earlierUpdates === "keep";
}
