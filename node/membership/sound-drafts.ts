/**
 * Which drafts are signed. Who agrees to a statement signs each draft of it, and the draft's author chooses what the entry follows.
 * One that follows what nobody has, or that no roster takes, would hold the decision up. And a removal that follows entries of long
 * ago strikes out what its subject has signed with others since (10.5): members, admins and policies that nobody meant to end.
 * Such a draft is left alone, and the decision is drafted anew on what is here.
 */
import { type Entry, isGrant, type Statement } from "../../protocol/membership/entry.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";
import { endedBy } from "./cancelling.ts";

/** Of a statement that this peer has agreed to, or may. */
export interface DraftTerms {
  /** Whether a person has said that it is meant, whatever it ends. */
  readonly isMeant: boolean;
  /** Entries that were here when this peer agreed to it. */
  readonly entriesBefore: number;
}

/**
 * Whether a draft may be signed: it could enter, and nothing would not count any more that was here when this peer agreed to it, and no
 * entry that decides who decides. What a key signs while its removal is under way is lost, as it should be: it could hold the removal
 * up for ever otherwise. No time that somebody else states comes into it.
 */
export function isSound(draft: Entry, log: RosterLog, { isMeant, entriesBefore }: DraftTerms): boolean {
  if (!log.mayEnter(draft)) return false;
  const ended = endedBy(draft.statement);
  if (ended === undefined || isMeant) return true;
  const undone = log.undoneBy(ended, draft.parents);
  return !undone.some(({ place, entry }) => place < entriesBefore || decides(entry.statement));
}

/** Whether a statement says who decides, or under which manifest all go on. */
function decides(statement: Statement): boolean {
  if (statement.kind === "policy" || statement.kind === "succeed") return true;
  return isGrant(statement) && statement.role === "admin";
}
