/** Membership as a manifest states it: open to everybody, or a roster that its founders begin. */
import { counted } from "../counted.ts";
import { LIMITS } from "../limits.ts";
import type { PeerId } from "../peer-id.ts";
import type { Role } from "./roles.ts";

/** Rules of a roster; the first ones stand in the manifest, a policy entry replaces them. */
export interface MembershipPolicy {
  /** Admin signatures that an entry needs, 1 to LIMITS.signatureCountMax. */
  readonly threshold: number;
  /** Decides on a valid invite: a person at each admin, or the admin's peer by itself (never for the role admin). */
  readonly approval: "person" | "invite";
  /** The fate of a revoked member's earlier updates. */
  readonly earlierUpdates: "keep" | "drop";
  /** Whether a proof of equivocation takes its author's membership away. */
  readonly equivocation: "bar" | "report";
  /** Longest membership that one entry may grant, seconds. */
  readonly certificateSeconds: number;
}

/** A founding member and its role. */
export interface Founder {
  readonly peer: string;
  readonly role: Role;
}

/** Whether everybody may take part, or the members of a roster. */
export type MembershipSettings =
  | { readonly kind: "open" }
  | {
      readonly kind: "roster";
      readonly founders: readonly Founder[];
      readonly threshold: number;
      readonly policy: Omit<MembershipPolicy, "threshold">;
    };

/** The settings of a network with a roster. */
export type RosterSettings = Extract<MembershipSettings, { kind: "roster" }>;

/** The policy of a new network with a roster where nothing else is said; a certificate is renewed each quarter. */
export const POLICY_DEFAULTS: Omit<MembershipPolicy, "threshold"> = {
  approval: "person",
  earlierUpdates: "drop",
  equivocation: "bar",
  certificateSeconds: 90 * 86_400,
};

/** The roster that a manifest begins; undefined when its membership is open. */
export function rosterSettings(manifest: { readonly membership?: MembershipSettings }): RosterSettings | undefined {
  return manifest.membership?.kind === "roster" ? manifest.membership : undefined;
}

/** The policy that a roster begins with. */
export function firstPolicy(settings: RosterSettings): MembershipPolicy {
  return { threshold: settings.threshold, ...settings.policy };
}

/** The founders, with their peer ids as such. */
export function foundersOf(settings: RosterSettings): readonly { readonly peer: PeerId; readonly role: Role }[] {
  return settings.founders.map(({ peer, role }) => ({ peer: peer as PeerId, role }));
}

/** The meaning of a network's membership settings, a sentence a line. */
export function describeMembership(membership: MembershipSettings | undefined): readonly string[] {
  if (membership?.kind !== "roster") {
    return [
      "Open: every peer with this manifest may take part. A peer proves its key and nothing else; keys are free, so one",
      "party can appear as many peers.",
    ];
  }
  const { founders, threshold } = membership;
  const admins = founders.filter(({ role }) => role === "admin").length;
  return [
    `By roster: ${counted(founders.length, "founder")}, ${admins} of them admins; ${counted(threshold, "admin signature changes", "admin signatures change")} it.`,
    ...founders.map(({ peer, role }) => `  ${peer} ${role}`),
    ...describePolicy(firstPolicy(membership)),
  ];
}

/** A policy, a sentence a line. */
export function describePolicy(policy: MembershipPolicy): readonly string[] {
  const days = policy.certificateSeconds / 86_400;
  return [
    policy.threshold === 1
      ? "The signature of 1 admin is needed for every change."
      : `Signatures of ${policy.threshold} admins are needed for every change.`,
    policy.approval === "person"
      ? "A newcomer waits until people at the admins approve."
      : "An invite is enough: admins' peers sign by themselves (but never for another admin).",
    policy.earlierUpdates === "keep"
      ? "What a revoked member sent before stays in use."
      : "What a revoked member sent before is dropped.",
    policy.equivocation === "bar"
      ? "Who signs two different things under one number is barred."
      : "Who signs two different things under one number is reported, and stays.",
    `Membership is granted for at most ${counted(Number(days.toFixed(2)), "day")} at a time; clocks may differ by ${LIMITS.clockSkewSeconds / 60} minutes.`,
  ];
}
