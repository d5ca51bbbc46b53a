/**
 * Admission over `/weft/handshake/1`: on every new connection both sides show their network, and whoever is in another
 * one learns in which field it differs. Until then a peer gets no heads and no bytes, and its gossip is ignored. Where there is
 * a roster, both sides show what made them members; each admits only whom its own roster, or what was shown, makes a member,
 * whatever the other side says of itself.
 */
import { pipe } from "it-pipe";
import type { Feature } from "../../protocol/features.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import {
  answerHello,
  decodeReply,
  encodeHello,
  explainDifference,
  explainMissing,
  explainReply,
  type HandshakeCode,
  type Reply,
} from "../../protocol/handshake.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { rosterIdOf } from "../../protocol/membership/genesis.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { type PeerId, parsePeerId } from "../../protocol/peer-id.ts";
import { HANDSHAKE_PROTOCOL } from "../../protocol/topic.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Membership } from "../interface/membership.ts";
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
  /** What this peer has, by name: protocol/features.ts. */
  readonly features: readonly string[];
  readonly isMember: (peer: PeerId) => boolean;
  /** Where there is a roster; `isMember` answers by it then. */
  readonly membership?: Membership;
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
  /** Those of them that have welcomed this peer: an admitted one may still refuse it. */
  welcoming(): readonly PeerIdText[];
  /** Whether this peer and an admitted one both have a feature: what one of them lacks is not asked of the other. */
  shares(peer: PeerIdText, feature: Feature): boolean;
  /** Memberships have changed: cut off at once whoever is no member any more. */
  review(): void;
  /** Forget everybody, without telling; idempotent. */
  stop(): void;
}

/** What is known of one connected peer; forgotten when it disconnects. */
interface Acquaintance {
  greeted: boolean;
  answered: boolean;
  /** Whether it said welcome. */
  welcomed: boolean;
  /** Its hellos so far. */
  hellos: number;
  admitted: boolean;
  /** What it has, by what it said last. */
  features: readonly string[];
  /** Whether onAdmitted was told. */
  told: boolean;
  refused: boolean;
  /** What it said to be in, where that is another network. */
  elsewhere: NetworkManifest | undefined;
  /** Of a member in another network of this roster: what is exchanged before the two part. */
  farewell: Promise<void> | undefined;
  /** Cancels the hang-up on a refused peer that does not finish its own half. */
  cancel: () => void;
}

/** Time for the other side to read why it is refused and to hang up itself. */
const PARTING_MS = 2_000;
/** Hellos of one connection before it is admitted: one, one more with entries, and one if the connection comes to stay. */
const HELLOS_MAX = 4;
/** Of a hello besides its manifest: a certificate, heads, and a manifest that differs in a list. */
const HELLO_ROOM_BYTES = 64 * 1024;

export function createHandshake(dependencies: HandshakeDependencies, options: HandshakeOptions): Handshake {
  const { transport, clock, logger, background } = dependencies;
  const { manifest, timeoutMs, membership } = options;
  const openHello = encodeFrame(encodeHello(manifest, undefined, options.features));
  const helloTo = (known?: Reply["heads"]): Uint8Array =>
    membership === undefined
      ? openHello
      : encodeFrame(encodeHello(manifest, membership.shown(known), options.features));
  /** A hello of an open network; where there is a roster, one of a manifest that is not much longer than this one. */
  const helloBytesMax = (hellos: number): number => {
    if (membership === undefined) return LIMITS.handshakeBytesMax;
    const shownMax = hellos === 0 ? 0 : LIMITS.rosterMessageBytesMax;
    return Math.min(LIMITS.handshakeBytesMax, 2 * openHello.length + HELLO_ROOM_BYTES + shownMax);
  };
  const isSameRoster = (other: NetworkManifest): boolean => rosterIdOf(other) === rosterIdOf(manifest);
  const acquaintances = new Map<PeerIdText, Acquaintance>();
  const isMember = (peer: PeerIdText): boolean => options.isMember(parsePeerId(peer));
  const isAdmitted = (peer: PeerIdText): boolean => acquaintances.get(peer)?.admitted === true && isMember(peer);
  const admitted = (): readonly PeerIdText[] => [...acquaintances.keys()].filter(isAdmitted).sort();

  const hangUp = (peer: PeerIdText): void => {
    void background.run("hanging up", () => transport.hangUp(peer));
  };
  /** A stream may arrive before the event of its connection does. */
  const meet = (peer: PeerIdText): Acquaintance => {
    const known = acquaintances.get(peer);
    if (known !== undefined) return known;
    const fresh = {
      greeted: false,
      answered: false,
      welcomed: false,
      hellos: 0,
      admitted: false,
      features: [],
      told: false,
      refused: false,
      elsewhere: undefined,
      farewell: undefined,
      cancel: () => {},
    };
    if (transport.connected().includes(peer)) acquaintances.set(peer, fresh);
    return fresh;
  };
  const isPresent = (peer: PeerIdText, acquaintance: Acquaintance): boolean => acquaintances.get(peer) === acquaintance;
  const admit = (peer: PeerIdText, acquaintance: Acquaintance): void => {
    if (acquaintance.admitted || acquaintance.refused || !isPresent(peer, acquaintance)) return;
    // A welcome by the other side does not make it a member.
    if (!isMember(peer)) return;
    acquaintance.admitted = true;
    logger.debug("peer admitted", { peer });
  };
  const tell = (peer: PeerIdText, acquaintance: Acquaintance): void => {
    if (acquaintance.told || !acquaintance.admitted || !isPresent(peer, acquaintance)) return;
    acquaintance.told = true;
    options.onAdmitted(peer);
  };
  const refuse = (peer: PeerIdText, acquaintance: Acquaintance, reason: string): void => {
    if (acquaintance.refused) return;
    acquaintance.refused = true;
    // Also of who has hung up meanwhile: it knew the reason first.
    logger.warn("peer refused", { peer, reason });
    if (!isPresent(peer, acquaintance)) return;
    acquaintance.cancel = clock.after(timeoutMs, () => hangUp(peer));
    acquaintance.admitted = false;
    if (acquaintance.told) options.onLeft(peer);
  };
  /**
   * Once both have asked and answered, the side that was told why hangs up. The side that told it waits a little: closing
   * a connection drops what the other side has not read yet, and that is the reason.
   */
  const partIfDone = (peer: PeerIdText, acquaintance: Acquaintance): void => {
    if (!acquaintance.refused || !acquaintance.greeted || !acquaintance.answered) return;
    const { elsewhere } = acquaintance;
    if (elsewhere !== undefined && membership !== undefined && isSameRoster(elsewhere) && isMember(peer)) {
      // Both learn how the network has gone on; the timer of the refusal ends it at the latest.
      acquaintance.farewell ??= membership.meetElsewhere(parsePeerId(peer), elsewhere).then(() => hangUp(peer));
    } else if (!acquaintance.welcomed) hangUp(peer);
    else {
      acquaintance.cancel();
      acquaintance.cancel = clock.after(PARTING_MS, () => hangUp(peer));
    }
  };

  const greet = async (peer: PeerIdText, signal: AbortSignal): Promise<void> => {
    const acquaintance = meet(peer);
    try {
      const call = { peer, protocol: HANDSHAKE_PROTOCOL, timeoutMs, signal };
      const say = async (hello: Uint8Array): Promise<Reply> => {
        const bytes = await withStream({ transport, clock }, call, async (stream) => {
          await pipe([hello], cut, stream.sink);
          return await pipe(stream.source, oneFrame(LIMITS.handshakeBytesMax));
        });
        return decodeReply(bytes);
      };
      const first = await say(helloTo());
      // It has not heard of what made this peer a member: once more, with the entries.
      const reply = first.code === "ROSTER" && membership !== undefined ? await say(helloTo(first.heads)) : first;
      const reason = explainReply(reply, manifest);
      acquaintance.welcomed = reply.code === "WELCOME";
      acquaintance.elsewhere = reply.manifest;
      if (reason === undefined) {
        acquaintance.features = reply.features;
        admit(peer, acquaintance);
      } else refuse(peer, acquaintance, reason);
      acquaintance.greeted = true;
      tell(peer, acquaintance);
      partIfDone(peer, acquaintance);
    } catch (error) {
      if (acquaintance.refused || !isPresent(peer, acquaintance)) return;
      logger.debug("handshake failed", { peer, error });
      // A visitor may have come to ask for admission and nothing else; the gate shows it out in time.
      if (membership !== undefined && !isMember(peer)) return;
      refuse(peer, acquaintance, "it did not complete the handshake");
      // Who holds an invite has nothing to greet with yet, and comes to ask what has become of its request; the timer of
      // a refusal ends its visit.
      if (membership === undefined) hangUp(peer);
    }
  };

  const answer = async (stream: ByteStream, peer: PeerIdText): Promise<void> => {
    if (options.refuses(peer)) throw new NodeError("NOT_ADMITTED", `${peer} is refused for a while`);
    const acquaintance = meet(peer);
    if (!acquaintance.admitted && acquaintance.hellos >= HELLOS_MAX) {
      throw new NodeError("TOO_OFTEN", `${peer} greets too often`);
    }
    const bytes = await pipe(stream.source, oneFrame(helloBytesMax(acquaintance.hellos++)));
    const busy = !acquaintance.admitted && admitted().length >= options.neighboursMax;
    const context = {
      manifest,
      isMember: options.isMember,
      features: options.features,
      busy,
      ...(membership && {
        roster: { judge: membership.judgeShown.bind(membership), heads: membership.heads.bind(membership) },
      }),
    };
    const { code, reply, difference, features, missing } = answerHello(bytes, parsePeerId(peer), context);
    // Before the reply leaves: whoever reads a welcome may ask for heads at once.
    if (code === "WELCOME") {
      acquaintance.features = features;
      admit(peer, acquaintance);
    } else if (code === "NETWORK") refuse(peer, acquaintance, explainDifference(difference));
    else if (code === "FEATURES") refuse(peer, acquaintance, explainMissing(missing) ?? "");
    else if (code !== "ROSTER") refuse(peer, acquaintance, REFUSALS[code]);
    await pipe([encodeFrame(reply)], cut, stream.sink);
    acquaintance.answered = code !== "ROSTER";
    // After it has left: what this side asks for now finds the other side admitting it.
    tell(peer, acquaintance);
    partIfDone(peer, acquaintance);
  };

  return {
    isAdmitted,
    admitted,
    welcoming: () => admitted().filter((peer) => acquaintances.get(peer)?.welcomed === true),
    shares: (peer, feature) =>
      options.features.includes(feature) && isAdmitted(peer) && !!acquaintances.get(peer)?.features.includes(feature),
    review() {
      for (const [peer, acquaintance] of acquaintances) {
        if (isMember(peer)) {
          // It was welcome before this peer had heard of it.
          if (acquaintance.welcomed) admit(peer, acquaintance);
          tell(peer, acquaintance);
        } else if (acquaintance.admitted) {
          // The gate hangs up, having told it why; refusing does so itself after a while.
          refuse(peer, acquaintance, "it is not a member of the network any more");
        }
      }
    },
    stop() {
      for (const { cancel } of acquaintances.values()) cancel();
      acquaintances.clear();
    },
    async start() {
      transport.onConnect((peer) => {
        if (options.refuses(peer) || membership?.standingOf(parsePeerId(peer)) === "removed") {
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
const REFUSALS: Readonly<Record<Exclude<HandshakeCode, "WELCOME" | "NETWORK" | "ROSTER" | "FEATURES">, string>> = {
  VERSION: "it speaks another version of the protocol",
  NOT_A_MEMBER: "it is not a member of the network",
  BUSY: "there is no room for another neighbour",
  MALFORMED: "its hello cannot be read",
  EXPIRED: "its membership is over",
  REMOVED: "it was removed from the network",
};
