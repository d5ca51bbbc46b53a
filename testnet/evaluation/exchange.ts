/** One round's exchange between simulated peers: everybody sends to everybody, and one of them may lie. */

import type { Signer } from "../../protocol/envelope.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { type Attack, encodeAnything, lieOf } from "./attack.ts";
import { createOutbox, type Inbox, type Outbox } from "./inbox.ts";

/** A simulated peer as the exchange sees it. */
export interface ExchangingPeer {
  readonly signer: Signer;
  readonly outbox: Outbox;
  readonly inbox: Inbox;
}

/** The number of examples that the liar claims to have; nothing weighs by it unless the network says so. */
const LIAR_SAMPLES = 64;

/** Carries the updates of one round after another. */
export interface Exchange {
  /** thetas: what each peer has to send, f32[P].  Returns the bytes of one update. */
  round(round: number, thetas: readonly Float32Array[]): number;
}

/** Everybody signs one update a round, and everybody else judges it. */
export function honestExchange(peers: readonly ExchangingPeer[]): Exchange {
  return {
    round: (round, thetas) => {
      let bytes = 0;
      for (const [index, from] of peers.entries()) {
        const update = from.outbox.sign({ round, theta: thetas[index]! });
        bytes = update.length;
        for (const to of peers) if (to !== from) to.inbox.receive(update, round);
      }
      return bytes;
    },
  };
}

/**
 * The same with the last peer lying. It tells every receiver a chain of updates of its own, so that nobody can tell from
 * the chain: in a network the others would compare, and refuse all but one.
 */
export function lyingExchange(
  peers: readonly ExchangingPeer[],
  options: {
    readonly attack: Attack;
    readonly manifest: NetworkManifest;
    /** The network's common start, the part that travels. */
    readonly start: Float32Array;
  },
): Exchange {
  const { attack, manifest, start } = options;
  const honest = peers.slice(0, -1);
  const liar = peers.at(-1)!;
  const truth = honestExchange(honest);
  const chains = honest.map(() => createOutbox(manifest, { signer: liar.signer, sampleCount: LIAR_SAMPLES }));
  const first = new Map<number, Uint8Array>();
  return {
    round: (round, thetas) => {
      const bytes = truth.round(round, thetas);
      const given = { start, own: thetas.at(-1)!, honest: thetas.slice(0, -1) };
      for (const [receiver, to] of honest.entries()) {
        const known = attack === "replay" ? first.get(receiver) : undefined;
        const update = known ?? lie(chains[receiver]!, round, lieOf(attack, { ...given, receiver }));
        if (!first.has(receiver)) first.set(receiver, update);
        to.inbox.receive(update, round);
      }
      return bytes;
    },
  };
}

/** Encoded as the network does where it can be; else as plain numbers, which the receivers are to refuse. */
function lie(chain: Outbox, round: number, theta: Float32Array): Uint8Array {
  try {
    return chain.sign({ round, theta });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return chain.sign({ round, theta, payload: encodeAnything(theta) });
  }
}
