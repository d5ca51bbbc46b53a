/**
 * Whether enough admins are left to change a roster, and until when. With fewer than the policy's threshold nothing can be
 * changed any more, not even that: so what would lead there is asked twice, and what is about to is said early.
 */
import { counted } from "../../protocol/counted.ts";
import { END_OF_TIME, isGrant, type Statement, type Terms } from "../../protocol/membership/entry.ts";
import type { RosterState } from "../../protocol/membership/roster-state.ts";
import { isWithin } from "../../protocol/membership/roster-view.ts";
import type { PeerId } from "../../protocol/peer-id.ts";

/** The admins of a roster at a time. */
export interface Quorum {
  /** Admins that have to agree to a change. */
  readonly threshold: number;
  /** Admins now. */
  readonly admins: number;
  /** Seconds since 1970 from which on fewer admins than the threshold are left; undefined where no such time is known. */
  readonly endsAt: number | undefined;
}

/** The quorum of a roster, or that which it would have after more statements. */
export function quorumOf(state: RosterState, nowSeconds: number, ...changes: readonly Statement[]): Quorum {
  const policies = changes.flatMap((change) => (change.kind === "policy" ? [change.policy] : []));
  const threshold = Math.max(...(policies.length > 0 ? policies : [state.policy]).map((policy) => policy.threshold));
  const admins = termsAfter(state, changes).filter(({ role }) => role === "admin");
  // Ends count as they stand: what others grant beyond them, for clocks that differ, is no time to plan with.
  const countAt = (seconds: number): number =>
    admins.filter((terms) => isWithin(terms, seconds) && seconds <= terms.notAfter).length;
  const ends = admins.map(({ notAfter }) => notAfter + 1).filter((end) => end > nowSeconds && end <= END_OF_TIME);
  const endsAt = [nowSeconds, ...ends.sort((a, b) => a - b)].find((seconds) => countAt(seconds) < threshold);
  return { threshold, admins: countAt(nowSeconds), endsAt };
}

/**
 * The quorum after a statement, where that would end and would not without it, or not as soon; undefined otherwise.
 * others: statements that may happen as well, because this peer has agreed to them and they still wait.
 */
export function quorumEndedBy(
  state: RosterState,
  change: Statement,
  nowSeconds: number,
  others: readonly Statement[] = [],
): Quorum | undefined {
  const lost = change.kind === "rotate" ? change.replaces : "subject" in change ? change.subject : undefined;
  // Nothing about anybody who is no admin makes them fewer.
  if (change.kind !== "policy" && (lost === undefined || state.members.get(lost)?.role !== "admin")) return undefined;
  // What would make more admins may not happen.
  const losses = others.filter((other) => isLoss(state, other));
  const before = quorumOf(state, nowSeconds, ...losses).endsAt ?? Infinity;
  const after = quorumOf(state, nowSeconds, ...losses, change);
  return (after.endsAt ?? Infinity) < before ? after : undefined;
}

/** Whether a statement may make admins fewer, end one of them sooner, or ask for more. */
function isLoss({ members, policy }: RosterState, change: Statement): boolean {
  switch (change.kind) {
    case "revoke":
    case "rotate":
      return true;
    case "policy":
      return change.policy.threshold >= policy.threshold;
    case "admit":
    case "promote":
    case "expire": {
      const known = members.get(change.subject);
      return known?.role === "admin" && (change.role !== "admin" || change.notAfter < known.notAfter);
    }
    case "succeed":
      return false;
  }
}

/** An end that is nearer is told of, again a week and a day before it: renewing takes people. */
export const WARNING_SECONDS = [30 * 86_400, 7 * 86_400, 86_400] as const;

/** How near an end is: 0 not near or none at all, higher the nearer, over included. */
export function nearness(endsAt: number | undefined, nowSeconds: number): number {
  if (endsAt === undefined || endsAt === END_OF_TIME) return 0;
  return [...WARNING_SECONDS, 0].filter((seconds) => endsAt - nowSeconds <= seconds).length;
}

/** The end of a quorum, in words. */
export function quorumEndWords({ threshold, admins, endsAt }: Quorum, nowSeconds: number): string {
  if (endsAt === undefined) return `${threshold} of ${counted(admins, "admin")} can change the roster`;
  const nothing = "and nothing can be changed in this network any more";
  if (endsAt <= nowSeconds)
    return `${counted(admins, "admin is", "admins are")} left, ${threshold} are needed, ${nothing}`;
  const date = `${new Date(endsAt * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return `from ${date} on fewer than ${threshold} admins are left, ${nothing}`;
}

function termsAfter(state: RosterState, changes: readonly Statement[]): readonly Terms[] {
  const terms = new Map<PeerId, Terms>(state.members);
  let { barred } = state;
  for (const change of changes) {
    if (change.kind === "revoke") terms.delete(change.subject);
    if (change.kind === "rotate") terms.delete(change.replaces);
    if (isGrant(change)) terms.set(change.subject, change);
    // A policy that bars those who signed two things bars whoever is known to have done so before it.
    if (change.kind === "policy") barred = change.policy.equivocation === "bar" ? state.equivocators : new Set();
  }
  return [...terms].filter(([peer]) => !barred.has(peer)).map(([, one]) => one);
}
