/** The updates that one simulated peer sends and hears, signed and judged by the functions that do so on the wire. */
import type { ReceivedUpdate } from "../../node/interface/exchange.ts";
import type { ContentId } from "../../protocol/content-id.ts";
import { encodeUpdate, encodingNumber } from "../../protocol/encoding/update-payload.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { type ChainHead, judgeRules, type UpdateContext } from "../../protocol/judge-context.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { createPrng } from "../../protocol/prng.ts";
import { signUpdate } from "../../protocol/update.ts";
import { type JudgedUpdate, type Judgement, judgeUpdate, type VerdictCode } from "../../protocol/verdict.ts";

/** Signs what one simulated peer sends. */
export interface Outbox {
  /** This peer's next update, chained to the one before; payload: what is sent where it is no encoding of `theta`. */
  sign(update: { readonly round: number; readonly theta: Float32Array; readonly payload?: Uint8Array }): Uint8Array;
}

/** An outbox whose first update begins the peer's chain. */
export function createOutbox(
  manifest: NetworkManifest,
  { signer, sampleCount }: { readonly signer: Signer; readonly sampleCount: number },
): Outbox {
  const { tensors, encoding } = manifest;
  const stream = createPrng(0).fork(signer.peer).fork("encoding");
  let [sequence, previous] = [0, undefined as ContentId | undefined];
  /** The values of this peer as the others have decoded them. */
  let known: Float32Array | undefined;
  return {
    sign: ({ round, theta, payload }) => {
      const options = { tensors, encoding, sequence, previous: known, prng: stream.fork(String(sequence)) };
      const sent = payload === undefined ? encodeUpdate(theta, options) : undefined;
      known = sent?.decoded;
      const { bytes, contentId } = signUpdate(
        {
          networkId: networkId(manifest),
          round,
          sequence,
          previous,
          localSteps: manifest.rounds.localSteps,
          sampleCount,
          encoding: sent?.encoding ?? encodingNumber(encoding?.values ?? "float32"),
          payload: sent?.payload ?? payload ?? new Uint8Array(),
        },
        signer,
      );
      sequence += 1;
      previous = contentId;
      return bytes;
    },
  };
}

/** Judges what one simulated peer hears, and keeps what is accepted. */
export interface Inbox {
  receive(bytes: Uint8Array, round: number): VerdictCode;
  /** The newest accepted update of each author. */
  latest(): readonly ReceivedUpdate[];
}

/**
 * Inboxes of all peers of a simulation. Bytes that several peers receive are judged once for all that know the same head of
 * the author's chain: nothing else in their contexts differs but the peer itself, which never hears its own.
 */
export function createInboxes(manifest: NetworkManifest): { inboxOf(self: PeerId): Inbox } {
  const rules = judgeRules(manifest);
  const judged = new WeakMap<Uint8Array, Judged>();
  const judge = (bytes: Uint8Array, { self, round, heads, updates }: View): Judgement<JudgedUpdate> => {
    const known = judged.get(bytes);
    if (known?.round === round && known.head === heads.get(known.author)?.contentId) return known.judgement;
    let asked: PeerId | undefined;
    const headOf = (author: PeerId): ChainHead | undefined => {
      asked = author;
      return heads.get(author);
    };
    const valuesOf: UpdateContext["valuesOf"] = ({ author, previous }) =>
      heads.get(author)?.contentId === previous ? updates.get(author)?.theta : undefined;
    const judgement = judgeUpdate(bytes, { ...rules, self, round, isMember: () => true, headOf, valuesOf });
    if (asked !== undefined) judged.set(bytes, { author: asked, head: heads.get(asked)?.contentId, round, judgement });
    return judgement;
  };
  return {
    inboxOf: (self) => {
      const heads = new Map<PeerId, ChainHead>();
      const updates = new Map<PeerId, ReceivedUpdate>();
      return {
        receive: (bytes, round) => {
          const judgement = judge(bytes, { self, round, heads, updates });
          if (judgement.kind === "accept") {
            const { author, sequence, contentId, values, sampleCount } = judgement.message;
            heads.set(author, { sequence, contentId, round: judgement.message.round });
            updates.set(author, { peer: author, round: judgement.message.round, theta: values, sampleCount });
          }
          return judgement.code;
        },
        latest: () => [...updates.values()],
      };
    },
  };
}

/** The knowledge of one peer when it judges. */
interface View {
  readonly self: PeerId;
  readonly round: number;
  readonly heads: ReadonlyMap<PeerId, ChainHead>;
  readonly updates: ReadonlyMap<PeerId, ReceivedUpdate>;
}

interface Judged {
  readonly author: PeerId;
  readonly head: ContentId | undefined;
  readonly round: number;
  readonly judgement: Judgement<JudgedUpdate>;
}
