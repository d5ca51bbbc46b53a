import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSigner, openEnvelope, sealEnvelope, signedBytes, verifyEnvelope } from "./envelope.ts";
import { ALICE, BOB } from "./vectors/example-network.ts";

const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI = Buffer.from("302a300506032b6570032100", "hex");
const privateKey = (secretKey: Uint8Array) =>
  createPrivateKey({ key: Buffer.concat([PKCS8, secretKey]), format: "der", type: "pkcs8" });
const publicKey = (key: Uint8Array) =>
  createPublicKey({ key: Buffer.concat([SPKI, key]), format: "der", type: "spki" });
const secretKeys = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe("signing", () => {
  test("gives the bytes that node:crypto gives, over the domain and the body", () => {
    fc.assert(
      fc.property(secretKeys, fc.uint8Array({ maxLength: 300 }), (secretKey, body) => {
        const signer = createSigner(secretKey);
        const { signature, author } = openEnvelope("update", sealEnvelope("update", body, signer));
        const message = Buffer.concat([Buffer.from("weft/update/1\0"), body]);
        expect(author).toBe(signer.peer);
        expect(Buffer.from(signature)).toEqual(sign(null, message, privateKey(secretKey)));
        expect(verify(null, message, publicKey(signer.publicKey), signature)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  test("keeps its own copy of the key", () => {
    const secretKey = new Uint8Array(32).fill(2);
    const signer = createSigner(secretKey);
    secretKey.fill(0);
    expect(signer.sign(Uint8Array.of(1))).toEqual(ALICE.sign(Uint8Array.of(1)));
  });

  test.each([0, 31, 33, 64])("refuses a key of %d bytes", (length) => {
    expect(() => createSigner(new Uint8Array(length))).toThrow(expect.objectContaining({ code: "KEY_INVALID" }));
  });
});

test("no two kinds sign the same bytes, whatever the bodies are", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      expect(signedBytes("update", a)).not.toEqual(signedBytes("announcement", b));
    }),
  );
});

test("one changed bit anywhere in key, body or signature is noticed", () => {
  const envelope = openEnvelope("announcement", sealEnvelope("announcement", Uint8Array.of(1, 2, 3), ALICE));
  expect(verifyEnvelope(envelope)).toBe(true);
  for (const part of ["publicKey", "body", "signature"] as const) {
    for (let bit = 0; bit < 8 * envelope[part].length; bit += 13) {
      const changed = envelope[part].slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(verifyEnvelope({ ...envelope, [part]: changed }), `${part} bit ${bit}`).toBe(false);
    }
  }
  expect(verifyEnvelope({ ...envelope, kind: "update" })).toBe(false);
  expect(verifyEnvelope({ ...envelope, publicKey: BOB.publicKey })).toBe(false);
});

test("a signature with S raised by the group order is refused: nobody can rename another's message", () => {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const envelope = openEnvelope("update", sealEnvelope("update", Uint8Array.of(1), ALICE));
  const signature = envelope.signature.slice();
  let s = order;
  for (let i = 31; i >= 0; i--) s += BigInt(signature[32 + i]!) << BigInt(8 * i);
  for (let i = 0; i < 32; i++) signature[32 + i] = Number((s >> BigInt(8 * i)) & 255n);
  expect(verifyEnvelope({ ...envelope, signature })).toBe(false);
});
