/** What operators are told of the membership of a network. */
import type { PeerLabel } from "./peer-names.ts";

/** An event of the membership, told apart by `type`. */
export type RosterEvent =
  /** Somebody asks to be admitted, and admins have to decide; told once at each member. */
  | {
      readonly type: "request";
      /** Names the motion that grants it. */
      readonly motion: string;
      readonly peer: string;
      /** What it calls itself. */
      readonly label: string;
      /** Digits to compare by phone. */
      readonly fingerprint: string;
    }
  | {
      readonly type: "member";
      /** `renewed`: another role or other times. `expired`: its time is over; `revoked`: an entry ended it. */
      readonly change: "admitted" | "renewed" | "expired" | "revoked" | "barred";
      readonly peer: string;
      /** Of a member: what it is now; else what it was. */
      readonly role: string;
      readonly label?: PeerLabel;
    }
  | {
      readonly type: "equivocation";
      readonly peer: string;
      readonly label?: PeerLabel;
      readonly kind: "announcement" | "roster-entry";
      readonly sequence: number;
      /** Whether the policy takes its membership away. */
      readonly isBarred: boolean;
    }
  /** The roster has agreed to go on under another manifest, from this round on; `isHeld` once this peer has the manifest. */
  | { readonly type: "succession"; readonly network: string; readonly round: number; readonly isHeld: boolean }
  /** Something is about to end, or has, at this time (seconds since 1970); null when no such end is near any more. */
  | {
      readonly type: "ending";
      /** This peer's membership, or the quorum of admins that can change the roster. */
      readonly what: "membership" | "quorum";
      readonly at: number | null;
    }
  /** A member's clock is so far ahead of this one that what it signs is put off: one of the two clocks is wrong. */
  | { readonly type: "clock"; readonly peer: string; readonly label?: PeerLabel; readonly aheadSeconds: number }
  /** The roster has changed: this peer's own role, counts, and the digest of all entries, by which two peers compare. */
  | {
      readonly type: "roster";
      /** undefined: it is no member. */
      readonly role: string | undefined;
      readonly members: number;
      readonly entries: number;
      readonly digest: string;
    };
