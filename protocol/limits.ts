/**
 * Every bound on messages of strangers, and on the demands of a manifest on its peers. A peer refuses a larger message
 * before it looks inside. A test fills each bound once.
 */
const KIB = 1024;
const MIB = 1024 * KIB;

const updatePayloadBytesMax = 64 * MIB;
const announcementBytesMax = 256;
const headsCountMax = 1024;
const addressesCountMax = 128;
const addressBytesMax = 256;
const manifestBytesMax = 2 * MIB;
const signatureCountMax = 64;
const rosterEntryBytesMax = 8 * KIB;
const rosterEntryCountMax = 16 * KIB;
const sketchComponentCountMax = 64;

/** Every bound on bytes and counts that remote peers may fill. `LIMIT_NOTES` has units and reasons. */
export const LIMITS = {
  /** Values of one adapter, P. */
  parameterCountMax: 32 * MIB,
  /** One update's values as they are encoded. */
  updatePayloadBytesMax,
  /** One update's envelope. */
  updateBytesMax: updatePayloadBytesMax + 512,
  /** One announcement's envelope. */
  announcementBytesMax,
  /** Announcements in one Heads message. */
  headsCountMax,
  /** One Heads message: the most announcements, each at its longest with 3 bytes of tag and length. */
  headsBytesMax: headsCountMax * (announcementBytesMax + 3),
  /** Addresses in one Addresses message. */
  addressesCountMax,
  /** Addresses of one peer in one Addresses message. */
  addressesPerPeerMax: 4,
  /** One address. */
  addressBytesMax,
  /** One Addresses message: the most addresses, each at its longest with 3 bytes of tag and length. */
  addressesBytesMax: addressesCountMax * (addressBytesMax + 3),
  /** Components of one sketch. */
  sketchComponentCountMax,
  /** One sketch's envelope: the most components, each of 64 values of 4 bytes and a share of at most 3. */
  sketchBytesMax: sketchComponentCountMax * (64 * 4 + 3) + 192,
  /** One message of a checkup. */
  checkupBytesMax: 2048,
  /** The text of a manifest, or its canonical bytes. */
  manifestBytesMax,
  /** One HandshakeHello or HandshakeReply: a manifest and small fields. */
  handshakeBytesMax: manifestBytesMax + MIB + 64 * KIB,
  /** Names of features in a hello or reply. */
  featureCountMax: 64,
  /** One name of a feature. */
  featureNameLengthMax: 32,
  /** One BlobRequest or BlobReply. */
  blobHeaderBytesMax: 64,
  /** Local steps that an update may claim. */
  localStepsMax: 1_000_000,
  /** Training examples that an update may claim. */
  sampleCountMax: 1_000_000_000,
  /** Rounds that an update may be ahead of the receiver's own. */
  roundsAheadMax: 64,
  /** Updates from one that holds every value to the next; one less is how many a newcomer fetches besides the newest. */
  keyframeEveryMax: 64,
  /** Rounds of a network. */
  roundCountMax: 1_000_000,
  /** Tensors of one adapter. */
  tensorCountMax: 4096,
  /** Dimensions of one tensor. */
  tensorRankMax: 4,
  /** Rank of an adapter. */
  adapterRankMax: 1024,
  /** Layers that an adapter may list. */
  layerCountMax: 1024,
  /** Linear layers that an adapter may name. */
  targetCountMax: 64,
  /** Addresses in a manifest. */
  bootstrapCountMax: 64,
  /** Any name in a manifest: a tensor, a target, an address. */
  nameLengthMax: 256,
  /** Characters of a network's own name. */
  networkNameLengthMax: 64,
  /** Founders in a manifest. */
  founderCountMax: 256,
  /** Keys that sign one statement together. */
  signatureCountMax,
  /** A genesis file's text or canonical bytes: a manifest and its signatures. */
  genesisBytesMax: manifestBytesMax + 256 * signatureCountMax,
  /** Manifests that a network may go through after its first one. */
  successionCountMax: 64,
  /** Entries that one entry may name as those before it. */
  rosterParentCountMax: 16,
  /** One roster entry with its signatures. */
  rosterEntryBytesMax,
  /** Entries of one roster. */
  rosterEntryCountMax,
  /** Entries that wait for the ones before them. */
  rosterPendingCountMax: 1024,
  /** One RosterInventory or RosterEntries message. */
  rosterMessageBytesMax: MIB,
  /** How far two clocks may differ. */
  clockSkewSeconds: 300,
  /** Longest membership that a policy may allow one entry to grant. */
  certificateSecondsMax: 10 * 366 * 86_400,
  /** Peers that one invite may admit. */
  inviteUsesMax: 1024,
  /** Addresses in one invite. */
  inviteAddressCountMax: 4,
  /** Characters of an invite's text. */
  inviteTextLengthMax: 2048,
  /** One AdmissionRequest. */
  admissionRequestBytesMax: 768,
  /** One AdmissionReply. */
  admissionReplyBytesMax: rosterEntryBytesMax + 256,
  /** Characters of the name that a newcomer gives itself. */
  labelLengthMax: 64,
  /** One EquivocationProof. */
  equivocationProofBytesMax: 2 * rosterEntryBytesMax + 64,
  /** One RosterNote: a message that is gossiped about a roster. */
  rosterNoteBytesMax: 2 * rosterEntryBytesMax + 128,
  /** Notes that one peer keeps and tells: requests, drafts and denials together. */
  rosterNoteCountMax: 256,
} as const;

/** The name of a limit. */
export type LimitName = keyof typeof LIMITS;

/** Unit of each limit and why it is what it is; a test holds the table in README.md to this one. */
export const LIMIT_NOTES: Readonly<Record<LimitName, { readonly unit: string; readonly reason: string }>> = {
  parameterCountMax: {
    unit: "values",
    reason: "LoRA of rank 8 on all seven matrices of an 8-billion-parameter Llama has 20,971,520; next power of two",
  },
  updatePayloadBytesMax: {
    unit: "bytes",
    reason:
      "16,777,216 values as float32, parameterCountMax as float16; a manifest whose updates could take more is refused",
  },
  updateBytesMax: { unit: "bytes", reason: "updatePayloadBytesMax, and 512 for all other fields" },
  announcementBytesMax: { unit: "bytes", reason: "the longest possible announcement has 189; rounded up" },
  headsCountMax: {
    unit: "announcements",
    reason: "one for each author; peers know the newest of at most 1024 authors",
  },
  headsBytesMax: { unit: "bytes", reason: "headsCountMax announcements of announcementBytesMax with their framing" },
  addressesCountMax: { unit: "addresses", reason: "two for each of 64 neighbours" },
  addressesPerPeerMax: { unit: "addresses", reason: "IPv4 and IPv6, inside and outside of a local network" },
  addressBytesMax: { unit: "bytes", reason: "the longest host name has 253 characters; those in use are far shorter" },
  addressesBytesMax: { unit: "bytes", reason: "addressesCountMax addresses of addressBytesMax with their framing" },
  sketchComponentCountMax: {
    unit: "components",
    reason: "three for each of 21 classes; to compare two sketches takes at least the product of their components",
  },
  sketchBytesMax: {
    unit: "bytes",
    reason: "sketchComponentCountMax components of 259 bytes, and 192 for ids, signature and framing",
  },
  checkupBytesMax: { unit: "bytes", reason: "addressesPerPeerMax addresses of addressBytesMax are 1036; rounded up" },
  manifestBytesMax: {
    unit: "bytes",
    reason: "a manifest with every list and name at its longest has less than 1.5 MiB",
  },
  handshakeBytesMax: {
    unit: "bytes",
    reason: "one manifest, rosterMessageBytesMax of entries, and 64 KiB for framing and the other fields",
  },
  blobHeaderBytesMax: { unit: "bytes", reason: "a content id is 34 on the wire; rounded up" },
  localStepsMax: { unit: "steps", reason: "far above any round; keeps what an author claims representable" },
  sampleCountMax: { unit: "examples", reason: "far above any private data set; keeps weighted sums exact in float64" },
  roundsAheadMax: {
    unit: "rounds",
    reason: "peers drift apart, but a claimed far future must not look fresh for ever",
  },
  keyframeEveryMax: {
    unit: "updates",
    reason: "at a share of 1 percent the updates between keyframes are two thirds of a keyframe together",
  },
  roundCountMax: { unit: "rounds", reason: "a round takes seconds, a million of them weeks" },
  tensorCountMax: { unit: "tensors", reason: "126 layers with 7 linear layers and 2 factors each are 1764" },
  tensorRankMax: { unit: "dimensions", reason: "adapters are made of vectors and matrices; 4 leaves room" },
  adapterRankMax: { unit: "rank", reason: "published ranks end at 512; above that an adapter is no longer low-rank" },
  layerCountMax: { unit: "layers", reason: "the deepest published transformers have 126 layers" },
  targetCountMax: { unit: "names", reason: "a transformer block has fewer than 10 kinds of linear layer" },
  bootstrapCountMax: { unit: "addresses", reason: "a new peer needs one that answers" },
  nameLengthMax: { unit: "characters", reason: "module paths and multiaddrs are shorter than 200" },
  networkNameLengthMax: { unit: "characters", reason: "fits one column of a table" },
  founderCountMax: { unit: "founders", reason: "they meet to sign; everybody else is admitted later" },
  signatureCountMax: { unit: "keys", reason: "a quorum of people; boards and consortia are smaller" },
  genesisBytesMax: { unit: "bytes", reason: "a manifest and signatureCountMax signatures of 256 as JSON" },
  successionCountMax: { unit: "manifests", reason: "one a month for five years; a newcomer fetches all of them" },
  rosterParentCountMax: {
    unit: "entries",
    reason: "as many branches as a partition may leave; more are joined in steps",
  },
  rosterEntryBytesMax: {
    unit: "bytes",
    reason: "64 keys of 35 bytes, 64 signatures of 66 and 16 parents of 34 are 7,008; next power of two",
  },
  rosterEntryCountMax: { unit: "entries", reason: "1,000 members with 16 entries each" },
  rosterPendingCountMax: { unit: "entries", reason: "they come out of order by a few; the rest is asked for again" },
  rosterMessageBytesMax: {
    unit: "bytes",
    reason: "rosterEntryCountMax items of 40 bytes are 640 KiB; next power of two",
  },
  clockSkewSeconds: { unit: "seconds", reason: "an unattended clock drifts by minutes, not by hours" },
  certificateSecondsMax: { unit: "seconds", reason: "ten years" },
  inviteUsesMax: { unit: "peers", reason: "one for each of 1,000 members" },
  inviteAddressCountMax: { unit: "addresses", reason: "a newcomer needs one that answers" },
  inviteTextLengthMax: { unit: "characters", reason: "four addresses at their longest; a usual one has 300" },
  admissionRequestBytesMax: {
    unit: "bytes",
    reason: "two keys, four signatures, a ticket and a label have less than 600",
  },
  admissionReplyBytesMax: { unit: "bytes", reason: "one roster entry and 256 for the other fields" },
  featureCountMax: { unit: "names", reason: "seven times those of today" },
  featureNameLengthMax: { unit: "characters", reason: "a few words; a line of a log shows four of them" },
  labelLengthMax: { unit: "characters", reason: "fits one column of a table" },
  equivocationProofBytesMax: { unit: "bytes", reason: "two roster entries and their framing" },
  rosterNoteBytesMax: { unit: "bytes", reason: "one EquivocationProof, which is the longest, and its framing" },
  rosterNoteCountMax: { unit: "notes", reason: "what people have not decided yet; 1,000 members renew within weeks" },
};
