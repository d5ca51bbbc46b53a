/** Who may do what in a network with a roster, as every layer of the exchange asks it; all answers are of this moment. */
import type { ShownJudgement, ShownMembership } from "../../protocol/handshake.ts";
import type { EntryId } from "../../protocol/membership/entry.ts";
import type { Role } from "../../protocol/membership/roles.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";

/** `removed`: revoked, replaced by another key, or barred for equivocation. `stranger`: nothing was heard of it. */
export type MemberStatus = "member" | "stranger" | "early" | "expired" | "removed";

/** The roster as a layer of the exchange asks it. */
export interface Membership {
  /** undefined: it is no member now, and may nothing. */
  roleOf(peer: PeerId): Role | undefined;
  statusOf(peer: PeerId): MemberStatus;
  /** Whether what a peer sent while it was a member may still be used and handed on. */
  keepsUpdatesOf(author: PeerId): boolean;
  /** What becomes of a peer that greets; what it shows is remembered where it proves something. */
  judgeShown(peer: PeerId, shown: ShownMembership): ShownJudgement;
  /** What this peer shows. To somebody with these heads: also what its certificate rests on and they do not hold. */
  shown(known?: readonly EntryId[]): ShownMembership;
  heads(): readonly EntryId[];
  /**
   * A member is met in another network of this roster: exchange what both hold of the roster and its successions. Resolves
   * when there is nothing more to say, or never where the other side is the one to hang up.  Throws: nothing.
   */
  meetElsewhere(peer: PeerId, manifest: NetworkManifest): Promise<void>;
  /** Two announcements of one author with one sequence, as bytes; what comes of it is the roster's policy. */
  reportEquivocation(first: Uint8Array, second: Uint8Array): void;
  /** Called whenever an answer may have changed: by a new entry, or because somebody's time has come. */
  onChange(listener: () => void): void;
}
