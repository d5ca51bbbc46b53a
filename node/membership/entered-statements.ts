/** Which statements have entered the roster, so that a draft that says the same again is known to be done. */
import { type Entry, type EntryId, statementDigest } from "../../protocol/membership/entry.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";

export interface EnteredStatements {
  /** An entry entered. */
  add(entry: Entry): void;
  /** Whether an entry that says the same entered, and the draft had not heard of it. */
  isDone(draft: Entry): boolean;
}

/** Of everything that a log holds now; what enters later is added. */
export function createEnteredStatements(log: RosterLog): EnteredStatements {
  /** Names of entries by what they say. */
  const entered = new Map<string, EntryId[]>();
  const add = (entry: Entry): void => {
    const id = statementDigest(entry.statement);
    entered.set(id, [...(entered.get(id) ?? []), entry.id]);
  };
  const precedes = (name: EntryId, draft: Entry): boolean => {
    const seen = new Set<EntryId>();
    const open = [...draft.parents];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === name) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...(log.get(next)?.parents ?? []));
    }
    return false;
  };
  for (const entry of log.entries()) add(entry);
  return {
    add,
    isDone(draft) {
      const same = entered.get(statementDigest(draft.statement)) ?? [];
      return same.some((name) => name === draft.id || !precedes(name, draft));
    },
  };
}
