/**
 * Acts that undo each other. A removal stands whatever else happens, and so does the end of the old key in a rotation; the new
 * key stands only while enough of those who signed for it do (10.5). So a rotation and another act that removes one of its
 * signers, concluded by admins who had not heard of each other, leave neither key: of two admins who sign each other's
 * rotation both would be out.
 */
import type { Entry, Statement } from "../../protocol/membership/entry.ts";
import type { PeerId } from "../../protocol/peer-id.ts";

/** Whose key an act ends, if anybody's. */
export function endedBy(statement: Statement): PeerId | undefined {
  if (statement.kind === "rotate") return statement.replaces;
  return statement.kind === "revoke" ? statement.subject : undefined;
}

/** A statement and those who are to sign it. */
export type Act = Pick<Entry, "statement" | "signers">;

/** Whether an act ends the key of a signer of a rotation. */
function undoes(act: Pick<Act, "statement">, rotation: Act): boolean {
  const ended = endedBy(act.statement);
  return rotation.statement.kind === "rotate" && ended !== undefined && rotation.signers.includes(ended);
}

/**
 * Whether a rotation is not to be signed while another act waits that has been: one of the two would undo the other. Of two
 * rotations that undo each other, that of the key which sorts first goes first, at every peer.
 */
export function waitsFor(rotation: Act, signed: Act): boolean {
  if (rotation.statement.kind !== "rotate") return false;
  const [isUndone, undoesIt] = [undoes(signed, rotation), undoes(rotation, signed)];
  const goesFirst =
    isUndone &&
    undoesIt &&
    signed.statement.kind === "rotate" &&
    rotation.statement.replaces < signed.statement.replaces;
  return (isUndone || undoesIt) && !goesFirst;
}

/** What comes of a signed act in the worst case once a statement has happened: of a rotation that it undoes, a removal. */
export function withoutSigner(signed: Act, statement: Statement): Statement {
  const { statement: before } = signed;
  if (before.kind !== "rotate" || !undoes({ statement }, signed)) return before;
  return { kind: "revoke", subject: before.replaces, reason: "other" };
}
