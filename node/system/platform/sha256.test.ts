/** The native hash and signer give, byte for byte, what the protocol's own give. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { contentIdOf, createPortableSha256 } from "../../../protocol/content-id.ts";
import { createSigner, openEnvelope, verifyEnvelope } from "../../../protocol/envelope.ts";
import { readUpdate, signUpdate } from "../../../protocol/update.ts";
import { EXAMPLE_CONTEXT, EXAMPLE_UPDATE, exampleSecretKey } from "../../../protocol/vectors/example-network.ts";
import { judgeUpdate } from "../../../protocol/verdict.ts";
import { createNativeSigner, createNativeVerifier } from "./ed25519.ts";
import { createNativeSha256 } from "./sha256.ts";

const secretKeys = fc.uint8Array({ minLength: 32, maxLength: 32 });

test("digests, in whatever pieces the bytes come", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (pieces) => {
      const [native, portable] = [createNativeSha256(), createPortableSha256()];
      for (const piece of pieces) {
        native.update(piece);
        portable.update(piece);
      }
      expect(Buffer.from(native.digest())).toEqual(Buffer.from(portable.digest()));
      const whole = Buffer.concat(pieces);
      expect(contentIdOf(whole, createNativeSha256)).toBe(contentIdOf(whole));
    }),
  );
});

test("signatures", () => {
  fc.assert(
    fc.property(secretKeys, fc.uint8Array({ maxLength: 300 }), (secretKey, message) => {
      const [native, portable] = [createNativeSigner(secretKey), createSigner(secretKey)];
      expect([native.peer, native.publicKey]).toEqual([portable.peer, portable.publicKey]);
      expect(native.sign(message)).toEqual(portable.sign(message));
    }),
    { numRuns: 20 },
  );
});

test("an update signed, read and judged by both is the same update", () => {
  const key = exampleSecretKey(2);
  const portable = signUpdate(EXAMPLE_UPDATE, createSigner(key));
  const native = signUpdate(EXAMPLE_UPDATE, createNativeSigner(key), createNativeSha256);
  expect(native).toEqual(portable);
  expect(readUpdate(native.bytes, createNativeSha256)).toEqual(readUpdate(portable.bytes));
  const verify = createNativeVerifier();
  expect(verifyEnvelope(openEnvelope("update", portable.bytes), verify)).toBe(true);
  const context = { ...EXAMPLE_CONTEXT, verify, createSha256: createNativeSha256 };
  expect(judgeUpdate(native.bytes, context)).toEqual(judgeUpdate(portable.bytes, EXAMPLE_CONTEXT));
  expect(judgeUpdate(native.bytes, context).code).toBe("ACCEPTED");
});

test("the signer keeps its own copy of the key, and takes none of another length", () => {
  const key = exampleSecretKey(2);
  const signer = createNativeSigner(key);
  key.fill(0);
  expect(signer.sign(Uint8Array.of(1))).toEqual(createSigner(exampleSecretKey(2)).sign(Uint8Array.of(1)));
  expect(() => createNativeSigner(new Uint8Array(31))).toThrow(expect.objectContaining({ code: "KEY_INVALID" }));
});
