/**
 * The judgement of a message, before anything else happens to it. Rules and their order are section 8 of README.md; each
 * is quoted above its check. Judging is pure: membership, round and known chains are arguments.
 */
import { type Announcement, type AnnouncementFields, decodeAnnouncementBody } from "./announcement.ts";
import { type ContentId, contentIdOf } from "./content-id.ts";
import { decodeUpdate } from "./encoding/update-payload.ts";
import { type Envelope, MESSAGE_KINDS, type MessageKind, openEnvelope, verifyEnvelope } from "./envelope.ts";
import { ProtocolError } from "./errors.ts";
import type { JudgeContext, UpdateContext } from "./judge-context.ts";
import type { PeerId } from "./peer-id.ts";
import { decodeSketchBody, type SignedSketch } from "./sketch.ts";
import { decodeUpdateBody, type Update } from "./update.ts";

/** Every verdict: its effect, its clause, and the side at fault (for scoring). */
export const VERDICTS = {
  ACCEPTED: { kind: "accept", clause: "8.1", fault: "none" },
  TOO_LARGE: { kind: "reject", clause: "8.2", fault: "sender" },
  CONTENT_MISMATCH: { kind: "reject", clause: "8.3", fault: "sender" },
  MALFORMED: { kind: "reject", clause: "8.4", fault: "sender" },
  NOT_CANONICAL: { kind: "reject", clause: "8.5", fault: "sender" },
  WRONG_KIND: { kind: "reject", clause: "8.6", fault: "sender" },
  FIELD_INVALID: { kind: "reject", clause: "8.7", fault: "sender" },
  SIGNATURE_INVALID: { kind: "reject", clause: "8.8", fault: "sender" },
  NETWORK_MISMATCH: { kind: "reject", clause: "8.9", fault: "sender" },
  OWN: { kind: "ignore", clause: "8.10", fault: "none" },
  NOT_A_MEMBER: { kind: "ignore", clause: "8.11", fault: "none" },
  ROUND_OUT_OF_RANGE: { kind: "reject", clause: "8.12", fault: "sender" },
  ROUND_AHEAD: { kind: "ignore", clause: "8.13", fault: "none" },
  ROUND_OLD: { kind: "ignore", clause: "8.14", fault: "none" },
  DUPLICATE: { kind: "ignore", clause: "8.15", fault: "none" },
  OLD: { kind: "ignore", clause: "8.16", fault: "none" },
  EQUIVOCATION: { kind: "reject", clause: "8.17", fault: "author" },
  ROUND_BACKWARDS: { kind: "reject", clause: "8.18", fault: "author" },
  CHAIN_BROKEN: { kind: "reject", clause: "8.19", fault: "author" },
  ENCODING_UNKNOWN: { kind: "reject", clause: "8.20", fault: "author" },
  PAYLOAD_LENGTH: { kind: "reject", clause: "8.21", fault: "author" },
  VALUE_NOT_FINITE: { kind: "reject", clause: "8.22", fault: "author" },
  ANNOUNCEMENT_MISMATCH: { kind: "reject", clause: "8.23", fault: "author" },
  PAYLOAD_INVALID: { kind: "reject", clause: "8.25", fault: "author" },
  BASE_UNKNOWN: { kind: "ignore", clause: "8.26", fault: "none" },
  ROLE_FORBIDS: { kind: "ignore", clause: "8.27", fault: "none" },
  INTERNAL: { kind: "ignore", clause: "8.24", fault: "none" },
} as const satisfies Record<string, { kind: VerdictKind; clause: string; fault: Fault }>;

/** The effect of a verdict on a message. */
export type VerdictKind = "accept" | "ignore" | "reject";
/** The closed list of verdicts. */
export type VerdictCode = keyof typeof VERDICTS;

/**
 * The side at fault. It is the author who signed the message, or the sender of the bytes, who should have looked before
 * passing them on. A sender need not know as much of an author's chain as this peer does, so an author's fault is not his.
 */
export type Fault = "none" | "author" | "sender";

/** The judgement of a message, and its reason. */
export interface Verdict {
  /** accept: use and pass on; ignore: drop without blame; reject: drop, and blame the side at fault. */
  readonly kind: VerdictKind;
  readonly code: VerdictCode;
  /** Clause of protocol/README.md. */
  readonly clause: string;
  readonly fault: Fault;
}

/** A verdict, with the message when it was accepted. */
export type Judgement<T> =
  | (Verdict & { readonly kind: "accept"; readonly message: T })
  | (Verdict & {
      readonly kind: "ignore" | "reject";
      /** With INTERNAL: the thrown error. */
      readonly cause?: unknown;
    });

/** An accepted update and its values. */
export interface JudgedUpdate extends Update {
  /** f32[P]. */
  readonly values: Float32Array;
}

/** The verdict of a code. */
export function verdictOf<C extends VerdictCode>(code: C): Verdict & { readonly kind: (typeof VERDICTS)[C]["kind"] } {
  return { code, ...VERDICTS[code] };
}

/** An announcement whose bytes were decoded and nothing else; a code where they do not decode. */
export type OpenedAnnouncement = Decoded<AnnouncementFields> | VerdictCode;

/** Decode the bytes of an announcement once, for code that looks at it before it is judged. */
export function openAnnouncement(bytes: Uint8Array): OpenedAnnouncement {
  return decoded("announcement", bytes, decodeAnnouncementBody);
}

/** The content of an opened announcement, before anything in it is verified; undefined where it does not decode. */
export function announcementIn(opened: OpenedAnnouncement): Announcement | undefined {
  return typeof opened === "string" ? undefined : { ...opened.fields, author: opened.envelope.author };
}

/**
 * Judge an announcement, from gossip or out of a Heads message: its bytes, or their opened form.
 * `headOf` gives the last announcement that was accepted from an author.  Throws: nothing.
 */
export function judgeAnnouncement(
  message: Uint8Array | OpenedAnnouncement,
  context: JudgeContext,
): Judgement<Announcement> {
  return guarded(() => judgeOpened(message instanceof Uint8Array ? openAnnouncement(message) : message, context));
}

function judgeOpened(opened: OpenedAnnouncement, context: JudgeContext): Judgement<Announcement> {
  if (typeof opened === "string") return refusal(opened);
  const outsider = judgeAuthor(opened, context);
  if (outsider !== undefined) return refusal(outsider);
  const announcement: Announcement = { ...opened.fields, author: opened.envelope.author };
  const refused =
    judgeTwin(announcement, context) ?? judgeRound(announcement.round, context) ?? judgeChain(announcement, context);
  return refused === undefined ? { ...verdictOf("ACCEPTED"), message: announcement } : refusal(refused);
}

/**
 * Judge the bytes of an update that was fetched. `headOf` gives the last update that was accepted from an author;
 * `announcement` is the one because of which the bytes were asked for.  Throws: nothing.
 */
export function judgeUpdate(bytes: Uint8Array, context: UpdateContext): Judgement<JudgedUpdate> {
  return guarded(() => {
    const { announcement } = context;
    if (bytes.length > MESSAGE_KINDS.update.bytesMax) return refusal("TOO_LARGE");
    const contentId = contentIdOf(bytes, context.createSha256);
    // [REJECT] 8.3 The SHA-256 of the bytes is not the content id that was asked for.
    if (announcement !== undefined && contentId !== announcement.contentId) return refusal("CONTENT_MISMATCH");
    const opened = open("update", bytes, decodeUpdateBody, context);
    if (typeof opened === "string") return refusal(opened);
    const update: Update = { ...opened.fields, author: opened.author, contentId, bytesLength: bytes.length };
    const refused = judgeTwin(update, context) ?? judgeRound(update.round, context) ?? judgeChain(update, context);
    if (refused !== undefined) return refusal(refused);
    // [REJECT] 8.20, 8.21, 8.22, 8.25 The encoding is not one that the manifest takes; the payload is not as long as it
    // says; a value is NaN or infinite; the payload is not in canonical form.
    // [IGNORE] 8.26 It is of changes to an update that the receiver does not know.
    const previous = context.valuesOf?.(update);
    const values = attempt(() => decodeUpdate(update, { ...context, previous }));
    if (typeof values === "string") return refusal(values);
    // [REJECT] 8.23 Author, round, sequence or length are not what the announcement said.
    if (announcement !== undefined && !agrees(update, announcement)) return refusal("ANNOUNCEMENT_MISMATCH");
    return { ...verdictOf("ACCEPTED"), message: { ...update, values } };
  });
}

/** Conditions on a sketch's bytes beside their own form. */
export type SketchContext = Pick<JudgeContext, "networkId" | "self" | "isMember" | "maySend" | "verify"> & {
  /** Whose sketch was asked for. */
  readonly author: PeerId;
};

/** Judge the bytes of a sketch that was fetched.  Throws: nothing. */
export function judgeSketch(bytes: Uint8Array, context: SketchContext): Judgement<SignedSketch> {
  return guarded(() => {
    const opened = open("sketch", bytes, decodeSketchBody, context);
    if (typeof opened === "string") return refusal(opened);
    // [REJECT] 8.3 Its author is not the one whose sketch was asked for.
    if (opened.author !== context.author) return refusal("CONTENT_MISMATCH");
    return { ...verdictOf("ACCEPTED"), message: { ...opened.fields, author: opened.author } };
  });
}

interface Opened<Fields> {
  readonly author: PeerId;
  readonly fields: Fields;
}

/** Clauses 8.2 to 8.11: everything that can be said without knowing rounds and chains. */
function open<Fields extends { readonly networkId: string }>(
  kind: MessageKind,
  bytes: Uint8Array,
  decodeBody: (body: Uint8Array) => Fields,
  context: AuthorContext,
): Opened<Fields> | VerdictCode {
  const found = decoded(kind, bytes, decodeBody);
  if (typeof found === "string") return found;
  return judgeAuthor(found, context) ?? { author: found.envelope.author, fields: found.fields };
}

/** An envelope and its body, decoded. */
interface Decoded<Fields> {
  readonly envelope: Envelope;
  readonly fields: Fields;
}

function decoded<Fields>(
  kind: MessageKind,
  bytes: Uint8Array,
  decodeBody: (body: Uint8Array) => Fields,
): Decoded<Fields> | VerdictCode {
  // [REJECT] 8.2 The envelope is longer than its kind allows.  8.4 Envelope or body do not decode, or a key, signature
  // or id has the wrong length.  8.5 They are not in canonical form.  8.6 The envelope is of another kind.  8.7 A field
  // of the body is out of its bounds.
  return attempt(() => {
    const envelope = openEnvelope(kind, bytes);
    return { envelope, fields: decodeBody(envelope.body) };
  });
}

type AuthorContext = Pick<JudgeContext, "networkId" | "self" | "isMember" | "maySend" | "verify">;

function judgeAuthor(
  { envelope, fields }: Decoded<{ readonly networkId: string }>,
  context: AuthorContext,
): VerdictCode | undefined {
  // [REJECT] 8.8 The signature is not the author's over this kind's domain and this body.
  if (!verifyEnvelope(envelope, context.verify)) return "SIGNATURE_INVALID";
  // [REJECT] 8.9 The network id is not this network's.
  if (fields.networkId !== context.networkId) return "NETWORK_MISMATCH";
  // [IGNORE] 8.10 The author is this peer itself.
  if (envelope.author === context.self) return "OWN";
  // [IGNORE] 8.11 The author is not a member, as far as this peer knows.
  if (!context.isMember(envelope.author)) return "NOT_A_MEMBER";
  // [IGNORE] 8.27 The author's role, as far as this peer knows, is not one that sends such a message.
  if (context.maySend?.(envelope.author, envelope.kind) === false) return "ROLE_FORBIDS";
  return undefined;
}

function judgeTwin(
  { author, sequence, contentId }: Pick<Announcement, "author" | "sequence" | "contentId">,
  context: JudgeContext,
): VerdictCode | undefined {
  const head = context.headOf(author);
  const known = head?.sequence === sequence ? head.contentId : context.linkOf?.(author, sequence);
  // [REJECT] 8.17 Same sequence as the known head or an earlier message that is remembered, another content id.
  return known !== undefined && known !== contentId ? "EQUIVOCATION" : undefined;
}

function judgeRound(round: number, context: JudgeContext): VerdictCode | undefined {
  // [REJECT] 8.12 The round is not one of the network's.
  if (round >= context.roundCount) return "ROUND_OUT_OF_RANGE";
  // [IGNORE] 8.13 The round is further ahead of the receiver's than the window allows.
  if (round > context.round + context.roundsAheadMax) return "ROUND_AHEAD";
  // [IGNORE] 8.14 The round is further behind the receiver's than the network's ageMax.
  if (round < context.round - context.roundsBehindMax) return "ROUND_OLD";
  return undefined;
}

function judgeChain(
  message: {
    readonly author: PeerId;
    readonly round: number;
    readonly sequence: number;
    readonly contentId: ContentId;
    readonly previous?: ContentId | undefined;
  },
  context: JudgeContext,
): VerdictCode | undefined {
  const head = context.headOf(message.author);
  if (head === undefined) return undefined;
  // [IGNORE] 8.16 The sequence is lower than that of the author's known head.
  if (message.sequence < head.sequence) return "OLD";
  // [IGNORE] 8.15 It is the author's known head; another content id was 8.17.
  if (message.sequence === head.sequence) return "DUPLICATE";
  // [REJECT] 8.18 The round is lower than that of the author's known head.
  if (message.round < head.round) return "ROUND_BACKWARDS";
  // [REJECT] 8.19 An update follows the known head directly and does not name it as its previous one. A gap is no fault.
  const follows = message.sequence === head.sequence + 1 && "previous" in message;
  return follows && message.previous !== head.contentId ? "CHAIN_BROKEN" : undefined;
}

function agrees(update: Update, announcement: Announcement): boolean {
  return (
    update.author === announcement.author &&
    update.round === announcement.round &&
    update.sequence === announcement.sequence &&
    update.bytesLength === announcement.bytesLength
  );
}

function refusal(code: VerdictCode): Judgement<never> {
  const verdict = verdictOf(code);
  if (verdict.kind === "accept") throw new Error(`${code} is no refusal`);
  return { ...verdict, kind: verdict.kind };
}

/** The result of a decoder on remote bytes, or the verdict that follows from its ProtocolError. */
function attempt<T extends object>(decode: () => T): T | VerdictCode {
  try {
    return decode();
  } catch (error) {
    if (error instanceof ProtocolError && Object.hasOwn(VERDICTS, error.code)) return error.code as VerdictCode;
    throw error;
  }
}

function guarded<T>(judge: () => Judgement<T>): Judgement<T> {
  try {
    return judge();
  } catch (cause) {
    // [IGNORE] 8.24 The receiver failed while it judged; that is not the sender's fault.
    return { ...verdictOf("INTERNAL"), cause };
  }
}
