/** Acting on the roster of a data directory, as the commands of `weft members` do. */
import {
  counted,
  type MembersAnswer,
  membershipDoor,
  membersMeant,
  NodeError,
  networkOf,
  type OperatorOptions,
  PeerNames,
  type Proposal,
  type RosterAction,
  type RosterAnswer,
  rosterGenesis,
} from "../node/index.ts";
import type { Genesis } from "../protocol/membership/genesis.ts";
import { asPeerId, type PeerId } from "../protocol/peer-id.ts";
import { peerName } from "../testnet/words/peer-name.ts";
import { dateWords, statementWords } from "../testnet/words/statement-words.ts";
import { dataDirectory } from "./data-directory.ts";
import { jsonText } from "./json.ts";
import { EXIT_OK, type Terminal } from "./terminal.ts";

/** Values of the flags of every command of `weft members`. */
export interface RosterFlags {
  readonly dataDir?: string;
  readonly json?: boolean;
  /** Of commands that may leave too few admins. */
  readonly withoutQuorum?: boolean;
  readonly alone?: boolean;
}

/** Whose roster, and by which genesis.  Throws: NodeError CONFIG_INVALID for an open network, MANIFEST_INVALID. */
export async function operatorOf({ dataDir }: RosterFlags, terminal: Terminal): Promise<OperatorOptions> {
  const folder = dataDirectory(dataDir, terminal.environment);
  terminal.err(`files of this peer: ${folder}\n`);
  const kept = await networkOf(undefined, folder);
  return {
    dataDirectory: folder,
    genesis: await genesisIn(folder, kept),
    manifest: kept.manifest,
    signal: terminal.signal,
  };
}

/** The genesis that the roster of a data directory begins with. */
async function genesisIn(folder: string, kept: Genesis): Promise<Genesis> {
  const genesis = await rosterGenesis(kept, folder);
  if (genesis !== undefined) return genesis;
  const text = `${folder} belongs to an open network, which has no roster: every peer with its manifest takes part; name the --data-dir of a peer in a network with one`;
  throw new NodeError("CONFIG_INVALID", text, { folder });
}

/** Who is in the roster, as far as this peer has heard. */
export async function membersOf(operator: OperatorOptions): Promise<MembersAnswer> {
  return await ask(operator, { kind: "members" });
}

/** What members, and who was one, called themselves, by their ids. */
export async function labelsOf(operator: OperatorOptions): Promise<Readonly<Record<string, string>>> {
  return (await membersOf(operator)).labels ?? {};
}

/** The member of this id, and the policy that it is under.  Throws: NodeError NOT_ALLOWED when it is no member. */
export async function memberOf(
  operator: OperatorOptions,
  subject: PeerId,
): Promise<{ readonly member: MembersAnswer["members"][number]; readonly policy: MembersAnswer["policy"] }> {
  const { members, policy } = await membersOf(operator);
  const member = members.find(({ peer }) => peer === subject);
  if (member !== undefined) return { member, policy };
  throw new NodeError("NOT_ALLOWED", `${subject} is no member`, { subject, problem: "no-member" });
}

/**
 * The peer that a person names: by its id, by the end of the id of a member, or by what a member called itself. The latter two only
 * where no other member has the same, or a label that looks the same.  isTrusting: a label, which a peer chose itself, is not enough.
 * Throws: NodeError CONFIG_INVALID.
 */
export async function peerNamed(
  operator: OperatorOptions,
  text: string,
  { isTrusting = false }: { readonly isTrusting?: boolean } = {},
): Promise<PeerId> {
  const id = asPeerId(text);
  if (id !== undefined) return id;
  const { members } = await membersOf(operator);
  const meant = membersMeant(members, text);
  if (meant.kind === "one" && !(isTrusting && meant.by === "label")) return meant.peer;
  const names = new PeerNames(members.map(({ peer }) => peer));
  const named = (peer: PeerId): string => peerName(names, peer, members.find((one) => one.peer === peer)?.label);
  throw new NodeError("CONFIG_INVALID", notNamed(text, meant, named), { given: text });
}

function notNamed(text: string, meant: ReturnType<typeof membersMeant>, named: (peer: PeerId) => string): string {
  const given = JSON.stringify(text);
  switch (meant.kind) {
    case "nobody":
      return `no member has the id, the end of an id or the label ${given}; weft members list shows them`;
    case "one":
      return `${meant.peer} chose the label ${given} itself, so that it is no name for whom more rights are given; name it by its id, or the end of it`;
    case "several":
      return `several members may be meant by ${given}, by an id or by a label that looks like it: ${meant.peers.map(named).join(", ")}; name one of them by the end of its id`;
  }
}

/** An answer of the kind that belongs to the question. */
export async function ask<K extends "members" | "log" | "pending">(
  operator: OperatorOptions,
  question: RosterAction & { readonly kind: K },
): Promise<Extract<RosterAnswer, { kind: K }>> {
  const { operate } = await membershipDoor();
  const answer = await operate(question, operator);
  if (answer.kind === question.kind) return answer as Extract<RosterAnswer, { kind: K }>;
  throw new TypeError(`an answer about ${answer.kind} to a question about ${question.kind}`);
}

/**
 * The motion that is meant: by its name, which the roster looks up, or by who would be admitted or is spoken of. What this
 * peer has declined is meant only where nothing else is.
 */
export async function pendingId(operator: OperatorOptions, text: string): Promise<string> {
  const { motions } = await ask(operator, { kind: "pending", declined: true });
  const all = motions.filter(({ statement }) => "subject" in statement && statement.subject === text);
  const open = all.filter(({ isDeclinedHere }) => !isDeclinedHere);
  const about = open.length > 0 ? open : all;
  if (about.length > 1) {
    const names = about.map(({ id, statement }) => `${id.slice(0, 12)} (${statement.kind})`).join(", ");
    throw new NodeError("CONFIG_INVALID", `several proposals about ${text} are pending: ${names}; name one of them`);
  }
  return about[0]?.id ?? text;
}

/** Decide something, and say what became of it. */
export async function decide(
  operator: OperatorOptions,
  action: RosterAction,
  { json, withoutQuorum, alone }: RosterFlags,
  terminal: Terminal,
): Promise<number> {
  const { operate } = await membershipDoor();
  // Asked before: once it is done, nothing may fail any more.
  const labels = json ? {} : await labelsOf(operator);
  const answer = await operate(marked(action, { isMeant: withoutQuorum, isAlone: alone }), operator);
  if (answer.kind !== "motion") throw new TypeError(`an answer about ${answer.kind} to a motion`);
  const { motion, isDecided } = answer;
  const { id, statement } = motion;
  terminal.err(`${outcome(action, motion, isDecided)}\n`);
  if (json) terminal.out(jsonText({ ...motion, isDecided }));
  else terminal.out(`${id.slice(0, 12)} ${statementWords(statement, labels)}\n`);
  return EXIT_OK;
}

function marked(
  action: RosterAction,
  said: { isMeant: boolean | undefined; isAlone: boolean | undefined },
): RosterAction {
  const isMeant = said.isMeant && { isMeant: true };
  const isAlone = said.isAlone && { isAlone: true };
  switch (action.kind) {
    case "propose":
    case "rotate":
      return { ...action, ...isMeant, ...isAlone };
    case "approve":
      return { ...action, ...isMeant };
    case "succeed":
      return { ...action, ...isAlone };
    default:
      return action;
  }
}

function outcome(action: RosterAction, { id, approvedBy, deniedBy, threshold }: Proposal, isDecided: boolean): string {
  if (action.kind === "deny") {
    const again = `weft members approve ${id.slice(0, 12)} takes that back`;
    return `declined, by ${counted(Math.max(1, deniedBy.length), "admin")} so far; ${again}`;
  }
  if (isDecided) return "decided; the others hear of it as soon as they are connected";
  // The other admins have agreed to it already; they sign by themselves as soon as they hear of it.
  if (approvedBy.length >= threshold) return "enough admins agree; it holds once their signatures have come together";
  const count = `${approvedBy.length} of ${counted(threshold, "admin")} agree so far`;
  return `${count}; the others approve with weft members approve ${id.slice(0, 12)}`;
}

/**
 * When a membership that is granted now ends, seconds since 1970.
 * Throws: NodeError CONFIG_INVALID when it would last longer than the policy allows.
 */
export function endOf(lasts: number | undefined, certificateSeconds: number, nowSeconds: number): number {
  if (lasts !== undefined && lasts > certificateSeconds) {
    const text = `the policy grants a membership until ${dateWords(nowSeconds + certificateSeconds)} at most; give an earlier end`;
    throw new NodeError("CONFIG_INVALID", text, { lasts, certificateSeconds });
  }
  return nowSeconds + (lasts ?? certificateSeconds);
}

/** Seconds since 1970. */
export const nowSeconds = (): number => Math.floor(Date.now() / 1000);
