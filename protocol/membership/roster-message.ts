/**
 * Messages about a roster, as they are gossiped and told to neighbours: an entry, or something that may become one. Each of
 * them is signed inside, so any peer may pass it on. On the wire each is a `RosterNote` (10.12).
 */
import { decodeCanonical, encodeCanonical } from "../canonical-message.ts";
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { RosterNoteSchema, RosterNotesSchema } from "./membership_pb.ts";

/**
 * `entry`: of the roster; `draft`: one that waits for signatures, each of which says that its admin agrees to the
 * statement; `request`: of admission; `denial`: an admin's answer to one; `proof`: of equivocation.
 */
export type RosterMessageKind = "entry" | "draft" | "request" | "denial" | "proof";

/** One message about a roster. */
export interface RosterMessage {
  readonly kind: RosterMessageKind;
  /** RosterEntry, AdmissionRequest, AdmissionReply or EquivocationProof. */
  readonly body: Uint8Array;
}

const KIND_NUMBERS: Readonly<Record<RosterMessageKind, number>> = {
  entry: 1,
  draft: 2,
  request: 3,
  denial: 4,
  proof: 5,
};
const KINDS = Object.keys(KIND_NUMBERS) as readonly RosterMessageKind[];

/** Bytes of a message, as `decodeRosterMessage` reads them. */
export function encodeRosterMessage({ kind, body }: RosterMessage): Uint8Array {
  return encodeCanonical(RosterNoteSchema, { kind: KIND_NUMBERS[kind], body });
}

/** Read a message, without the message in it.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, FIELD_INVALID (a kind not known). */
export function decodeRosterMessage(bytes: Uint8Array): RosterMessage {
  const note = decodeCanonical(RosterNoteSchema, bytes, LIMITS.rosterNoteBytesMax);
  const kind = KINDS.find((name) => KIND_NUMBERS[name] === note.kind);
  if (kind === undefined) throw new ProtocolError("FIELD_INVALID", `roster note: kind ${note.kind} is not known`);
  return { kind, body: note.body };
}

/** Several messages as one, as many from the first as fit into LIMITS.rosterMessageBytesMax. */
export function encodeRosterMessages(messages: readonly Uint8Array[]): Uint8Array {
  let room = LIMITS.rosterMessageBytesMax;
  const fitting = messages.slice(0, LIMITS.rosterNoteCountMax).filter(({ length }) => {
    room -= length + FRAMING_BYTES;
    return room >= 0;
  });
  return encodeCanonical(RosterNotesSchema, { notes: fitting });
}

/** Bytes of the messages that were put together.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL. */
export function decodeRosterMessages(bytes: Uint8Array): readonly Uint8Array[] {
  const { notes } = decodeCanonical(RosterNotesSchema, bytes, LIMITS.rosterMessageBytesMax);
  if (notes.length > LIMITS.rosterNoteCountMax) throw new ProtocolError("TOO_LARGE", "roster notes: too many");
  return notes;
}

/** Tag and length of a message of at most LIMITS.rosterNoteBytesMax. */
const FRAMING_BYTES = 4;
