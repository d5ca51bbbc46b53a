/** What entries and proposals of a roster say, in words. */
import { counted } from "../../node/index.ts";
import type { Statement } from "../../protocol/membership/entry.ts";
import type { LossReason } from "../../protocol/membership/roster-view.ts";
import { wholeName } from "./peer-name.ts";

/** A statement in a line.  labels: what peers called themselves, by their ids. */
export function statementWords(statement: Statement, labels: Readonly<Record<string, string>> = {}): string {
  const name = (peer: string): string => wholeName(peer, labels[peer]);
  switch (statement.kind) {
    case "admit": {
      const by = statement.invite === undefined ? "" : `, by the invite ${statement.invite.key.slice(0, 8)}`;
      return `admit ${name(statement.subject)} as ${statement.role} until ${dateWords(statement.notAfter)}${by}`;
    }
    case "promote":
      return `${name(statement.subject)} is ${statement.role} until ${dateWords(statement.notAfter)}`;
    case "expire":
      return `the membership of ${name(statement.subject)} ends ${dateWords(statement.notAfter)}`;
    case "rotate":
      return `${name(statement.subject)} takes the place of ${name(statement.replaces)} as ${statement.role} until ${dateWords(statement.notAfter)}`;
    case "revoke":
      return `revoke ${name(statement.subject)} (${statement.reason})`;
    case "policy": {
      const { threshold, approval, earlierUpdates, equivocation, certificateSeconds } = statement.policy;
      const days = Number((certificateSeconds / 86_400).toFixed(2));
      return `policy: threshold ${threshold}, approval ${approval}, earlier updates ${earlierUpdates}, equivocation ${equivocation}, at most ${counted(days, "day")} at a time`;
    }
    case "succeed":
      return `go on as ${statement.successor} from round ${statement.round} on`;
  }
}

/** Why an entry that was signed as it should be does not count. */
export const LOSS_WORDS: Readonly<Record<LossReason, string>> = {
  SIGNERS_REMOVED: "too few of its signers count: others were removed on another branch",
  REMOVAL_WINS: "a removal on another branch overrides it",
  INVITE_USED: "the invite was used up",
  OUTRANKED: "another entry about the same matter counts in its place",
};

/** What came of rebuilding a roster. */
export function rebuiltWords(problems: readonly string[]): string {
  return problems.length === 0 ? "rebuilt from the genesis alone, every signature checked" : "DIFFERENT when rebuilt";
}

/** A time in seconds since 1970, to the minute, in UTC. */
export function dateWords(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
