/** What of an entry's bytes is read, and by which name the rest is refused. */
import { expect, test } from "vitest";
import { decodeCanonical, encodeCanonical } from "../canonical-message.ts";
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { peerIdFromPublicKey, publicKeyOfPeerId } from "../peer-id.ts";
import { DAVE, signedEntry, termsOf } from "../vectors/example-roster.ts";
import { decodeEntry } from "./entry.ts";
import { EntryBodySchema, RosterEntrySchema } from "./membership_pb.ts";

const { body, signatures } = signedEntry({ kind: "admit", ...termsOf(DAVE.peer) });
const codeOf = (read: () => unknown): string => {
  try {
    read();
    return "read";
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
};

test("a body that is not in canonical form is refused as that, whatever else is wrong with it", () => {
  const seen = new Set<string>();
  const changed = (at: number, ...bytes: readonly number[]) =>
    Uint8Array.of(...body.subarray(0, at), ...bytes, ...body.subarray(at + 1));
  for (let at = 0; at < body.length; at++) {
    const variants = [changed(at, body[at]! ^ 1), changed(at, body[at]! ^ 0x80), changed(at, body[at]! | 0x80, 0)];
    for (const variant of [...variants, changed(at)]) {
      const form = codeOf(() => decodeCanonical(EntryBodySchema, variant, LIMITS.rosterEntryBytesMax));
      const bytes = encodeCanonical(RosterEntrySchema, { body: variant, signatures: [...signatures] });
      const found = codeOf(() => decodeEntry(bytes));
      if (form !== "read") expect(found, `byte ${at}`).toBe(form);
      seen.add(`${form} ${found}`);
    }
  }
  expect([...seen]).toEqual(
    expect.arrayContaining(["NOT_CANONICAL NOT_CANONICAL", "MALFORMED MALFORMED", "read read", "read FIELD_INVALID"]),
  );
});

test("whoever changes the key that a peer id gave changes nobody else's", () => {
  const key = publicKeyOfPeerId(DAVE.peer);
  key.fill(0);
  expect(publicKeyOfPeerId(DAVE.peer)).toEqual(DAVE.publicKey);
  publicKeyOfPeerId(DAVE.peer)[0]! ^= 1;
  expect(peerIdFromPublicKey(publicKeyOfPeerId(DAVE.peer))).toBe(DAVE.peer);
});
