/**
 * What this peer says of its own updates: it signs one only after it has heard what neighbours remember of it, and shows none
 * before somebody has said so. Whoever signs alone until then has told nothing that could contradict its earlier life.
 */
import type { ContentId } from "../../protocol/content-id.ts";
import type { PayloadRules } from "../../protocol/encoding/update-payload.ts";
import type { Signer } from "../../protocol/envelope.ts";
import type { GossipTopic } from "../../protocol/gossip-topics.ts";
import type { ChainHead, Cryptography } from "../../protocol/judge-context.ts";
import type { maySend } from "../../protocol/membership/roles.ts";
import type { NetworkId } from "../../protocol/network-id.ts";
import type { PublishedUpdate } from "../interface/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store } from "../interface/store.ts";
import type { Transport } from "../interface/transport.ts";
import type { Background } from "./background.ts";
import { IdentityWatch } from "./identity-watch.ts";
import { createOwnChain, type OwnChain, type OwnUpdate } from "./own-chain.ts";

/** The last update of this identity that neighbours remember and this peer's store does not. */
export type EarlierLife = Pick<ChainHead, "round" | "sequence">;

/** Where own updates are kept and told, and who is asked about them. */
export interface OwnUpdatesDependencies {
  readonly transport: Transport;
  readonly store: Store;
  readonly signer: Signer;
  readonly logger: Logger;
  readonly background: Background;
  /** Whether this peer's role lets it send such a message. */
  readonly maySend: (kind: Parameters<typeof maySend>[1]) => boolean;
  /** Ask all neighbours for what they know, and tell them the same. */
  readonly exchangeHeads: () => Promise<void>;
}

/** The network, and where announcements are gossiped. */
export interface OwnUpdatesOptions extends PayloadRules, Cryptography {
  readonly networkId: NetworkId;
  readonly topic: GossipTopic;
}

/** The own chain, and what may be shown of it. */
export class OwnUpdates {
  readonly chain: OwnChain;
  readonly identity: IdentityWatch;
  readonly #dependencies: OwnUpdatesDependencies;
  readonly #topic: GossipTopic;
  /** What neighbours remember of this peer is asked for once, before it signs anything. */
  #asked: Promise<void> | undefined;
  #mayFollow: ((earlier: EarlierLife) => void) | undefined;

  constructor(dependencies: OwnUpdatesDependencies, { topic, ...rules }: OwnUpdatesOptions) {
    const { transport, store, signer, logger } = dependencies;
    this.#dependencies = dependencies;
    this.#topic = topic;
    this.chain = createOwnChain({ store, signer, mayFollow: (earlier) => this.#mayFollow?.(earlier) }, rules);
    const own = { self: signer.peer, ownChain: this.chain, ownAddresses: () => transport.addresses() };
    this.identity = new IdentityWatch({ ...own, logger });
  }

  /** Read the chain back.  Throws: NodeError STORE_FAILED. */
  async load(): Promise<void> {
    const { background, exchangeHeads, maySend } = this.#dependencies;
    await this.chain.load();
    this.identity.begin();
    this.identity.onCleared(() => {
      if (this.chain.head() !== undefined && maySend("announcement")) {
        void background.run("telling the own update", exchangeHeads);
      }
    });
  }

  /** Asked before an update is signed that follows one of an earlier life; it throws to refuse. */
  onEarlierLife(mayFollow: (earlier: EarlierLife) => void): void {
    this.#mayFollow = mayFollow;
  }

  /** See UpdateExchange.  Throws: NodeError IDENTITY_IN_USE besides, and what the asked one of an earlier life throws. */
  async publish(own: OwnUpdate): Promise<PublishedUpdate | undefined> {
    const { transport, logger, maySend, exchangeHeads } = this.#dependencies;
    if (!maySend("update")) {
      logger.info("this peer's role sends no updates", { round: own.round });
      return undefined;
    }
    this.#asked ??= exchangeHeads();
    await this.#asked;
    this.identity.require();
    const stored = await this.chain.append(own);
    if (stored === undefined) {
      logger.info("this round was published before", { round: own.round });
      return undefined;
    }
    const { encoding } = stored.update;
    const published = { bytes: stored.envelope.byteLength, encoding };
    // Told as soon as a neighbour has said what it remembers of this peer.
    if (!this.identity.mayTell()) return published;
    try {
      await transport.publish(this.#topic, stored.announcement);
    } catch (error) {
      // It is in the store: every exchange of heads tells of it from now on.
      logger.warn("an announcement was not gossiped", { round: own.round, error });
    }
    return published;
  }

  /**
   * Whether what was made of this peer's data may be told beside its updates: as soon as they may, and where what an earlier life
   * spent is counted.
   */
  mayTellOfData(): boolean {
    if (!this.identity.mayTell()) return false;
    const earlier = this.chain.earlierLife();
    try {
      if (earlier !== undefined) this.#mayFollow?.(earlier);
      return true;
    } catch (error) {
      this.#dependencies.logger.debug("nothing is told of this peer's data", { error });
      return false;
    }
  }

  /** The round of the last own update; undefined before the first. */
  round(): number | undefined {
    return this.chain.head()?.update.round;
  }

  /** The signed announcement of the last own update; undefined where none may be shown. */
  announcementToTell(): Uint8Array | undefined {
    const own = this.chain.head();
    if (own === undefined || !this.#dependencies.maySend("announcement") || !this.identity.mayTell()) return undefined;
    return own.announcement;
  }

  /** The signed bytes of an own update that may be shown. */
  find(contentId: ContentId): Uint8Array | undefined {
    return this.identity.mayTell() ? this.chain.find(contentId) : undefined;
  }
}
