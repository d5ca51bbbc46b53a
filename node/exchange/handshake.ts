/**
 * Admission over `/weft/handshake/1`: on every new connection both sides show their network, and whoever is in another
 * one learns in which field it differs. Until then a peer gets no heads and no bytes, and its gossip is ignored.
 */
import { pipe } from "it-pipe";
import { encodeFrame } from "../../protocol/frame.ts";
import {
  answerHello,
  decodeReply,
  encodeHello,
  explainDifference,
  explainReply,
  type HandshakeCode,
} from "../../protocol/handshake.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { type PeerId, parsePeerId } from "../../protocol/peer-id.ts";
import { HANDSHAKE_PROTOCOL } from "../../protocol/topic.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { ByteStream, PeerIdText, Transport } from "../interface/transport.ts";
import type { Background } from "./background.ts";
import { cut, oneFrame } from "./byte-pipeline.ts";
import { answerWithin, withStream } from "./deadline.ts";

export interface HandshakeDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly background: Background;
}

export interface HandshakeOptions {
  readonly manifest: NetworkManifest;
  readonly isMember: (peer: PeerId) => boolean;
  /** Peers that have misbehaved; they are hung up on at once. */
  readonly refuses: (peer: PeerIdText) => boolean;
  /** Neighbours that this peer admits at a time. */
  readonly neighboursMax: number;
  readonly timeoutMs: number;
  readonly onAdmitted: (peer: PeerIdText) => void;
  readonly onLeft: (peer: PeerIdText) => void;
}

export interface Handshake {
  /** Handle the protocol and greet whoever connects; before the transport starts. */
  start(): Promise<void>;
  isAdmitted(peer: PeerIdText): boolean;
  /** Admitted peers in the order of their ids. */
  admitted(): readonly PeerIdText[];
  /** Forget everybody, without telling; idempotent. */
  stop(): void;
}

/** What is known of one connected peer; forgotten when it disconnects. */
interface Acquaintance {
  greeted: boolean;
  answered: boolean;
  admitted: boolean;
  /** Whether onAdmitted was told. */
  told: boolean;
  refused: boolean;
  /** Cancels the hang-up on a refused peer that does not finish its own half. */
  cancel: () => void;
}

export function createHandshake(dependencies: HandshakeDependencies, options: HandshakeOptions): Handshake {
  const { transport, clock, logger, background } = dependencies;
  const { manifest, timeoutMs } = options;
  const hello = encodeFrame(encodeHello(manifest));
  const acquaintances = new Map<PeerIdText, Acquaintance>();
  const isAdmitted = (peer: PeerIdText): boolean => acquaintances.get(peer)?.admitted === true;
  const admitted = (): readonly PeerIdText[] => [...acquaintances.keys()].filter(isAdmitted).sort();

  const hangUp = (peer: PeerIdText): void => {
    void background.run("hanging up", () => transport.hangUp(peer));
  };
  /** A stream may arrive before the event of its connection does. */
  const meet = (peer: PeerIdText): Acquaintance => {
    const known = acquaintances.get(peer);
    if (known !== undefined) return known;
    const fresh = { greeted: false, answered: false, admitted: false, told: false, refused: false, cancel: () => {} };
    if (transport.connected().includes(peer)) acquaintances.set(peer, fresh);
    return fresh;
  };
  const isPresent = (peer: PeerIdText, acquaintance: Acquaintance): boolean => acquaintances.get(peer) === acquaintance;
  const admit = (peer: PeerIdText, acquaintance: Acquaintance): void => {
    if (acquaintance.admitted || acquaintance.refused || !isPresent(peer, acquaintance)) return;
    acquaintance.admitted = true;
    logger.debug("peer admitted", { peer });
  };
  const tell = (peer: PeerIdText, acquaintance: Acquaintance): void => {
    if (acquaintance.told || !acquaintance.admitted || !isPresent(peer, acquaintance)) return;
    acquaintance.told = true;
    options.onAdmitted(peer);
  };
  const refuse = (peer: PeerIdText, acquaintance: Acquaintance, reason: string): void => {
    if (acquaintance.refused || !isPresent(peer, acquaintance)) return;
    acquaintance.refused = true;
    acquaintance.cancel = clock.after(timeoutMs, () => hangUp(peer));
    acquaintance.admitted = false;
    if (acquaintance.told) options.onLeft(peer);
    logger.warn("peer refused", { peer, reason });
  };
  /** Both sides hang up once they have asked and answered: by then both know the reason. */
  const partIfDone = (peer: PeerIdText, { refused, greeted, answered }: Acquaintance): void => {
    if (refused && greeted && answered) hangUp(peer);
  };

  const greet = async (peer: PeerIdText, signal: AbortSignal): Promise<void> => {
    const acquaintance = meet(peer);
    try {
      const call = { peer, protocol: HANDSHAKE_PROTOCOL, timeoutMs, signal };
      const bytes = await withStream({ transport, clock }, call, async (stream) => {
        await pipe([hello], cut, stream.sink);
        return await pipe(stream.source, oneFrame(LIMITS.handshakeBytesMax));
      });
      const reason = explainReply(decodeReply(bytes), manifest);
      if (reason === undefined) admit(peer, acquaintance);
      else refuse(peer, acquaintance, reason);
      acquaintance.greeted = true;
      tell(peer, acquaintance);
      partIfDone(peer, acquaintance);
    } catch (error) {
      if (acquaintance.refused || !isPresent(peer, acquaintance)) return;
      logger.debug("handshake failed", { peer, error });
      refuse(peer, acquaintance, "it did not complete the handshake");
      hangUp(peer);
    }
  };

  const answer = async (stream: ByteStream, peer: PeerIdText): Promise<void> => {
    if (options.refuses(peer)) throw new NodeError("NOT_ADMITTED", `${peer} is refused for a while`);
    const acquaintance = meet(peer);
    const bytes = await pipe(stream.source, oneFrame(LIMITS.handshakeBytesMax));
    const busy = !acquaintance.admitted && admitted().length >= options.neighboursMax;
    const context = { manifest, isMember: options.isMember, busy };
    const { code, reply, difference } = answerHello(bytes, parsePeerId(peer), context);
    // Before the reply leaves: whoever reads a welcome may ask for heads at once.
    if (code === "WELCOME") admit(peer, acquaintance);
    else refuse(peer, acquaintance, code === "NETWORK" ? explainDifference(difference) : REFUSALS[code]);
    await pipe([encodeFrame(reply)], cut, stream.sink);
    acquaintance.answered = true;
    // After it has left: what this side asks for now finds the other side admitting it.
    tell(peer, acquaintance);
    partIfDone(peer, acquaintance);
  };

  return {
    isAdmitted,
    admitted,
    stop() {
      for (const { cancel } of acquaintances.values()) cancel();
      acquaintances.clear();
    },
    async start() {
      transport.onConnect((peer) => {
        if (options.refuses(peer)) {
          hangUp(peer);
          return;
        }
        meet(peer);
        void background.run("handshake", (signal) => greet(peer, signal));
      });
      transport.onDisconnect((peer) => {
        const acquaintance = acquaintances.get(peer);
        acquaintances.delete(peer);
        acquaintance?.cancel();
        if (acquaintance?.admitted === true && acquaintance.told) options.onLeft(peer);
      });
      await transport.handle(HANDSHAKE_PROTOCOL, async (stream, from) => {
        const call = { stream, timeoutMs, protocol: HANDSHAKE_PROTOCOL };
        await answerWithin(clock, call, (answered) => answer(answered, from));
      });
    },
  };
}

/** Why this side refuses, in the words of the log; a difference of networks is explained field by field. */
const REFUSALS: Readonly<Record<Exclude<HandshakeCode, "WELCOME" | "NETWORK">, string>> = {
  VERSION: "it speaks another version of the protocol",
  NOT_A_MEMBER: "it is not a member of the network",
  BUSY: "there is no room for another neighbour",
  MALFORMED: "its hello cannot be read",
};
