/** Gossip over libp2p's gossipsub: how it is set up, and how its messages are judged and handed on. */
import {
  type GossipSub,
  type GossipsubMessage,
  type gossipsub,
  TopicValidatorResult,
} from "@chainsafe/libp2p-gossipsub";
import type { Connection } from "@libp2p/interface";
import { sha256 } from "@noble/hashes/sha2.js";
import type { GossipTopic } from "../../../protocol/gossip-topics.ts";
import type { PeerId } from "../../../protocol/peer-id.ts";
import type { LoopMarks } from "../../interface/event-loop.ts";
import type { Logger } from "../../interface/logger.ts";
import type { GossipHandlers, GossipVerdict } from "../../interface/transport.ts";
import { type BoundHandlers, boundHandlers } from "./bound-handlers.ts";
import { peerOf } from "./libp2p-peer.ts";

/**
 * Small networks: every publish goes to all subscribed peers, and the mesh is as wide as eight peers can fill.
 * The colocation penalty is off, because a testnet has all its peers behind one address.
 */
export function gossipOptions(
  gossipBytesMax: number,
  mayGossip: (peer: string) => boolean,
): Parameters<typeof gossipsub>[0] {
  return {
    globalSignaturePolicy: "StrictSign",
    floodPublish: true,
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    emitSelf: false,
    doPX: false,
    D: 8,
    Dlo: 4,
    Dhi: 12,
    // The same bytes are the same message whoever sends them; what they say is signed inside.
    msgIdFn: (message) => sha256(message.data),
    scoreParams: {
      IPColocationFactorWeight: 0,
      // Far below every threshold: nothing is published to it, and what it sends is not read.
      appSpecificScore: (peer) => (mayGossip(peer) ? 0 : SHUNNED_SCORE),
      appSpecificWeight: 1,
    },
    // Those that are subscribed to: what comes on any other topic would be remembered without being looked at.
    allowedTopics: [],
    maxOutboundBufferSize: 4 * 2 ** 20,
    // One RPC carries several messages and their control data (5,000 ids of 32 bytes at most).
    maxInboundDataLength: 256 * 1024 + 4 * gossipBytesMax,
    decodeRpcLimits: {
      maxSubscriptions: 64,
      maxMessages: 1024,
      maxIhaveMessageIDs: 5000,
      maxIwantMessageIDs: 5000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 64,
      maxPeerInfos: 16,
    },
  };
}

/** gossipsub's thresholds are -10 to -80. */
const SHUNNED_SCORE = -1_000_000;

/** Parts of gossipsub that no option reaches (src/gossipsub.ts). */
interface GossipParts {
  readonly allowedTopics: Set<string>;
  readonly streamsOutbound: ReadonlyMap<string, unknown>;
  onPeerConnected(peer: Connection["remotePeer"], connection: Connection): void;
}

/** After the end of a connection gossipsub takes leave of its streams. */
const LEAVE_MS = 500;

type Received = GossipsubMessage["msg"];

/** The topics of one node. */
export class Libp2pGossip {
  readonly #gossip: GossipSub;
  readonly #logger: Logger;
  readonly #loop: LoopMarks;
  readonly #bytesMax: number;
  readonly #topics = new Map<string, BoundHandlers>();
  /** What is to be done with messages that were accepted, until gossipsub hands them over. */
  readonly #accepted = new WeakMap<Received, () => void>();
  #isStarted = false;

  constructor(
    { gossip, logger, loop }: { readonly gossip: GossipSub; readonly logger: Logger; readonly loop: LoopMarks },
    { bytesMax }: { readonly bytesMax: number },
  ) {
    this.#gossip = gossip;
    this.#logger = logger;
    this.#loop = loop;
    this.#bytesMax = bytesMax;
    gossip.addEventListener("gossipsub:message", ({ detail }) => this.#deliver(detail.msg));
  }

  /** The node has started; before, gossipsub takes no subscriptions. */
  begin(): void {
    this.#isStarted = true;
    for (const topic of this.#topics.keys()) this.#gossip.subscribe(topic);
  }

  subscribe<Message>(topic: GossipTopic, handlers: GossipHandlers<Message>): void {
    const bound = boundHandlers(handlers);
    const loop = this.#loop;
    const kind = topic.egress.published;
    (this.#gossip as unknown as GossipParts).allowedTopics.add(topic.name);
    this.#topics.set(topic.name, bound);
    this.#gossip.topicValidators.set(topic.name, (from, message) =>
      loop.during(`gossip of ${kind}s, judged`, () => this.#validate(bound, message, peerOf(from))),
    );
    if (this.#isStarted) this.#gossip.subscribe(topic.name);
  }

  /**
   * A connection has ended, and its peer has others: gossip goes on over one of them. gossipsub keeps one stream to a peer, and
   * opens no other when the connection of that one ends.
   */
  goOn(peer: Connection["remotePeer"], others: () => readonly Connection[]): void {
    const parts = this.#gossip as unknown as GossipParts;
    const open = (): void => {
      const [connection] = others();
      if (connection === undefined || parts.streamsOutbound.has(peer.toString())) return;
      parts.onPeerConnected(peer, connection);
    };
    setTimeout(open, LEAVE_MS).unref();
  }

  async publish(topic: GossipTopic, bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength > this.#bytesMax) {
      throw new RangeError(`a gossip message of ${bytes.byteLength} bytes exceeds ${this.#bytesMax}`);
    }
    await this.#gossip.publish(topic.name, bytes);
  }

  #validate(bound: BoundHandlers, message: Received, from: PeerId | undefined): TopicValidatorResult {
    if (message.data.byteLength > this.#bytesMax) return TopicValidatorResult.Reject;
    if (from === undefined) return TopicValidatorResult.Ignore;
    try {
      const { verdict, deliver } = bound(message.data, from);
      if (deliver !== undefined) this.#accepted.set(message, deliver);
      return VERDICTS[verdict];
    } catch (error) {
      // Our own fault, not the sender's.
      this.#logger.error("gossip validator failed", { error });
      return TopicValidatorResult.Ignore;
    }
  }

  #deliver(message: Received): void {
    const deliver = this.#accepted.get(message);
    this.#accepted.delete(message);
    try {
      if (deliver !== undefined) this.#loop.during("gossip, taken", deliver);
    } catch (error) {
      this.#logger.error("network callback failed", { what: "gossip", error });
    }
  }
}

const VERDICTS: Readonly<Record<GossipVerdict, TopicValidatorResult>> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
};
