/** The knowledge of a peer that judges a message: its network, its round, and the chains it has seen. */
import { parameterCount } from "./adapter-spec.ts";
import type { Announcement } from "./announcement.ts";
import type { ContentId, CreateSha256 } from "./content-id.ts";
import type { PayloadRules } from "./encoding/update-payload.ts";
import type { MessageKind } from "./envelope.ts";
import { LIMITS } from "./limits.ts";
import type { VerifySignature } from "./membership/signatures.ts";
import type { NetworkId } from "./network-id.ts";
import { type NetworkManifest, networkId } from "./network-manifest.ts";
import type { PeerId } from "./peer-id.ts";

/** The newest link of an author's chain that a peer accepted. */
export interface ChainHead {
  readonly sequence: number;
  readonly contentId: ContentId;
  readonly round: number;
}

/** The protocol's hashes and signatures by faster means, with the same results; in JavaScript where absent. */
export interface Cryptography {
  /** A check of signatures with the decisions of 5.3. */
  readonly verify?: VerifySignature;
  readonly createSha256?: CreateSha256;
}

/** The part that changes from message to message. */
export interface JudgeState extends Cryptography {
  /** This peer's own id. */
  readonly self: PeerId;
  readonly isMember: (peer: PeerId) => boolean;
  /** Whether a member's role lets it author messages of a kind; every member may when absent. */
  readonly maySend?: (peer: PeerId, kind: MessageKind) => boolean;
  readonly headOf: (author: PeerId) => ChainHead | undefined;
  /** The content id that an author named under a sequence before, where it is remembered; of its head alone when absent. */
  readonly linkOf?: (author: PeerId, sequence: number) => ContentId | undefined;
  /** The round that this peer is in. */
  readonly round: number;
}

/** Everything that a receiver knows when it judges a message of its network. */
export interface JudgeContext extends JudgeState, PayloadRules {
  readonly networkId: NetworkId;
  readonly roundCount: number;
  /** Rounds that a message may be ahead of `round`; a late joiner that catches up passes `roundCount`. */
  readonly roundsAheadMax: number;
  /** Rounds that a message may be behind `round`. */
  readonly roundsBehindMax: number;
  /** P. */
  readonly parameterCount: number;
}

/** The same for the bytes of an update. */
export interface UpdateContext extends JudgeContext {
  /** The announcement because of which the bytes were asked for; absent when they come from this peer's own store. */
  readonly announcement?: Announcement;
  /** The decoded form of the update that this one names as its previous one, where this peer knows it; f32[P]. */
  readonly valuesOf?: (update: {
    readonly author: PeerId;
    readonly previous: ContentId | undefined;
  }) => Float32Array | undefined;
}

/** The part of a context that a network's manifest fixes; compute it once. */
export function judgeRules(manifest: NetworkManifest): Omit<JudgeContext, keyof JudgeState> {
  return {
    networkId: networkId(manifest),
    roundCount: manifest.rounds.count,
    roundsAheadMax: LIMITS.roundsAheadMax,
    roundsBehindMax: manifest.aggregation.ageMax,
    parameterCount: parameterCount(manifest.tensors),
    tensors: manifest.tensors,
    encoding: manifest.encoding,
  };
}
