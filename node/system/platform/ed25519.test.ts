/** The native verifier decides as the strict one does, on signatures that were made to tell verifiers apart. */
import { createHash } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { expect, test } from "vitest";
import { verifyStrictly } from "../../../protocol/membership/signatures.ts";
import { createNativeVerifier } from "./ed25519.ts";

const { Point } = ed25519;
const ORDER = Point.Fn.ORDER;
const message = new TextEncoder().encode("a statement");
const secret = new Uint8Array(32).fill(9);
const publicKey = ed25519.getPublicKey(secret);
const signature = ed25519.sign(message, secret);

/** A point of order 8. */
const torsion = Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");

/** A signature by the key a B + T: the equation holds times the cofactor, and not without it unless 8 divides k. */
function mixedOrder(attempt: number) {
  const a = 12345n;
  const r = 777n + BigInt(attempt);
  const key = Point.BASE.multiply(a).add(torsion).toBytes();
  const R = Point.BASE.multiply(r).toBytes();
  const k = challenge(R, key);
  const s = (r + k * a) % ORDER;
  return { key, signature: Buffer.concat([R, littleEndian(s)]), k };
}

function challenge(R: Uint8Array, key: Uint8Array): bigint {
  const digest = createHash("sha512").update(R).update(key).update(message).digest();
  return BigInt(`0x${Buffer.from(digest.toReversed()).toString("hex")}`) % ORDER;
}

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

test("valid, for another message, and with a bit changed", () => {
  const verify = createNativeVerifier();
  expect(verify(publicKey, message, signature)).toBe(true);
  expect(verify(publicKey, message.subarray(1), signature)).toBe(false);
  for (const at of [0, 31, 32, 63])
    expect(verify(publicKey, message, signature.with(at, signature[at]! ^ 1))).toBe(false);
  expect(verify(publicKey, message, signature.subarray(1))).toBe(false);
});

test("keys of small order, keys that are no point, and S above the order are refused", () => {
  const verify = createNativeVerifier();
  const zero = new Uint8Array(64).with(0, 1);
  for (const key of [torsion.toBytes(), Point.ZERO.toBytes(), new Uint8Array(32).fill(0xff), new Uint8Array(31)]) {
    expect(verify(key, message, zero)).toBe(false);
  }
  const s = BigInt(`0x${Buffer.from(signature.slice(32).toReversed()).toString("hex")}`);
  const above = Buffer.concat([signature.subarray(0, 32), littleEndian(s + ORDER)]);
  expect([verify(publicKey, message, above), verifyStrictly(publicKey, message, above)]).toEqual([false, false]);
});

test("keys of mixed order: what OpenSSL refuses and the cofactor allows is allowed", () => {
  const verify = createNativeVerifier();
  const all = Array.from({ length: 8 }, (_, i) => mixedOrder(i));
  expect(all.some(({ k }) => k % 8n !== 0n)).toBe(true);
  for (const { key, signature: one } of all) {
    expect(verifyStrictly(key, message, one)).toBe(true);
    expect(verify(key, message, one)).toBe(true);
  }
});
