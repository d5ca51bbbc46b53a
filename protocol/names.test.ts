import { createHash } from "node:crypto";
import { publicKeyFromRaw } from "@libp2p/crypto/keys";
import { peerIdFromPublicKey as libp2pPeerId } from "@libp2p/peer-id";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { closestName } from "./closest-name.ts";
import { type ContentId, contentIdFromBytes, contentIdOf, contentIdToBytes, parseContentId } from "./content-id.ts";
import { PROTOCOL_ERROR_CODES, ProtocolError } from "./errors.ts";
import { announcementTopic } from "./gossip-topics.ts";
import { networkIdFromBytes, networkIdToBytes, parseNetworkId } from "./network-id.ts";
import { parsePeerId, peerIdFromPublicKey, publicKeyOfPeerId } from "./peer-id.ts";

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const hex = "0123456789abcdef".repeat(4);

describe("content ids", () => {
  test("are the SHA-256 that node:crypto computes", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(contentIdOf(bytes)).toBe(createHash("sha256").update(bytes).digest("hex"));
      }),
    );
  });

  test("survive the way to bytes and back", () => {
    expect(contentIdFromBytes(contentIdToBytes(hex as ContentId))).toBe(hex);
  });

  test.each(["", hex.toUpperCase(), hex.slice(1), `${hex}0`, ` ${hex.slice(1)}`, `${hex}\n`])(
    "%j is refused",
    (text) => {
      expect(() => parseContentId(text)).toThrow(expect.objectContaining({ code: "CONTENT_ID_INVALID" }));
      expect(() => parseNetworkId(text)).toThrow(expect.objectContaining({ code: "NETWORK_ID_INVALID" }));
    },
  );

  test.each([0, 31, 33])("%d bytes are refused", (length) => {
    const bytes = new Uint8Array(length);
    expect(() => contentIdFromBytes(bytes)).toThrow(expect.objectContaining({ code: "CONTENT_ID_INVALID" }));
    expect(() => networkIdFromBytes(bytes)).toThrow(expect.objectContaining({ code: "NETWORK_ID_INVALID" }));
  });
});

describe("peer ids", () => {
  test("are those of libp2p", () => {
    fc.assert(
      fc.property(key, (publicKey) => {
        const ours = peerIdFromPublicKey(publicKey);
        expect(ours).toBe(libp2pPeerId(publicKeyFromRaw(publicKey)).toString());
        expect(ours).toMatch(/^12D3KooW.{44}$/);
      }),
      { numRuns: 50 },
    );
  });

  test("give their key back", () => {
    fc.assert(
      fc.property(key, (publicKey) => {
        expect(publicKeyOfPeerId(peerIdFromPublicKey(publicKey))).toEqual(publicKey);
      }),
    );
  });

  test("arbitrary text is refused with a code", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ minLength: 52, maxLength: 52 })), (text) => {
        expect(() => parsePeerId(text)).toThrow(expect.objectContaining({ code: "PEER_ID_INVALID" }));
      }),
    );
  });

  test.each([
    ["an RSA peer id", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"],
    ["a secp256k1 peer id", "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY"],
    ["one character short", peerIdFromPublicKey(new Uint8Array(32)).slice(1)],
    ["a character above U+00FF", "12D3KooWJWoaqZhDaoEFshF7R\ufffd1bpY9ohihFhzcW6d69Lr2NASuq"],
    ["a character outside the alphabet", `${peerIdFromPublicKey(new Uint8Array(32)).slice(1)}0`],
  ])("%s is refused", (_, text) => {
    expect(() => parsePeerId(text)).toThrow(expect.objectContaining({ code: "PEER_ID_INVALID" }));
  });

  test("a key of 31 bytes is refused", () => {
    expect(() => peerIdFromPublicKey(new Uint8Array(31))).toThrow(expect.objectContaining({ code: "PEER_ID_INVALID" }));
  });
});

test("networks that differ in their first 16 digits do not share a topic", () => {
  expect(announcementTopic(parseNetworkId(hex)).name).toBe("/weft/0123456789abcdef/announce/1");
  expect(networkIdFromBytes(networkIdToBytes(parseNetworkId(hex)))).toBe(hex);
});

describe("did you mean", () => {
  const names = ["batchSize", "learningRate", "max", "maxTokens"];
  test.each([
    ["batchsize", "batchSize"],
    ["batchSzie", "batchSize"],
    ["learning-rate", "learningRate"],
    ["learningRates", "learningRate"],
    ["mx", "max"],
    ["maxToken", "maxTokens"],
    ["min", undefined],
    ["colour", undefined],
    ["", undefined],
    ["batchSize".repeat(100), undefined],
  ])("%s: %s", (word, expected) => {
    expect(closestName(word, names)).toBe(expected);
  });
});

test("error codes are distinct and sorted, and an error carries code, line and facts", () => {
  expect([...new Set(PROTOCOL_ERROR_CODES)].sort()).toEqual(PROTOCOL_ERROR_CODES);
  const error = new ProtocolError("TOO_LARGE", "heads: too many", { count: 3 }, { cause: "x" });
  expect(error).toMatchObject({ name: "ProtocolError", code: "TOO_LARGE", facts: { count: 3 }, cause: "x" });
});
