/** Which signatures hold, in which domain, and that a faster verifier decides as the strict one does. */
import { ed25519 } from "@noble/curves/ed25519.js";
import { describe, expect, test } from "vitest";
import { ALICE, SELF } from "../vectors/example-network.ts";
import {
  acceleratedVerifier,
  compareBytes,
  domainBytes,
  signStatement,
  type VerifySignature,
  verifyStrictly,
} from "./signatures.ts";

const { Point } = ed25519;
const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const statement = text("a statement");
/** A point of order 8. */
const torsion = Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
/** A point that ZIP 215 reads and RFC 8032 does not: its y is p + 1, the neutral element written a second way. */
const notCanonical = new Uint8Array(32).fill(0xff).with(0, 0xee).with(31, 0x7f);

describe("a statement", () => {
  test("is signed behind the name of its domain and a zero byte", () => {
    expect(domainBytes("genesis", statement)).toEqual(text("weft/genesis/1\0a statement"));
    expect(domainBytes("invite-key", new Uint8Array(0))).toEqual(text("weft/invite-key/1\0"));
    const { key, signature } = signStatement("roster-entry", statement, SELF);
    expect(key).toEqual(SELF.publicKey);
    expect(verifyStrictly(key, text("weft/roster-entry/1\0a statement"), signature)).toBe(true);
    expect(verifyStrictly(key, domainBytes("invite-ticket", statement), signature)).toBe(false);
    expect(verifyStrictly(ALICE.publicKey, domainBytes("roster-entry", statement), signature)).toBe(false);
  });

  test("of a key of small order, or of one that is not written canonically, is signed by nobody", () => {
    // R = S = 0 holds for every statement under the neutral element, where such keys are allowed.
    const free = new Uint8Array(64).with(0, 1);
    for (const key of [torsion.toBytes(), Point.ZERO.toBytes(), notCanonical]) {
      expect(verifyStrictly(key, statement, free)).toBe(false);
    }
    expect(ed25519.verify(free, statement, notCanonical, { zip215: true })).toBe(true);
  });
});

describe("a faster verifier", () => {
  const signature = SELF.sign(statement);
  /** Notes what it is asked, and says this. */
  const asked = (answer: boolean) => {
    const calls: (readonly Uint8Array[])[] = [];
    const fast: VerifySignature = (...call) => {
      calls.push(call);
      return answer;
    };
    return { calls, verify: acceleratedVerifier(fast) };
  };

  test("is believed when it accepts, and asked again of whom is not strict enough for it", () => {
    const yes = asked(true);
    expect(yes.verify(SELF.publicKey, statement, signature)).toBe(true);
    expect(yes.calls).toEqual([[SELF.publicKey, statement, signature]]);
    const no = asked(false);
    expect(no.verify(SELF.publicKey, statement, signature)).toBe(true);
    expect(no.verify(SELF.publicKey, statement, signature.with(0, signature[0]! ^ 1))).toBe(false);
    expect(no.calls).toHaveLength(2);
  });

  test("is not asked about a key that may sign nothing, nor about a signature of another length", () => {
    const { calls, verify } = asked(true);
    for (const key of [
      ...[torsion.toBytes(), Point.ZERO.toBytes(), notCanonical],
      ...[new Uint8Array(32).fill(0xff), SELF.publicKey.subarray(1), new Uint8Array(33), new Uint8Array(0)],
    ]) {
      expect(verify(key, statement, signature)).toBe(false);
      // Nor when it is shown again.
      expect(verify(key, statement, signature)).toBe(false);
    }
    for (const length of [0, 63, 65]) expect(verify(SELF.publicKey, statement, new Uint8Array(length))).toBe(false);
    expect(calls).toEqual([]);
    // What was refused is no reason to refuse the next one.
    expect(verify(SELF.publicKey, statement, signature)).toBe(true);
  });
});

test("bytes are in order by the first that differs, and a beginning stands before the whole", () => {
  const rows = [[], [0], [0, 0], [0, 255], [1], [1, 2, 3], [1, 2, 4], [2], [255]].map((row) => Uint8Array.from(row));
  for (const [i, a] of rows.entries()) {
    for (const [j, b] of rows.entries()) {
      expect(Math.sign(compareBytes(a, b)), `${a} and ${b}`).toBe(Math.sign(i - j));
    }
  }
  expect(compareBytes(Uint8Array.of(3), Uint8Array.of(10))).toBe(-7);
});
