/** Whether an entry may enter a roster: a question about the entry and its own past, so that every peer answers it alike. */

import type { PeerId } from "../peer-id.ts";
import { type Entry, isGrant, missingSigners, type Statement } from "./entry.ts";
import type { EntrySet, RosterGraph } from "./roster-graph.ts";
import { contains } from "./roster-graph.ts";
import { RosterView } from "./roster-view.ts";
import { foundersOf, type RosterSettings } from "./settings.ts";

/** Clauses of README.md, 10.4, in the order in which they are looked at. */
export type EntryRefusal =
  | "NETWORK_MISMATCH"
  | "UNSIGNED"
  | "TIME_BACKWARDS"
  | "NOT_AN_ADMIN"
  | "BELOW_THRESHOLD"
  | "TERMS_TOO_LONG"
  | "NOT_A_MEMBER"
  | "TERMS_DIFFER"
  | "KEY_USED"
  | "INVITE_USED"
  | "THRESHOLD_UNREACHABLE"
  | "SIGNATURE_INVALID";

/** The roster that an entry is checked against. */
export interface CheckContext {
  readonly graph: RosterGraph;
  readonly settings: RosterSettings;
  /** Everything before the entry. */
  readonly past: EntrySet;
}

interface Refusal {
  readonly code: EntryRefusal;
  readonly text: string;
}

/** Why an entry may not enter, its signatures taken as they are; undefined when it may. */
export function checkEntry(entry: Entry, context: CheckContext): Refusal | undefined {
  const { graph, settings, past } = context;
  const missing = missingSigners(entry);
  if (missing.length > 0) return { code: "UNSIGNED", text: `${missing.join(", ")} did not sign` };
  const latest = entry.parents.reduce((most, id) => Math.max(most, graph.get(id)?.entry.issuedAt ?? 0), 0);
  if (entry.issuedAt < latest) return { code: "TIME_BACKWARDS", text: "it is older than an entry that it follows" };
  const view = new RosterView(graph, settings, past);
  return checkSigners(entry, view, past) ?? checkStatement(entry.statement, view, context);
}

function checkSigners({ signers, issuedAt, statement }: Entry, view: RosterView, past: EntrySet): Refusal | undefined {
  const admins = signers.filter((peer) => view.isAdminAt(peer, past, issuedAt));
  const keys: readonly PeerId[] = statement.kind === "rotate" ? [statement.subject, statement.replaces] : [];
  if (keys.some((peer) => !signers.includes(peer))) {
    return { code: "UNSIGNED", text: "a rotation is signed by the old key and the new one" };
  }
  const other = signers.find((peer) => !admins.includes(peer) && !keys.includes(peer));
  if (other !== undefined) return { code: "NOT_AN_ADMIN", text: `${other} signed it and was no admin then` };
  const { threshold } = view.policy();
  if (admins.length >= threshold) return undefined;
  return { code: "BELOW_THRESHOLD", text: `${admins.length} admins signed it, ${threshold} are needed` };
}

function checkStatement(statement: Statement, view: RosterView, context: CheckContext): Refusal | undefined {
  if (isGrant(statement)) {
    const { certificateSeconds } = view.policy();
    if (statement.notAfter - statement.notBefore > certificateSeconds) {
      return { code: "TERMS_TOO_LONG", text: `a membership is granted for at most ${certificateSeconds} seconds` };
    }
  }
  switch (statement.kind) {
    case "admit": {
      const { invite, subject } = statement;
      if (invite === undefined || view.usesBefore(invite.key, subject, undefined) < invite.uses) return undefined;
      return { code: "INVITE_USED", text: "the invite has admitted as many peers as it may" };
    }
    case "promote":
      return view.standing(statement.subject) === undefined ? NOT_A_MEMBER : undefined;
    case "expire": {
      const standing = view.standing(statement.subject);
      if (standing === undefined) return NOT_A_MEMBER;
      const isShorter = statement.role === standing.role && statement.notAfter <= standing.notAfter;
      return isShorter
        ? undefined
        : { code: "TERMS_DIFFER", text: "it changes the role or makes the membership longer" };
    }
    case "rotate": {
      const standing = view.standing(statement.replaces);
      if (standing === undefined) return NOT_A_MEMBER;
      if (isInUse(statement.subject, context)) {
        return { code: "KEY_USED", text: "the new key was a member already" };
      }
      const isSame = statement.role === standing.role && statement.notAfter <= standing.notAfter;
      return isSame ? undefined : { code: "TERMS_DIFFER", text: "the new key has another role or a longer membership" };
    }
    case "policy": {
      const admins = view.admins().length;
      if (statement.policy.threshold <= admins) return undefined;
      return { code: "THRESHOLD_UNREACHABLE", text: `there are only ${admins} admins` };
    }
    case "revoke":
    case "succeed":
      return undefined;
  }
}

const NOT_A_MEMBER: Refusal = { code: "NOT_A_MEMBER", text: "the peer that it is about was no member then" };

function isInUse(peer: PeerId, { graph, settings, past }: CheckContext): boolean {
  const isFounder = foundersOf(settings).some((founder) => founder.peer === peer);
  return isFounder || [...graph.grantsOf(peer), ...graph.removalsOf(peer)].some(({ index }) => contains(past, index));
}
