/** The committed vectors are what the generator writes, and each of them holds, read from its file alone. */
import { readdirSync, readFileSync } from "node:fs";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { describe, expect, test } from "vitest";
import { decodeAddresses } from "../addresses.ts";
import { readAnnouncement } from "../announcement.ts";
import { decodeBlobHeader, decodeBlobRequest } from "../blob.ts";
import { decodeUpdate } from "../encoding/update-payload.ts";
import { createSigner } from "../envelope.ts";
import { ProtocolError } from "../errors.ts";
import { requiredFeatures } from "../features.ts";
import { decodeFrame } from "../frame.ts";
import { announcementTopic } from "../gossip-topics.ts";
import { answerHello, decodeReply } from "../handshake.ts";
import { decodeHeads } from "../heads.ts";
import { LIMITS } from "../limits.ts";
import { canonicalManifestBytes, networkId, parseManifest } from "../network-manifest.ts";
import { parsePeerId } from "../peer-id.ts";
import { judgeAnnouncement, judgeSketch, judgeUpdate, VERDICTS } from "../verdict.ts";
import type { AddressesVector } from "./addresses-vectors.ts";
import { type ConversationVector, conversationOutcome } from "./conversation-outcome.ts";
import type { DecodedVector, HandshakeVector, ManifestVector, PeerVector } from "./decoded-vectors.ts";
import { ALICE, BOB, EXAMPLE_CONTEXT, EXAMPLE_MANIFEST, STRANGER } from "./example-network.ts";
import type { FeaturesVector } from "./features-vectors.ts";
import { VECTOR_FILES, vectorFile } from "./generate.ts";
import type { JudgedVector } from "./judged-vectors.ts";
import { type MembershipVector, outcomeOf, vectorBytes } from "./membership-vectors.ts";
import type { PayloadVector } from "./payload-vectors.ts";
import type { SketchVector } from "./sketch-vectors.ts";

const read = (name: string): string => readFileSync(new URL(`./${name}.json`, import.meta.url), "utf8");
const vectors = <T>(name: string): T[] => JSON.parse(read(name));

test.each(Object.keys(VECTOR_FILES))("%s.json is what the generator writes", (name) => {
  expect(read(name)).toBe(vectorFile(name));
});

test("there is no file without a generator", () => {
  const files = readdirSync(new URL(".", import.meta.url)).filter((file) => file.endsWith(".json"));
  expect(files.sort()).toEqual(
    Object.keys(VECTOR_FILES)
      .map((name) => `${name}.json`)
      .sort(),
  );
  expect(() => vectorFile("nothing")).toThrow(RangeError);
});

describe.each(["announcements", "updates"])("%s", (file) => {
  const all = vectors<JudgedVector>(file);

  test.each(all)("$name", ({ bytes, round = 3, head, announcement, expected }) => {
    const context = { ...EXAMPLE_CONTEXT, round, headOf: () => head };
    const judgement =
      file === "announcements"
        ? judgeAnnouncement(hexToBytes(bytes), context)
        : judgeUpdate(hexToBytes(bytes), {
            ...context,
            ...(announcement === undefined ? {} : { announcement: readAnnouncement(hexToBytes(announcement)) }),
          });
    expect(judgement.code).toBe(expected);
    expect(judgement).toMatchObject(VERDICTS[expected]);
  });

  test("no two have the same name", () => {
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });
});

test.each(vectors<PeerVector>("peers"))("peer $peerId", ({ secretKey, publicKey, peerId }) => {
  const signer = createSigner(hexToBytes(secretKey));
  expect(bytesToHex(signer.publicKey)).toBe(publicKey);
  expect(signer.peer).toBe(peerId);
});

test.each(vectors<ManifestVector>("manifests"))("manifest: $name", ({ text, expected }) => {
  if ("field" in expected) {
    expect(() => parseManifest(text)).toThrow(expect.objectContaining({ code: "MANIFEST_INVALID", facts: expected }));
    return;
  }
  const manifest = parseManifest(text);
  expect(new TextDecoder().decode(canonicalManifestBytes(manifest))).toBe(text);
  expect(networkId(manifest)).toBe(expected.networkId);
  expect(announcementTopic(networkId(manifest)).name).toBe(expected.topic);
});

test.each(vectors<HandshakeVector>("handshakes"))("hello: $name", ({ hello, from, busy, expected, field, reply }) => {
  const context = { manifest: EXAMPLE_MANIFEST, isMember: (peer: string) => peer !== STRANGER.peer, busy };
  const answer = answerHello(hexToBytes(hello), parsePeerId(from), context);
  expect(answer.code).toBe(expected);
  expect(answer.difference?.path).toBe(field);
  expect(bytesToHex(answer.reply)).toBe(reply);
  expect(decodeReply(hexToBytes(reply)).code).toBe(expected);
});

test.each(vectors<FeaturesVector>("features"))("features: $message: $name", (vector) => {
  switch (vector.message) {
    case "manifest":
      expect(requiredFeatures(parseManifest(vector.text))).toEqual(vector.needs);
      return;
    case "hello": {
      const { own, expected: code, missing, reply } = vector;
      const manifest = parseManifest(vector.manifest);
      const context = { manifest, isMember: () => true, busy: false, ...(own && { features: own }) };
      const answer = answerHello(hexToBytes(vector.bytes), BOB.peer, context);
      expect(answer).toMatchObject({ code, missing });
      expect(bytesToHex(answer.reply)).toBe(reply);
      expect(decodeReply(answer.reply)).toMatchObject({ code, missing });
      return;
    }
    case "reply": {
      const { expected, bytes } = vector;
      if (!("refused" in expected)) expect(decodeReply(hexToBytes(bytes))).toMatchObject(expected);
      else expect(() => decodeReply(hexToBytes(bytes))).toThrow(expect.objectContaining({ code: expected.refused }));
    }
  }
});

test.each(vectors<DecodedVector>("decoded"))("$message: $name", ({ message, bytes, expected }) => {
  let result: unknown;
  try {
    result = { value: decoded(message, hexToBytes(bytes)) };
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    result = { code: (error as ProtocolError).code };
  }
  expect(result).toEqual(expected);
});

test.each(vectors<AddressesVector>("addresses"))("addresses: $name", ({ bytes, expected }) => {
  if ("code" in expected) {
    expect(() => decodeAddresses(hexToBytes(bytes))).toThrow(expect.objectContaining({ code: expected.code }));
    return;
  }
  expect(decodeAddresses(hexToBytes(bytes))).toEqual(expected.value);
});

test.each(vectors<PayloadVector>("payloads"))("payload: $name", (vector) => {
  const { tensors, manifestEncoding, sequence, previous, encoding, payload, expected } = vector;
  const decode = () =>
    decodeUpdate(
      { encoding, sequence, payload: hexToBytes(payload) },
      { tensors, encoding: manifestEncoding, previous: previous && Float32Array.from(previous) },
    );
  if ("code" in expected) {
    expect(decode).toThrow(expect.objectContaining({ code: expected.code }));
    expect(VERDICTS).toHaveProperty(expected.code);
    return;
  }
  expect([...decode()]).toEqual(expected.values);
});

test.each(vectors<SketchVector>("sketches"))("sketch: $name", ({ bytes, expected }) => {
  const judgement = judgeSketch(hexToBytes(bytes), { ...EXAMPLE_CONTEXT, author: ALICE.peer });
  expect(judgement).toMatchObject({ code: expected, ...VERDICTS[expected] });
});

test.each(vectors<MembershipVector>("membership"))("$message: $name", (vector) => {
  expect(outcomeOf(vector.message, vectorBytes(vector))).toBe(vector.expected);
});

test.each(vectors<ConversationVector>("conversations"))("$message: $name", (vector) => {
  expect(conversationOutcome(vector, vectorBytes(vector))).toBe(vector.expected);
});

function decoded(message: DecodedVector["message"], bytes: Uint8Array): unknown {
  switch (message) {
    case "reply": {
      const { code, networkId } = decodeReply(bytes);
      return { code, networkId };
    }
    case "heads":
      return decodeHeads(bytes).map(bytesToHex);
    case "blob-request":
      return decodeBlobRequest(bytes);
    case "blob-header":
      return decodeBlobHeader(bytes);
    case "frame": {
      const frame = decodeFrame(bytes, LIMITS.blobHeaderBytesMax);
      if (frame === undefined) return "incomplete";
      return { message: bytesToHex(frame.message), rest: bytesToHex(frame.rest) };
    }
  }
}
