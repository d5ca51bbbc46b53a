/** Flags that decide who may take part in a network, and the settings of its manifest that they stand for. */
import { counted, NodeError } from "../node/index.ts";
import { LIMITS } from "../protocol/limits.ts";
import { type MembershipPolicy, type MembershipSettings, POLICY_DEFAULTS } from "../protocol/membership/settings.ts";
import type { OptionRow } from "./command-row.ts";
import { readFounders } from "./members-file.ts";
import { choice, duration, formatDuration, integer } from "./option-value.ts";

/** An invite is good for two days unless it is told otherwise. */
export const INVITE_SECONDS = 48 * 3600;

/** Values of the flags below; absent ones take the defaults. */
export interface MembershipOptions extends PolicyOptions {
  readonly members?: string;
}

/** Values of the flags of a policy. */
export interface PolicyOptions {
  readonly threshold?: number;
  readonly approval?: MembershipPolicy["approval"];
  readonly earlierUpdates?: MembershipPolicy["earlierUpdates"];
  readonly equivocation?: MembershipPolicy["equivocation"];
  /** Seconds. */
  readonly membershipLasts?: number;
}

/** The flags of a policy; each says what a new network has without it. */
export const POLICY_OPTIONS: readonly OptionRow[] = [
  {
    flags: "--threshold <count>",
    text: "admin signatures that every change of the roster needs",
    parse: integer(1, LIMITS.signatureCountMax),
    otherwise: "more than half of the admins among the founders",
  },
  {
    flags: "--approval <word>",
    text: "admission of new peers: person (admins approve each one) or invite (a valid invite is enough)",
    parse: choice(["person", "invite"]),
    otherwise: POLICY_DEFAULTS.approval,
  },
  {
    flags: "--earlier-updates <word>",
    text: "earlier updates of a revoked member: keep them in use or drop them",
    parse: choice(["keep", "drop"]),
    otherwise: POLICY_DEFAULTS.earlierUpdates,
  },
  {
    flags: "--equivocation <word>",
    text: "a member that signs two different things under one number: bar it, or only report it",
    parse: choice(["bar", "report"]),
    otherwise: POLICY_DEFAULTS.equivocation,
  },
  {
    flags: "--membership-lasts <time>",
    text: "longest membership that is granted at a time, such as 12h or 90d",
    parse: duration(60, LIMITS.certificateSecondsMax),
    otherwise: formatDuration(POLICY_DEFAULTS.certificateSeconds),
  },
];

/** The flags of a new network: its founders and its policy. */
export const MEMBERSHIP_OPTIONS: readonly OptionRow[] = [
  {
    flags: "--members <file>",
    text: "founders of a network with a roster: a peer id and a role (trainer, observer, relay, admin) on each line",
    otherwise: "open: every peer that has the manifest takes part",
  },
  ...POLICY_OPTIONS,
];

/**
 * The membership that the flags ask for; undefined for an open network.
 * Throws: NodeError CONFIG_INVALID (flags that need --members, a threshold that the founders cannot reach, the file).
 */
export async function membershipOf(options: MembershipOptions): Promise<MembershipSettings | undefined> {
  const { members, threshold, membershipLasts, ...words } = options;
  if (members === undefined) {
    const { approval, earlierUpdates, equivocation } = words;
    if ([threshold, membershipLasts, approval, earlierUpdates, equivocation].every((one) => one === undefined)) return;
    const text = "only a network with a roster has a threshold and a policy; name its founders with --members FILE";
    throw new NodeError("CONFIG_INVALID", text);
  }
  const founders = await readFounders(members);
  const admins = founders.filter(({ role }) => role === "admin").length;
  if (admins === 0)
    throw new NodeError("CONFIG_INVALID", `${members}: no founder has the role admin; name at least one`);
  const needed = threshold ?? Math.floor(admins / 2) + 1;
  if (needed > admins) {
    const text = `--threshold ${needed} cannot be reached: ${members} names ${counted(admins, "founder")} with the role admin`;
    throw new NodeError("CONFIG_INVALID", text, { threshold: needed, admins });
  }
  return {
    kind: "roster",
    founders,
    threshold: needed,
    policy: {
      approval: words.approval ?? POLICY_DEFAULTS.approval,
      earlierUpdates: words.earlierUpdates ?? POLICY_DEFAULTS.earlierUpdates,
      equivocation: words.equivocation ?? POLICY_DEFAULTS.equivocation,
      certificateSeconds: membershipLasts ?? POLICY_DEFAULTS.certificateSeconds,
    },
  };
}

/** A word about a threshold that is raised; undefined where it is not. */
export function raisedThresholdWarning(before: number, after: number): string | undefined {
  if (after <= before) return undefined;
  return (
    `${counted(after, "signature")} are asked for of what follows; who is an admin now can still sign on a branch from before with ${before}: every peer ` +
    "warns of such an entry, and weft members log marks it"
  );
}

/** A word about a threshold that is legal and unwise. */
export function thresholdWarning(membership: MembershipSettings | undefined): string | undefined {
  if (membership?.kind !== "roster") return undefined;
  const admins = membership.founders.filter(({ role }) => role === "admin").length;
  const { threshold } = membership;
  if (admins > 1 && threshold === admins) {
    return `all ${counted(admins, "admin")} must sign every change: with one key lost, nothing can be changed any more`;
  }
  if (threshold * 2 > admins) return undefined;
  return `${threshold} of ${counted(admins, "admin")} is not more than half: two groups of admins could decide different things`;
}
