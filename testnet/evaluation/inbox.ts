/** What one simulated peer sent and heard: signed and judged as on the wire, by the same functions. */
import type { ReceivedUpdate } from "../../node/interface/exchange.ts";
import type { contentIdOf } from "../../protocol/content-id.ts";
import { encodeUpdate, encodingNumber } from "../../protocol/encoding/update-payload.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { type ChainHead, type JudgeState, judgeRules, type UpdateContext } from "../../protocol/judge-context.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { createPrng } from "../../protocol/prng.ts";
import { signUpdate } from "../../protocol/update.ts";
import { type JudgedUpdate, type Judgement, judgeUpdate, type VerdictCode } from "../../protocol/verdict.ts";

export interface Outbox {
  /** This peer's next update, chained to the one before; payload: the encoded values where they are not `theta`'s. */
  sign(update: { readonly round: number; readonly theta: Float32Array; readonly payload?: Uint8Array }): Uint8Array;
}

export function createOutbox(
  manifest: NetworkManifest,
  { signer, sampleCount }: { readonly signer: Signer; readonly sampleCount: number },
): Outbox {
  const { tensors, encoding } = manifest;
  const stream = createPrng(0).fork(signer.peer).fork("encoding");
  let [sequence, previous] = [0, undefined as ReturnType<typeof contentIdOf> | undefined];
  /** What the others have decoded of this peer. */
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

export interface Inbox {
  receive(bytes: Uint8Array, round: number): VerdictCode;
  /** The newest accepted update of each author. */
  latest(): readonly ReceivedUpdate[];
}

/**
 * Judges for all peers of a simulation. Bytes that several peers receive are judged once for all whose view of the author's
 * chain is the same: nothing else in their contexts differs but the peer itself, which never hears its own.
 */
export function createInboxes(manifest: NetworkManifest): { inboxOf(self: PeerId): Inbox } {
  const rules = judgeRules(manifest);
  const judged = new WeakMap<Uint8Array, { readonly view: string; readonly judgement: Judgement<JudgedUpdate> }>();
  const judge = (bytes: Uint8Array, context: UpdateContext, view: string): Judgement<JudgedUpdate> => {
    const known = judged.get(bytes);
    if (known?.view === view) return known.judgement;
    const judgement = judgeUpdate(bytes, context);
    judged.set(bytes, { view, judgement });
    return judgement;
  };
  return {
    inboxOf: (self) => {
      const heads = new Map<PeerId, ChainHead>();
      const updates = new Map<PeerId, ReceivedUpdate>();
      return {
        receive: (bytes, round) => {
          const state: JudgeState = { self, round, isMember: () => true, headOf: (author) => heads.get(author) };
          const valuesOf: UpdateContext["valuesOf"] = ({ author, previous }) =>
            heads.get(author)?.contentId === previous ? updates.get(author)?.theta : undefined;
          const view = `${round} ${[...heads.values()].map(({ contentId }) => contentId).join()}`;
          const judgement = judge(bytes, { ...rules, ...state, valuesOf }, view);
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
