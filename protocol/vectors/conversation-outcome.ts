/** The answers of a peer that holds the example's genesis to greetings and messages about the roster. */
import { bytesToHex } from "@noble/hashes/utils.js";
import { ProtocolError } from "../errors.ts";
import { answerHello, decodeHello, decodeReply, type ShownJudgement, type ShownMembership } from "../handshake.ts";
import { LIMITS } from "../limits.ts";
import { createAdmissionRequest, judgeAdmissionRequest, readAdmissionReply } from "../membership/admission.ts";
import { judgeCertificate } from "../membership/certificate.ts";
import { decodeEntry, wrongSigner } from "../membership/entry.ts";
import { checkEquivocation } from "../membership/equivocation.ts";
import { createInvite } from "../membership/invite.ts";
import { RosterLog } from "../membership/roster-log.ts";
import { decodeRosterMessage, decodeRosterMessages } from "../membership/roster-message.ts";
import { roleOf } from "../membership/roster-state.ts";
import { type VerifySignature, verifyStrictly } from "../membership/signatures.ts";
import type { PeerId } from "../peer-id.ts";
import { withExampleLog } from "./example-log.ts";
import { SELF } from "./example-network.ts";
import { DAVE, DAY, EXAMPLE_GENESIS, NOW, ROSTER_ID, ROSTER_MANIFEST } from "./example-roster.ts";

/** The kinds of message in these vectors. */
export type ConversationMessage = "hello" | "reply" | "note" | "notes";

/** A message in hex, and its outcome. */
export interface ConversationVector {
  readonly message: ConversationMessage;
  readonly name: string;
  /** Its sender, as the connection has authenticated it. */
  readonly from: PeerId;
  /** Hexadecimal digits. */
  readonly bytes: string;
  /** Of a hello the code of the answer; of a reply its code; of a note "accepted"; or the code of the refusal. */
  readonly expected: string;
  /** Whether it is accepted because of something that is signed in it. */
  readonly isSigned: boolean;
}

/** Whether a vector, or its outcome, is one that makes a neighbour or news. */
export const isAccepted = ({ expected }: Pick<ConversationVector, "expected">): boolean =>
  expected === "WELCOME" || expected === "accepted";

/**
 * The answer at NOW of a peer that knows the genesis, and the request of admission that is among the vectors.
 * Throws: only for a fault of the code.
 */
export function conversationOutcome(
  { message, from }: Pick<ConversationVector, "message" | "from">,
  bytes: Uint8Array,
  verify: VerifySignature = verifyStrictly,
): string {
  try {
    return withExampleLog(verify, (log) => answered({ message, from }, bytes, { log, verify }));
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

function answered(
  { message, from }: Pick<ConversationVector, "message" | "from">,
  bytes: Uint8Array,
  { log, verify }: { readonly log: RosterLog; readonly verify: VerifySignature },
): string {
  switch (message) {
    case "hello": {
      const roster = {
        judge: (peer: PeerId, shown: ShownMembership) => judgeShown(log, { peer, shown, verify }),
        heads: () => log.nextParents(),
      };
      return answerHello(bytes, from, { manifest: ROSTER_MANIFEST, isMember: () => false, busy: false, roster }).code;
    }
    case "reply":
      return decodeReply(bytes).code;
    case "note":
      return noteOutcome(log, bytes, verify);
    case "notes":
      decodeRosterMessages(bytes);
      return "accepted";
  }
}

/** Everything in a message that is signed, each in hexadecimal; nothing of bytes that cannot be read. */
export function signedParts({ message }: Pick<ConversationVector, "message">, bytes: Uint8Array): readonly string[] {
  try {
    if (message === "note") return [bytesToHex(decodeRosterMessage(bytes).body)];
    if (message !== "hello") return [];
    const hello = decodeHello(bytes);
    if (!("manifest" in hello)) return [];
    return [hello.shown.certificate, ...hello.shown.entries].map(bytesToHex);
  } catch (error) {
    if (error instanceof ProtocolError) return [];
    throw error;
  }
}

/** README.md, 10.11, by a roster that remembers no earlier peer. */
function judgeShown(
  log: RosterLog,
  { peer, shown, verify }: { peer: PeerId; shown: ShownMembership; verify: VerifySignature },
): ShownJudgement {
  const isMember = (): boolean => roleOf(log.state(), peer, NOW) !== undefined;
  if (isMember()) return "WELCOME";
  if (shown.certificate.length === 0) return "NOT_A_MEMBER";
  for (const entry of shown.entries) if (log.add(entry, NOW).outcome === "refused") break;
  if (isMember()) return "WELCOME";
  if (log.state().removed.has(peer)) return "REMOVED";
  const judged = judgeCertificate(shown.certificate, { state: log.state(), peer, nowSeconds: NOW, verify });
  if (judged.isAccepted) return "WELCOME";
  if (judged.code !== "MALFORMED" && shown.entries.length === 0) return "ROSTER";
  return judged.code === "EXPIRED" ? "EXPIRED" : "NOT_A_MEMBER";
}

/** README.md, 10.12. */
function noteOutcome(log: RosterLog, bytes: Uint8Array, verify: VerifySignature): string {
  const { kind, body } = decodeRosterMessage(bytes);
  const state = log.state();
  switch (kind) {
    case "entry": {
      const result = log.add(body, NOW);
      return result.outcome === "refused" ? result.code : result.outcome === "added" ? "accepted" : "PENDING";
    }
    case "draft": {
      const entry = decodeEntry(body);
      const { author, signers, signatures, networkId, issuedAt, statement } = entry;
      if (networkId !== log.networkId) return "NETWORK_MISMATCH";
      if (issuedAt > NOW + LIMITS.clockSkewSeconds) return "EARLY";
      if (signatures[signers.indexOf(author)]!.length === 0) return "UNSIGNED";
      const keys = statement.kind === "rotate" ? [statement.replaces, statement.subject] : [];
      const isWrong = (peer: PeerId): boolean => roleOf(state, peer, NOW) !== "admin" && !keys.includes(peer);
      if (signers.some(isWrong)) return "NOT_AN_ADMIN";
      return wrongSigner(entry, verify) === undefined ? "accepted" : "SIGNATURE_INVALID";
    }
    case "request": {
      const usesOf = (key: string, subject: PeerId) => log.usesOf(key, subject);
      const judgement = judgeAdmissionRequest(body, { state, usesOf, nowSeconds: NOW, verify });
      return judgement.isAccepted ? "accepted" : judgement.code;
    }
    case "denial": {
      const reply = readAdmissionReply(body, verify);
      if (reply.networkId !== log.networkId) return "NETWORK_MISMATCH";
      if (reply.code !== "denied") return "FIELD_INVALID";
      if (roleOf(state, reply.admin, NOW) !== "admin") return "NOT_AN_ADMIN";
      return reply.request === ASKED ? "accepted" : "REQUEST_UNKNOWN";
    }
    case "proof": {
      const { author, networkId } = checkEquivocation(body, verify);
      if (networkId !== log.networkId) return "NETWORK_MISMATCH";
      return state.members.has(author) ? "accepted" : "NOT_A_MEMBER";
    }
  }
}

const INVITE = createInvite(
  {
    networkId: ROSTER_ID,
    role: "trainer",
    uses: 1,
    notAfter: NOW + 2 * DAY,
    secret: new Uint8Array(16).fill(42),
    addresses: [],
  },
  SELF,
);
/** The request of admission that a receiver of a denial holds. */
export const REQUEST: Uint8Array = createAdmissionRequest(INVITE, { label: "site 4", issuedAt: NOW }, DAVE);
/** Its id. */
export const ASKED = requestId(REQUEST);

function requestId(bytes: Uint8Array) {
  const log = new RosterLog(EXAMPLE_GENESIS);
  const usesOf = () => 0;
  const { request } = judgeAdmissionRequest(bytes, { state: log.state(), usesOf, nowSeconds: NOW });
  if (request === undefined) throw new Error("the example's request cannot be read");
  return request.id;
}
