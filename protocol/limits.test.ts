/** Every limit is filled once, and passed by one. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeAddresses, encodeAddresses } from "./addresses.ts";
import { type AnnouncementFields, signAnnouncement } from "./announcement.ts";
import { decodeBlobHeader, decodeBlobRequest, encodeBlobHeader, encodeBlobRequest } from "./blob.ts";
import { encodeCanonical } from "./canonical-message.ts";
import { decodeCheckupReply, decodeCheckupRequest, encodeCheckupRequest } from "./checkup.ts";
import { type ContentId, contentIdToBytes } from "./content-id.ts";
import { decodeUpdate, encodeUpdate } from "./encoding/update-payload.ts";
import { readFeatures } from "./features.ts";
import { decodeHello, decodeReply, encodeHello } from "./handshake.ts";
import { decodeHeads, encodeHeads } from "./heads.ts";
import { LIMIT_NOTES, LIMITS, type LimitName } from "./limits.ts";
import {
  createAdmissionRequest,
  judgeAdmissionRequest,
  readAdmissionReply,
  signAdmissionReply,
} from "./membership/admission.ts";
import { createEntry, decodeEntry, type EntryId, encodeEntry, signEntry } from "./membership/entry.ts";
import { checkEquivocation, createEquivocationProof } from "./membership/equivocation.ts";
import {
  canonicalGenesisBytes,
  createGenesis,
  genesisFromBytes,
  parseGenesis,
  signGenesis,
} from "./membership/genesis.ts";
import { createInvite, inviteText, parseInvite } from "./membership/invite.ts";
import { RosterInventorySchema, RosterNotesSchema } from "./membership/membership_pb.ts";
import { opensslSigner, opensslVerify } from "./membership/openssl.suite.ts";
import { decodeEntries, decodeInventory } from "./membership/roster-exchange.ts";
import { RosterLog } from "./membership/roster-log.ts";
import {
  decodeRosterMessage,
  decodeRosterMessages,
  encodeRosterMessage,
  encodeRosterMessages,
} from "./membership/roster-message.ts";
import type { RosterState } from "./membership/roster-state.ts";
import { isMember } from "./membership/roster-state.ts";
import { POLICY_DEFAULTS } from "./membership/settings.ts";
import { succeedingManifest, successorChain } from "./membership/succession.ts";
import {
  canonicalManifestBytes,
  manifestFromBytes,
  type NetworkManifest,
  networkId,
  parseManifest,
} from "./network-manifest.ts";
import { peerIdFromPublicKey } from "./peer-id.ts";
import { createPrng } from "./prng.ts";
import { signSketch } from "./sketch.ts";
import { signUpdate, type UpdateFields } from "./update.ts";
import {
  ALICE,
  EXAMPLE_CONTEXT,
  EXAMPLE_MANIFEST,
  EXAMPLE_SKETCH,
  EXAMPLE_UPDATE,
  SELF,
  SOME_CONTENT_ID,
} from "./vectors/example-network.ts";
import { EXAMPLE_GENESIS, NOW, ROSTER_ID, signedEntry, termsOf } from "./vectors/example-roster.ts";
import { judgeAnnouncement, judgeSketch, judgeUpdate } from "./verdict.ts";

const filled = new Set<LimitName>();
const fills = (names: readonly LimitName[], body: () => void): void => {
  for (const name of names) filled.add(name);
  test(names.join(", "), body);
};
const code = (expected: string) => expect.objectContaining({ code: expected });
const UINT32_MAX = 0xffff_ffff;
const name = (i: number) => String(i).padEnd(LIMITS.nameLengthMax, ".");
const list = <T>(length: number, make: (i: number) => T): T[] => Array.from({ length }, (_, i) => make(i));

describe("updates", () => {
  const longest: UpdateFields = {
    ...EXAMPLE_UPDATE,
    sequence: UINT32_MAX,
    localSteps: LIMITS.localStepsMax,
    sampleCount: LIMITS.sampleCountMax,
  };

  fills(["updatePayloadBytesMax", "updateBytesMax"], () => {
    // Zeros, which are values like any others and cost nothing to write down.
    const payload = new Uint8Array(LIMITS.updatePayloadBytesMax);
    // 64 MiB take JavaScript five seconds.
    const createSha256 = () => createHash("sha256");
    const { bytes } = signUpdate({ ...longest, payload }, opensslSigner(2), createSha256);
    expect(bytes.length).toBeLessThanOrEqual(LIMITS.updateBytesMax);
    const tensors = [{ name: "all", shape: [payload.length / 4] }];
    const context = { ...EXAMPLE_CONTEXT, tensors, verify: opensslVerify, createSha256 };
    expect(judgeUpdate(bytes, context).code).toBe("ACCEPTED");
    expect(judgeUpdate(new Uint8Array(LIMITS.updateBytesMax + 1), EXAMPLE_CONTEXT).code).toBe("TOO_LARGE");
  });

  fills(["parameterCountMax"], () => {
    const rules = (places: number) => ({
      tensors: [{ name: "all", shape: [places] }],
      encoding: { values: "int8", topK: { share: 0.0001, keyframeEvery: 2 } } as const,
    });
    const places = LIMITS.parameterCountMax;
    const previous = new Float32Array(places);
    const values = previous.slice().fill(3, places - 9);
    const update = encodeUpdate(values, { ...rules(places), sequence: 1, previous, prng: createPrng(0) });
    expect(update.payload.length).toBeLessThan(places / 1000);
    expect(decodeUpdate({ ...update, sequence: 1 }, { ...rules(places), previous }).at(-9)).toBeCloseTo(3, 1);
    const more = { ...rules(places + 1), sequence: 1, prng: createPrng(0) };
    expect(() => encodeUpdate(new Float32Array(places + 1), more)).toThrow(code("TOO_LARGE"));
  });

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

describe("membership", () => {
  const admins = list(LIMITS.signatureCountMax, (i) => opensslSigner(i + 1));
  const others = list(LIMITS.founderCountMax - admins.length, (i) =>
    peerIdFromPublicKey(new Uint8Array(32).fill(7).with(0, i)),
  );
  const membership = {
    kind: "roster",
    founders: [
      ...admins.map(({ peer }) => ({ peer, role: "admin" as const })),
      ...others.map((peer) => ({ peer, role: "trainer" as const })),
    ],
    threshold: LIMITS.signatureCountMax,
    policy: { ...POLICY_DEFAULTS, certificateSeconds: LIMITS.certificateSecondsMax },
  } as const;
  const manifest = { ...EXAMPLE_MANIFEST, membership };

  fills(["founderCountMax", "signatureCountMax", "certificateSecondsMax", "genesisBytesMax"], () => {
    const genesis = admins.reduce(signGenesis, createGenesis(manifest));
    const bytes = canonicalGenesisBytes(genesis);
    expect(genesisFromBytes(bytes, opensslVerify)).toEqual(genesis);
    expect(bytes.length - canonicalManifestBytes(manifest).length).toBeLessThan(256 * LIMITS.signatureCountMax);
    const over = (changes: object) => () => parseManifest({ ...manifest, membership: { ...membership, ...changes } });
    expect(over({ founders: [...membership.founders, { peer: SELF.peer, role: "relay" }] })).toThrow(
      code("MANIFEST_INVALID"),
    );
    expect(over({ threshold: LIMITS.signatureCountMax + 1 })).toThrow(code("MANIFEST_INVALID"));
    const policy = { ...membership.policy, certificateSeconds: LIMITS.certificateSecondsMax + 1 };
    expect(over({ policy })).toThrow(code("MANIFEST_INVALID"));
    const more = { ...genesis, signatures: [...genesis.signatures, genesis.signatures[0]] };
    expect(() => parseGenesis(more)).toThrow(code("GENESIS_INVALID"));
    expect(() => parseGenesis(" ".repeat(LIMITS.genesisBytesMax + 1))).toThrow(code("TOO_LARGE"));
    expect(() => genesisFromBytes(new Uint8Array(LIMITS.genesisBytesMax + 1))).toThrow(code("TOO_LARGE"));
  });

  fills(["successionCountMax"], () => {
    const round = (i: number) => i + 1;
    let before = EXAMPLE_GENESIS.manifest;
    const links = list(LIMITS.successionCountMax + 1, (i) => {
      before = succeedingManifest(before, { name: `network ${i}` }, round(i));
      return { manifest: before, entry: "ff".repeat(32) as EntryId, network: networkId(before), round: round(i) };
    });
    const manifestOf = (id: string) => links.find(({ network }) => network === id)?.manifest;
    const lengthOf = (successions: typeof links) =>
      successorChain(EXAMPLE_GENESIS.manifest, { successions }, manifestOf).manifests.length;
    expect(lengthOf(links.slice(0, -1))).toBe(1 + LIMITS.successionCountMax);
    expect(lengthOf(links)).toBe(1);
  });

  fills(["rosterParentCountMax", "rosterEntryBytesMax", "inviteUsesMax"], () => {
    const invite = { key: "ff".repeat(32), uses: LIMITS.inviteUsesMax };
    const fields = {
      networkId: ROSTER_ID,
      parents: list(LIMITS.rosterParentCountMax, (i) => (0xf0 + i).toString(16).repeat(32) as EntryId),
      author: admins[0]!.peer,
      signers: admins.map(({ peer }) => peer),
      sequence: UINT32_MAX,
      issuedAt: UINT32_MAX,
      statement: { kind: "admit", ...termsOf(others[0]!), invite },
    } as const;
    const bytes = encodeEntry(admins.reduce(signEntry, createEntry(fields)));
    expect(bytes.length).toBeLessThan(LIMITS.rosterEntryBytesMax);
    expect(decodeEntry(bytes)).toMatchObject(fields.statement.invite ? { statement: fields.statement } : {});
    expect(() => decodeEntry(new Uint8Array(LIMITS.rosterEntryBytesMax + 1))).toThrow(code("TOO_LARGE"));
    expect(() => createEntry({ ...fields, parents: [...fields.parents, "01".repeat(32) as EntryId] })).toThrow(
      code("TOO_LARGE"),
    );
    expect(() => createEntry({ ...fields, signers: [...fields.signers, SELF.peer, others[1]!] })).toThrow(
      code("TOO_LARGE"),
    );
    const uses = { ...fields.statement, invite: { ...invite, uses: LIMITS.inviteUsesMax + 1 } };
    expect(() => createEntry({ ...fields, statement: uses })).toThrow(code("FIELD_INVALID"));
  });

  fills(["rosterEntryCountMax", "rosterMessageBytesMax"], () => {
    const log = new RosterLog(EXAMPLE_GENESIS, { verify: opensslVerify, entryCountMax: 1 });
    const entry = (i: number) => encodeEntry(signedEntry({ kind: "admit", ...termsOf(others[i]!) }));
    expect(log.add(entry(0), NOW).outcome).toBe("added");
    expect(log.add(entry(1), NOW)).toMatchObject({ outcome: "refused", code: "FULL" });
    const names = list(LIMITS.rosterEntryCountMax, (i) =>
      contentIdToBytes(i.toString(16).padStart(64, "0") as ContentId),
    );
    const inventory = (all: Uint8Array[]) => encodeCanonical(RosterInventorySchema, { names: Buffer.concat(all) });
    expect(decodeInventory(inventory(names)).size).toBe(LIMITS.rosterEntryCountMax);
    expect(() => decodeInventory(inventory([...names, new Uint8Array(32).fill(0xff)]))).toThrow(code("TOO_LARGE"));
    for (const decode of [decodeInventory, decodeEntries]) {
      expect(() => decode(new Uint8Array(LIMITS.rosterMessageBytesMax + 1))).toThrow(code("TOO_LARGE"));
    }
  });

  fills(["inviteAddressCountMax", "inviteTextLengthMax", "labelLengthMax", "admissionRequestBytesMax"], () => {
    const base = `/p2p/${ALICE.peer}`;
    const address = (i: number) => `/dns4/${String(i).padEnd(LIMITS.addressBytesMax - base.length - 6, ".")}${base}`;
    const terms = { networkId: ROSTER_ID, role: "admin", uses: LIMITS.inviteUsesMax, notAfter: UINT32_MAX } as const;
    const secret = new Uint8Array(16).fill(0xff);
    const addresses = list(LIMITS.inviteAddressCountMax, address);
    const invite = createInvite({ ...terms, secret, addresses }, SELF);
    expect(inviteText(invite).length).toBeLessThan(LIMITS.inviteTextLengthMax);
    expect(parseInvite(inviteText(invite), opensslVerify)).toEqual(invite);
    const more = [...addresses, address(9)];
    expect(() => createInvite({ ...terms, secret, addresses: more }, SELF)).toThrow(code("INVITE_INVALID"));
    expect(() => parseInvite("q".repeat(LIMITS.inviteTextLengthMax + 1))).toThrow(code("INVITE_INVALID"));

    const label = "l".repeat(LIMITS.labelLengthMax);
    const request = createAdmissionRequest(invite, { label, issuedAt: UINT32_MAX }, ALICE);
    expect(request.length).toBeLessThan(LIMITS.admissionRequestBytesMax);
    const long = { label: `${label}l`, issuedAt: 0 };
    expect(() => createAdmissionRequest(invite, long, ALICE)).toThrow(code("FIELD_INVALID"));
    const { networkId } = EXAMPLE_UPDATE;
    const context = { state: { networkId } as RosterState, usesOf: () => 0, nowSeconds: NOW };
    const over = Buffer.concat([request, new Uint8Array(LIMITS.admissionRequestBytesMax)]);
    expect(judgeAdmissionRequest(over, context)).toMatchObject({ code: "MALFORMED" });
    expect(judgeAdmissionRequest(request, context)).toMatchObject({ code: "NETWORK_MISMATCH" });
  });

  fills(["admissionReplyBytesMax", "equivocationProofBytesMax"], () => {
    const entry = (subject: (typeof others)[number]) => {
      const fields = { networkId: ROSTER_ID, parents: [], author: SELF.peer, sequence: 1, issuedAt: NOW } as const;
      const signers = [SELF.peer, ...admins.slice(1).map(({ peer }) => peer)];
      const statement = { kind: "admit", ...termsOf(subject) } as const;
      return encodeEntry([SELF, ...admins.slice(1)].reduce(signEntry, createEntry({ ...fields, signers, statement })));
    };
    const named = { networkId: ROSTER_ID, request: SOME_CONTENT_ID };
    const reply = signAdmissionReply({ code: "admitted", entry: entry(others[0]!) }, named, SELF);
    expect(readAdmissionReply(reply, opensslVerify)).toMatchObject({ code: "admitted" });
    expect(reply.length - entry(others[0]!).length).toBeLessThan(256);
    expect(() => readAdmissionReply(new Uint8Array(LIMITS.admissionReplyBytesMax + 1))).toThrow(code("TOO_LARGE"));
    const both = [entry(others[0]!), entry(others[1]!)] as const;
    const proof = createEquivocationProof("roster-entry", both, opensslVerify);
    expect(proof.length).toBeLessThan(LIMITS.equivocationProofBytesMax);
    expect(() => checkEquivocation(new Uint8Array(LIMITS.equivocationProofBytesMax + 1))).toThrow(code("TOO_LARGE"));
  });

  fills(["rosterNoteBytesMax", "rosterNoteCountMax"], () => {
    const note = (bytes: number) => encodeRosterMessage({ kind: "proof", body: new Uint8Array(bytes) });
    expect(note(LIMITS.equivocationProofBytesMax).length).toBeLessThan(LIMITS.rosterNoteBytesMax);
    expect(() => decodeRosterMessage(note(LIMITS.rosterNoteBytesMax))).toThrow(code("TOO_LARGE"));
    const notes = list(LIMITS.rosterNoteCountMax + 1, () => note(1));
    expect(decodeRosterMessages(encodeRosterMessages(notes))).toHaveLength(LIMITS.rosterNoteCountMax);
    expect(() => decodeRosterMessages(encodeCanonical(RosterNotesSchema, { notes }))).toThrow(code("TOO_LARGE"));
    // Bytes are the bound before their number is.
    const long = list(LIMITS.rosterNoteCountMax, () => note(LIMITS.equivocationProofBytesMax));
    expect(decodeRosterMessages(encodeRosterMessages(long)).length).toBeLessThan(LIMITS.rosterNoteCountMax);
  });

  fills(["rosterPendingCountMax"], () => {
    const log = new RosterLog(EXAMPLE_GENESIS, { verify: opensslVerify });
    const first = signedEntry({ kind: "admit", ...termsOf(others[0]!) });
    const waiting = (i: number) =>
      encodeEntry(
        createEntry({
          ...first,
          parents: i === 0 ? [first.id] : [i.toString(16).padStart(64, "0") as EntryId],
          sequence: i,
        }),
      );
    for (let i = 0; i <= LIMITS.rosterPendingCountMax; i++) expect(log.add(waiting(i), NOW).outcome).toBe("pending");
    // The oldest one went.
    expect(log.missing()).toHaveLength(LIMITS.rosterPendingCountMax);
    expect(log.missing()).not.toContain(first.id);
  });

  fills(["clockSkewSeconds"], () => {
    const log = new RosterLog(EXAMPLE_GENESIS, { verify: opensslVerify });
    const late = signedEntry(
      { kind: "admit", ...termsOf(others[0]!) },
      { issuedAt: NOW + LIMITS.clockSkewSeconds + 1 },
    );
    expect(log.add(encodeEntry(late), NOW)).toMatchObject({ code: "EARLY" });
    expect(log.add(encodeEntry(late), NOW + 1)).toMatchObject({ outcome: "added" });
    const ends = NOW + 30 * 86_400 + LIMITS.clockSkewSeconds;
    expect([ends, ends + 1].map((at) => isMember(log.state(), others[0]!, at))).toEqual([true, false]);
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

test("every limit was filled above and has its row in README.md", () => {
  expect([...filled].sort()).toEqual(Object.keys(LIMITS).sort());
  const readme = readFileSync(new URL("./README.md", import.meta.url), "utf8");
  for (const key of Object.keys(LIMITS) as LimitName[]) {
    const { unit, reason } = LIMIT_NOTES[key];
    expect(readme, key).toContain(`| \`${key}\` | ${LIMITS[key]} | ${unit} | ${reason} |\n`);
  }
});
