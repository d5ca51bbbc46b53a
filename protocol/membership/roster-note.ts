/**
 * Notes about a roster, as they are gossiped and told to neighbours: an entry, or something that may become one. Each of
 * them is signed inside, so it does not matter who passes it on.
 */
import { decodeCanonical, encodeCanonical } from "../canonical-message.ts";
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { RosterNoteSchema, RosterNotesSchema } from "./membership_pb.ts";

/**
 * `entry`: of the roster; `draft`: one that waits for signatures, each of which says that its admin agrees to the
 * statement; `request`: of admission; `denial`: an admin's answer to one; `proof`: of equivocation.
 */
export type NoteKind = "entry" | "draft" | "request" | "denial" | "proof";

export interface RosterNote {
  readonly kind: NoteKind;
  /** RosterEntry, AdmissionRequest, AdmissionReply or EquivocationProof. */
  readonly body: Uint8Array;
}

const KIND_NUMBERS: Readonly<Record<NoteKind, number>> = { entry: 1, draft: 2, request: 3, denial: 4, proof: 5 };
const KINDS = Object.keys(KIND_NUMBERS) as readonly NoteKind[];

export function encodeNote({ kind, body }: RosterNote): Uint8Array {
  return encodeCanonical(RosterNoteSchema, { kind: KIND_NUMBERS[kind], body });
}

/** Read a note, not what is in it.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, FIELD_INVALID (a kind not known). */
export function decodeNote(bytes: Uint8Array): RosterNote {
  const note = decodeCanonical(RosterNoteSchema, bytes, LIMITS.rosterNoteBytesMax);
  const kind = KINDS.find((name) => KIND_NUMBERS[name] === note.kind);
  if (kind === undefined) throw new ProtocolError("FIELD_INVALID", `roster note: kind ${note.kind} is not known`);
  return { kind, body: note.body };
}

/** Several notes, as many from the first as fit into LIMITS.rosterMessageBytesMax. */
export function encodeNotes(notes: readonly Uint8Array[]): Uint8Array {
  let room = LIMITS.rosterMessageBytesMax;
  const fitting = notes.slice(0, LIMITS.rosterNoteCountMax).filter(({ length }) => {
    room -= length + FRAMING_BYTES;
    return room >= 0;
  });
  return encodeCanonical(RosterNotesSchema, { notes: fitting });
}

/** Bytes of the notes of one message.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL. */
export function decodeNotes(bytes: Uint8Array): readonly Uint8Array[] {
  const { notes } = decodeCanonical(RosterNotesSchema, bytes, LIMITS.rosterMessageBytesMax);
  if (notes.length > LIMITS.rosterNoteCountMax) throw new ProtocolError("TOO_LARGE", "roster notes: too many");
  return notes;
}

/** Tag and length of a note of at most LIMITS.rosterNoteBytesMax. */
const FRAMING_BYTES = 4;
