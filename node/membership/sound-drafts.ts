/**
 * Which drafts are signed. Who agrees to a statement signs each draft of it, and the draft's author chooses what the entry follows.
 * One that follows what nobody has, or that no roster takes, would hold the decision up. And a removal that follows entries of long
 * ago strikes out what its subject has signed with others since (10.5): members, admins and policies that nobody meant to end.
 * Such a draft is left alone, and the decision is drafted anew on what is here.
 */
import { type Entry, isGrant, type Statement } from "../../protocol/membership/entry.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";
import { endedBy } from "./cancelling.ts";

/**
 * Entries that would not count any more if a draft entered, and that nobody means to end who agrees to it: those from before it,
 * which its author should have heard of, and those that decide who decides. What a removed key signs later than its removal is
 * lost, as it should be.
 */
export function undoneBy(draft: Entry, log: RosterLog): readonly Entry[] {
  const ended = endedBy(draft.statement);
  if (ended === undefined) return [];
  const isKept = ({ issuedAt, statement }: Entry): boolean => issuedAt <= draft.issuedAt || decides(statement);
  return log.undoneBy(ended, draft.parents).filter(isKept);
}

/** Whether a draft may be signed.  isMeant: also where it undoes what its author had not heard of. */
export function isSound(draft: Entry, log: RosterLog, { isMeant }: { readonly isMeant: boolean }): boolean {
  return log.mayEnter(draft) && (isMeant || undoneBy(draft, log).length === 0);
}

/** Whether a statement says who decides, or under which manifest all go on. */
function decides(statement: Statement): boolean {
  if (statement.kind === "policy" || statement.kind === "succeed") return true;
  return isGrant(statement) && statement.role === "admin";
}
