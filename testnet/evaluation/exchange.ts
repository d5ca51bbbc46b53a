/** One round's exchange between simulated peers: everybody sends to everybody who hears it, and some of them may lie. */

import type { Signer } from "../../protocol/envelope.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { createPrng, type Prng } from "../../protocol/prng.ts";
import { VERDICTS } from "../../protocol/verdict.ts";
import { type Attack, encodeAnything, lieOf, tellsEachAnother } from "./attack.ts";
import { createOutbox, type Inbox, type Outbox } from "./inbox.ts";
import { type Meetings, meetingsOf } from "./meetings.ts";

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
  /** Honest updates that a peer did not accept, and would blame somebody for, up to now. */
  blamed(): number;
}

/** Everybody who is there signs one update a round, and everybody who hears it judges it. */
export function honestExchange(
  peers: readonly ExchangingPeer[],
  { isPresent, hears }: Meetings = meetingsOf(undefined, { peers: peers.length, seed: 0 }),
): Exchange {
  let blamed = 0;
  return {
    round: (round, thetas) => {
      let bytes = 0;
      for (const [index, from] of peers.entries()) {
        if (!isPresent(index, round)) continue;
        const update = from.outbox.sign({ round, theta: thetas[index]! });
        bytes = update.length;
        for (const [listener, to] of peers.entries()) {
          if (to === from || !isPresent(listener, round) || !hears(listener, index, round)) continue;
          if (VERDICTS[to.inbox.receive(update, round)].kind === "reject") blamed += 1;
        }
      }
      return bytes;
    },
    blamed: () => blamed,
  };
}

/** Liars among peers. */
export interface LyingOptions {
  readonly attack: Attack;
  /** How many of the peers lie, the last ones; 1 when absent. */
  readonly liars?: number;
  readonly manifest: NetworkManifest;
  /** The network's common start, the part that travels. */
  readonly start: Float32Array;
}

/**
 * The same with the last peers lying. Where a liar tells every receiver something else, it has a chain of updates for each, so
 * that nobody can tell from the chain: in a network the others would compare, and refuse all but one.
 */
export function lyingExchange(peers: readonly ExchangingPeer[], options: LyingOptions): Exchange {
  const { attack, liars = 1, manifest, start } = options;
  const honest = peers.slice(0, -liars);
  const truth = honestExchange(honest);
  const lies = peers.slice(-liars).map(({ signer }, index) => {
    const chains = honest.map(() => createOutbox(manifest, { signer, sampleCount: LIAR_SAMPLES }));
    return new Lies(attack, { chains, start, seed: manifest.seed + index });
  });
  return {
    round: (round, thetas) => {
      const told = thetas.slice(0, honest.length);
      const bytes = truth.round(round, told);
      if (attack === "silent") return bytes;
      for (const [index, one] of lies.entries()) {
        one.round(round, { own: thetas[honest.length + index]!, honest: told });
        for (const [receiver, to] of honest.entries()) to.inbox.receive(one.to(receiver), round);
      }
      return bytes;
    },
    blamed: truth.blamed,
  };
}

/** What one liar tells each receiver. */
class Lies {
  readonly #attack: Attack;
  readonly #chains: readonly Outbox[];
  readonly #start: Float32Array;
  readonly #noise: Prng;
  #first: Float32Array | undefined;
  #honestBefore: readonly Float32Array[] | undefined;
  #told: readonly Uint8Array[] = [];

  constructor(
    attack: Attack,
    options: { readonly chains: readonly Outbox[]; readonly start: Float32Array; readonly seed: number },
  ) {
    this.#attack = attack;
    this.#chains = options.chains;
    this.#start = options.start;
    this.#noise = createPrng(options.seed).fork("noise");
  }

  /** Make up what is told in this round. */
  round(round: number, given: { readonly own: Float32Array; readonly honest: readonly Float32Array[] }): void {
    this.#first ??= given.own.slice();
    if (this.#attack === "replay" && this.#told.length > 0) return;
    const prng = this.#noise.fork(String(round));
    const context = { ...given, start: this.#start, first: this.#first, honestBefore: this.#honestBefore, prng };
    this.#honestBefore = given.honest;
    const receivers = tellsEachAnother(this.#attack) ? this.#chains : this.#chains.slice(0, 1);
    this.#told = receivers.map((chain, receiver) => lie(chain, round, lieOf(this.#attack, { ...context, receiver })));
  }

  /** The bytes for one receiver. */
  to(receiver: number): Uint8Array {
    return this.#told[receiver] ?? this.#told[0]!;
  }
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
