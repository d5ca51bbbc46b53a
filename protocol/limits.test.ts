/** Every limit is filled once, and passed by one; those of membership in membership/limits.test.ts, the largest in largest-updates.long.test.ts. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeAddresses, encodeAddresses } from "./addresses.ts";
import { type AnnouncementFields, signAnnouncement } from "./announcement.ts";
import { decodeBlobHeader, decodeBlobRequest, encodeBlobHeader, encodeBlobRequest } from "./blob.ts";
import { decodeCheckupReply, decodeCheckupRequest, encodeCheckupRequest } from "./checkup.ts";
import { readFeatures } from "./features.ts";
import { decodeHello, decodeReply, encodeHello } from "./handshake.ts";
import { decodeHeads, encodeHeads } from "./heads.ts";
import { code, LARGEST_LIMITS, limitsOfThisFile, list, MEMBERSHIP_LIMITS, name } from "./limits.suite.ts";
import { LIMIT_NOTES, LIMITS, type LimitName } from "./limits.ts";
import { canonicalManifestBytes, manifestFromBytes, type NetworkManifest, parseManifest } from "./network-manifest.ts";
import { peerIdFromPublicKey } from "./peer-id.ts";
import { signSketch } from "./sketch.ts";
import { signUpdate, type UpdateFields } from "./update.ts";
import {
  ALICE,
  EXAMPLE_CONTEXT,
  EXAMPLE_MANIFEST,
  EXAMPLE_SKETCH,
  EXAMPLE_UPDATE,
  SOME_CONTENT_ID,
} from "./vectors/example-network.ts";
import { judgeAnnouncement, judgeSketch, judgeUpdate } from "./verdict.ts";

const { filled, fills } = limitsOfThisFile();

const UINT32_MAX = 0xffff_ffff;

describe("updates", () => {
  const longest: UpdateFields = {
    ...EXAMPLE_UPDATE,
    sequence: UINT32_MAX,
    localSteps: LIMITS.localStepsMax,
    sampleCount: LIMITS.sampleCountMax,
  };

  fills(["localStepsMax", "sampleCountMax"], () => {
    expect(judgeUpdate(signUpdate(longest, ALICE).bytes, EXAMPLE_CONTEXT).code).toBe("ACCEPTED");
    for (const key of ["localSteps", "sampleCount"] as const) {
      const over = { ...longest, [key]: longest[key] + 1 };
      expect(() => signUpdate(over, ALICE), key).toThrow(code("FIELD_INVALID"));
    }
  });

  fills(["roundsAheadMax"], () => {
    const { roundsAheadMax } = LIMITS;
    const { bytes } = signUpdate({ ...EXAMPLE_UPDATE, round: roundsAheadMax + 3 }, ALICE);
    expect(judgeUpdate(bytes, { ...EXAMPLE_CONTEXT, round: 3 }).code).toBe("ACCEPTED");
    expect(judgeUpdate(bytes, { ...EXAMPLE_CONTEXT, round: 2 }).code).toBe("ROUND_AHEAD");
  });
});

describe("announcements and heads", () => {
  const longest: AnnouncementFields = {
    networkId: EXAMPLE_UPDATE.networkId,
    round: UINT32_MAX,
    sequence: UINT32_MAX,
    contentId: SOME_CONTENT_ID,
    bytesLength: LIMITS.updateBytesMax,
  };

  fills(["announcementBytesMax"], () => {
    const bytes = signAnnouncement(longest, ALICE);
    const context = { ...EXAMPLE_CONTEXT, round: UINT32_MAX, roundCount: UINT32_MAX + 1 };
    expect(judgeAnnouncement(bytes, context).code).toBe("ACCEPTED");
    // What the reason in the table counts.
    expect(bytes.length).toBe(189);
    expect(judgeAnnouncement(new Uint8Array(LIMITS.announcementBytesMax), context).code).toBe("MALFORMED");
    expect(judgeAnnouncement(new Uint8Array(LIMITS.announcementBytesMax + 1), context).code).toBe("TOO_LARGE");
  });

  fills(["headsCountMax", "headsBytesMax"], () => {
    const full = list(LIMITS.headsCountMax, () => new Uint8Array(LIMITS.announcementBytesMax).fill(7));
    const bytes = encodeHeads(full);
    expect(bytes.length).toBe(LIMITS.headsBytesMax);
    expect(decodeHeads(bytes)).toEqual(full);
    expect(() => decodeHeads(Buffer.concat([bytes, Uint8Array.of(0x0a, 0)]))).toThrow(code("TOO_LARGE"));
    expect(() => encodeHeads([...full, new Uint8Array(1)])).toThrow(code("TOO_LARGE"));
    expect(() => encodeHeads([new Uint8Array(LIMITS.announcementBytesMax + 1)])).toThrow(code("TOO_LARGE"));
    const many = new Uint8Array(2 * (LIMITS.headsCountMax + 1)).map((_, i) => (i % 2 === 0 ? 0x0a : 0));
    expect(() => decodeHeads(many)).toThrow(code("TOO_LARGE"));
    const long = Uint8Array.of(0x0a, 0x81, 0x02, ...new Uint8Array(LIMITS.announcementBytesMax + 1));
    expect(() => decodeHeads(long)).toThrow(code("TOO_LARGE"));
  });
});

describe("addresses", () => {
  const base = `/p2p/${ALICE.peer}`;
  const address = (i: number, length: number = LIMITS.addressBytesMax) =>
    `/dns4/${String(i).padEnd(length - base.length - 6, ".")}${base}`;

  fills(["addressesCountMax", "addressBytesMax", "addressesBytesMax", "addressesPerPeerMax"], () => {
    const peers = list(LIMITS.addressesCountMax, (i) => peerIdFromPublicKey(new Uint8Array(32).fill(i)));
    const full = peers.map((peer, i) => address(i).replace(ALICE.peer, peer));
    const bytes = encodeAddresses(full);
    expect(bytes.length).toBe(LIMITS.addressesBytesMax);
    expect(decodeAddresses(bytes)).toEqual(full);
    expect(() => encodeAddresses([...full, address(1)])).toThrow(code("TOO_LARGE"));
    expect(() => encodeAddresses([address(1, LIMITS.addressBytesMax + 1)])).toThrow(code("FIELD_INVALID"));
    expect(() => decodeAddresses(Buffer.concat([bytes, Uint8Array.of(0x0a, 0)]))).toThrow(code("TOO_LARGE"));
    const many = new Uint8Array(2 * (LIMITS.addressesCountMax + 1)).map((_, i) => (i % 2 === 0 ? 0x0a : 0));
    expect(() => decodeAddresses(many)).toThrow(code("TOO_LARGE"));
    const ofOne = list(LIMITS.addressesPerPeerMax + 1, (i) => address(i, 90));
    expect(decodeAddresses(encodeAddresses(ofOne))).toEqual(ofOne.slice(0, LIMITS.addressesPerPeerMax));
    const long = new TextEncoder().encode(address(1, LIMITS.addressBytesMax + 1));
    expect(decodeAddresses(Uint8Array.of(0x0a, 0x81, 0x02, ...long))).toEqual([]);
  });

  fills(["sketchBytesMax", "sketchComponentCountMax"], () => {
    const [one] = EXAMPLE_SKETCH.components;
    const components = list(LIMITS.sketchComponentCountMax, () => one!);
    const bytes = signSketch({ ...EXAMPLE_SKETCH, components }, ALICE);
    expect(bytes.length).toBeLessThanOrEqual(LIMITS.sketchBytesMax);
    const context = { ...EXAMPLE_CONTEXT, author: ALICE.peer };
    expect(judgeSketch(bytes, context).code).toBe("ACCEPTED");
    expect(judgeSketch(new Uint8Array(LIMITS.sketchBytesMax + 1), context).code).toBe("TOO_LARGE");
    const more = { ...EXAMPLE_SKETCH, components: [...components, one!] };
    expect(() => signSketch(more, ALICE)).toThrow(code("FIELD_INVALID"));
  });

  fills(["checkupBytesMax"], () => {
    const full = list(LIMITS.addressesPerPeerMax, (i) => address(i));
    const bytes = encodeCheckupRequest(full, ALICE.peer);
    expect(bytes.length).toBeLessThanOrEqual(LIMITS.checkupBytesMax);
    expect(decodeCheckupRequest(bytes, ALICE.peer)).toEqual(full);
    expect(() => encodeCheckupRequest([...full, address(9)], ALICE.peer)).toThrow(code("TOO_LARGE"));
    const long = new Uint8Array(LIMITS.checkupBytesMax + 1);
    expect(() => decodeCheckupRequest(long, ALICE.peer)).toThrow(code("TOO_LARGE"));
    expect(() => decodeCheckupReply(long, 0)).toThrow(code("TOO_LARGE"));
  });
});

describe("blobs", () => {
  fills(["blobHeaderBytesMax"], () => {
    const longest = { status: "found", length: LIMITS.updateBytesMax } as const;
    expect(decodeBlobHeader(encodeBlobHeader(longest))).toEqual(longest);
    expect(encodeBlobRequest(SOME_CONTENT_ID).length).toBeLessThan(LIMITS.blobHeaderBytesMax);
    const [at, over] = [new Uint8Array(LIMITS.blobHeaderBytesMax), new Uint8Array(LIMITS.blobHeaderBytesMax + 1)];
    for (const decode of [decodeBlobHeader, decodeBlobRequest]) {
      expect(() => decode(at)).toThrow(code("MALFORMED"));
      expect(() => decode(over)).toThrow(code("TOO_LARGE"));
    }
    const tooLong = { status: "found", length: LIMITS.updateBytesMax + 1 } as const;
    expect(() => encodeBlobHeader(tooLong)).toThrow(code("FIELD_INVALID"));
  });
});

describe("manifests", () => {
  const fullest: NetworkManifest = {
    ...EXAMPLE_MANIFEST,
    name: "n".repeat(LIMITS.networkNameLengthMax),
    adapter: {
      kind: "lora",
      rank: LIMITS.adapterRankMax,
      alpha: 65_536,
      targets: list(LIMITS.targetCountMax, name),
      layers: list(LIMITS.layerCountMax, (i) => i + 1),
    },
    tensors: list(LIMITS.tensorCountMax, (i) => ({ name: name(i), shape: list(LIMITS.tensorRankMax, () => 8) })),
    rounds: { ...EXAMPLE_MANIFEST.rounds, count: LIMITS.roundCountMax, localSteps: LIMITS.localStepsMax },
    bootstrap: list(LIMITS.bootstrapCountMax, (i) => `/${name(i).slice(1)}`),
  };
  const refused = (changes: object, field: string) => {
    const manifest = { ...fullest, ...changes };
    expect(() => parseManifest(manifest), field).toThrow(
      expect.objectContaining({ code: "MANIFEST_INVALID", facts: { field } }),
    );
  };

  fills(
    [
      "manifestBytesMax",
      "handshakeBytesMax",
      "tensorCountMax",
      "tensorRankMax",
      "adapterRankMax",
      "layerCountMax",
      "targetCountMax",
      "bootstrapCountMax",
      "nameLengthMax",
      "networkNameLengthMax",
      "roundCountMax",
      "keyframeEveryMax",
    ],
    () => {
      const bytes = canonicalManifestBytes(fullest);
      expect(bytes.length).toBeLessThan(LIMITS.manifestBytesMax);
      expect(manifestFromBytes(bytes)).toEqual(fullest);
      expect(decodeHello(encodeHello(fullest))).toMatchObject({ manifest: fullest });

      const { adapter, tensors, rounds, bootstrap } = fullest;
      const topK = { share: 0.1, keyframeEvery: LIMITS.keyframeEveryMax };
      expect(() => parseManifest({ ...fullest, encoding: { values: "int8", topK } })).not.toThrow();
      refused(
        { encoding: { values: "int8", topK: { ...topK, keyframeEvery: LIMITS.keyframeEveryMax + 1 } } },
        "encoding.topK.keyframeEvery",
      );
      refused({ name: `${fullest.name}n` }, "name");
      refused({ adapter: { ...adapter, rank: LIMITS.adapterRankMax + 1 } }, "adapter.rank");
      refused({ adapter: { ...adapter, targets: list(LIMITS.targetCountMax + 1, name) } }, "adapter.targets");
      refused({ adapter: { ...adapter, targets: [`${name(0)}.`] } }, "adapter.targets[0]");
      refused({ adapter: { ...adapter, layers: list(LIMITS.layerCountMax + 1, (i) => i) } }, "adapter.layers");
      refused({ adapter: { ...adapter, layers: [LIMITS.layerCountMax + 1] } }, "adapter.layers");
      refused(
        {
          tensors: [...tensors, { name: "one more", shape: [1] }].map((t) => ({ ...t, name: t.name.replace(" ", "") })),
        },
        "tensors",
      );
      refused({ tensors: [{ name: `${name(0)}.`, shape: [1] }] }, "tensors[0].name");
      refused({ tensors: [{ name: "a", shape: [1, 1, 1, 1, 1] }] }, "tensors[0].shape");
      refused({ rounds: { ...rounds, count: LIMITS.roundCountMax + 1 } }, "rounds.count");
      refused({ bootstrap: [...bootstrap, "/ip4/127.0.0.1"] }, "bootstrap");
      refused({ bootstrap: [`/${name(0)}`] }, "bootstrap[0]");
    },
  );

  test("values in all, filled and passed by one", () => {
    const shape = (...dimensions: number[]) => ({ tensors: [{ name: "a", shape: dimensions }] });
    const one = { name: "b", shape: [1] };
    const float16 = { encoding: { values: "float16" } };
    expect(() => parseManifest({ ...fullest, ...shape(4096, 8192), ...float16 })).not.toThrow();
    refused({ tensors: [...shape(4096, 8192).tensors, one], ...float16 }, "tensors");
    refused(shape(LIMITS.parameterCountMax + 1), "tensors[0].shape[0]");
    // As float32 the bytes are what is passed first.
    expect(() => parseManifest({ ...fullest, ...shape(4096, 4096) })).not.toThrow();
    expect(() => parseManifest({ ...fullest, tensors: [...shape(4096, 4096).tensors, one] })).toThrow(
      "network manifest: tensors must fit into an update: they may take 67108868 bytes as float32, at most 67108864 are allowed",
    );
  });

  test("text and messages above the bound are refused unread", () => {
    expect(() => parseManifest(" ".repeat(LIMITS.manifestBytesMax + 1))).toThrow(code("TOO_LARGE"));
    expect(() => parseManifest(" ".repeat(LIMITS.manifestBytesMax))).toThrow(code("MANIFEST_INVALID"));
    expect(() => manifestFromBytes(new Uint8Array(LIMITS.manifestBytesMax + 1))).toThrow(code("TOO_LARGE"));
    for (const decode of [decodeHello, decodeReply]) {
      expect(() => decode(new Uint8Array(LIMITS.handshakeBytesMax + 1))).toThrow(code("TOO_LARGE"));
      expect(() => decode(new Uint8Array(LIMITS.handshakeBytesMax))).toThrow(code("MALFORMED"));
    }
  });
});

describe("features", () => {
  fills(["featureCountMax", "featureNameLengthMax"], () => {
    const { featureCountMax, featureNameLengthMax } = LIMITS;
    const full = list(featureCountMax, (i) => `f${String(i).padStart(featureNameLengthMax - 1, "0")}`);
    const hello = decodeHello(encodeHello(EXAMPLE_MANIFEST, undefined, full));
    expect(hello).toMatchObject({ features: full });
    expect(() => readFeatures([...full, "z"])).toThrow(code("TOO_LARGE"));
    expect(() => readFeatures(["f".repeat(featureNameLengthMax + 1)])).toThrow(code("FIELD_INVALID"));
    expect(() => encodeHello(EXAMPLE_MANIFEST, undefined, [...full, "z"])).toThrow(code("TOO_LARGE"));
  });
});

test("every limit was filled above, in largest-updates.long.test.ts or in membership/limits.test.ts, and has its row in README.md", () => {
  expect([...filled, ...LARGEST_LIMITS, ...MEMBERSHIP_LIMITS].sort()).toEqual(Object.keys(LIMITS).sort());
  const readme = readFileSync(new URL("./README.md", import.meta.url), "utf8");
  for (const key of Object.keys(LIMITS) as LimitName[]) {
    const { unit, reason } = LIMIT_NOTES[key];
    expect(readme, key).toContain(`| \`${key}\` | ${LIMITS[key]} | ${unit} | ${reason} |\n`);
  }
});
