/**
 * Admission over `/weft/handshake/1`: on every new connection both sides show their network, and a peer of another network
 * learns in which field it differs. Until then a peer gets no heads and no bytes, and its gossip is ignored. Where there is a
 * roster, both sides show their certificates. Each admits the other only if its own roster, or the certificate, makes the
 * other a member; the other's word does not count.
 */
import { pipe } from "it-pipe";
import { encodeFrame, FRAME_HEADER_BYTES } from "../../protocol/frame.ts";
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
import type { PeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import type { Conversation } from "../interface/conversation.ts";
import type { Membership } from "../interface/membership.ts";
import type { ByteStream, Standing } from "../interface/transport.ts";
import { cut, oneFrame } from "./byte-pipeline.ts";
import { ask, type ConversationDependencies } from "./conversation.ts";
import { answerWithin } from "./deadline.ts";
import type { NeighbourTable } from "./neighbour-table.ts";
import type { OpenPlaces } from "./open-places.ts";
import { RateLimiter, type RateLimits } from "./rate-limiter.ts";

/** The needs of a handshake; only it writes the table of neighbours. */
export interface HandshakeDependencies extends Omit<ConversationDependencies, "neighbours"> {
  /** The table of the peers that are past it. */
  readonly neighbours: NeighbourTable;
  /** Where there is no roster. */
  readonly places?: OpenPlaces;
}

/** This peer's side of a handshake, and its rule for admitting peers. */
export interface HandshakeOptions {
  readonly manifest: NetworkManifest;
  /** This peer's features, by name: protocol/features.ts. */
  readonly features: readonly string[];
  readonly isMember: (peer: PeerId) => boolean;
  /** Where there is a roster; `isMember` answers by it then. */
  readonly membership?: Membership;
  /** Neighbours that this peer admits at a time, and how many more where they are admins. */
  readonly neighboursMax: number;
  readonly moreAdminsMax: number;
  readonly timeoutMs: number;
  /** How often who is admitted may greet again. */
  readonly hellosOfNeighbours: Omit<RateLimits, "peersMax">;
  /** Peers whose rates are remembered. */
  readonly peersMax: number;
  /** Told of each connected peer that is refused, and why, in a clause; where nobody is, the log warns of it. */
  readonly onRefused?: (peer: PeerId, reason: string) => void;
}

/** The state of one connected peer; forgotten when it disconnects. */
interface Acquaintance {
  greeted: boolean;
  answered: boolean;
  /** Whether it said welcome. */
  welcomed: boolean;
  /** Its hellos so far. */
  hellos: number;
  admitted: boolean;
  /** Its features, as it told them last. */
  features: readonly string[];
  refused: boolean;
  /** Its network, as it told, where that is another one. */
  elsewhere: NetworkManifest | undefined;
  /** Of a member in another network of this roster: the exchange before the two part. */
  farewell: Promise<void> | undefined;
  /** Cancels the hang-up on a refused peer that does not finish its own half. */
  cancel: () => void;
}

const stranger = (): Acquaintance => ({
  greeted: false,
  answered: false,
  welcomed: false,
  hellos: 0,
  admitted: false,
  features: [],
  refused: false,
  elsewhere: undefined,
  farewell: undefined,
  cancel: () => {},
});

/** Time for the other side to read why it is refused and to hang up itself. */
const PARTING_MS = 2_000;
/** Hellos of one connection before it is admitted: one, one more with entries, and one if the connection comes to stay. */
const HELLOS_MAX = 4;
/** Of a hello besides its manifest: a certificate, heads, and a manifest that differs in a list. */
const HELLO_ROOM_BYTES = 64 * 1024;

/** Greets every peer that connects, answers greetings, and admits or refuses. */
export class Handshake implements Conversation {
  readonly protocol = STREAM_PROTOCOLS.handshake;
  readonly #dependencies: HandshakeDependencies;
  readonly #options: HandshakeOptions;
  readonly #acquaintances = new Map<PeerId, Acquaintance>();
  readonly #openHello: Uint8Array;
  readonly #rates: RateLimiter;

  constructor(dependencies: HandshakeDependencies, options: HandshakeOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
    this.#rates = new RateLimiter(dependencies, { ...options.hellosOfNeighbours, peersMax: options.peersMax });
    this.#openHello = encodeHello(options.manifest, undefined, options.features);
  }

  /** Handle the protocol and greet every peer that connects; before the transport starts. */
  async start(): Promise<void> {
    const { transport, clock, background, neighbours, places } = this.#dependencies;
    const { membership, timeoutMs } = this.#options;
    transport.onConnect((peer) => {
      places?.begin(peer);
      if (neighbours.refuses(peer) || membership?.statusOf(peer) === "removed") {
        this.#hangUp(peer);
        return;
      }
      this.#meet(peer);
      void background.run("handshake", (signal) => this.#greet(peer, signal));
    });
    transport.onDisconnect((peer) => {
      places?.end(peer);
      this.#acquaintances.get(peer)?.cancel();
      this.#acquaintances.delete(peer);
      neighbours.remove(peer);
    });
    await transport.handle(this.protocol, async (stream, from) => {
      const call = { stream, timeoutMs, protocol: this.protocol };
      await answerWithin(clock, call, (answered) => this.#answer(answered, from));
    });
  }

  /** Forget everybody, without telling; idempotent. */
  async stop(): Promise<void> {
    for (const { cancel } of this.#acquaintances.values()) cancel();
    this.#acquaintances.clear();
    this.#dependencies.neighbours.clear();
  }

  /** Neighbours that have welcomed this peer: an admitted one may still refuse it. */
  welcoming(): readonly PeerId[] {
    return this.#dependencies.neighbours.all().filter((peer) => this.#acquaintances.get(peer)?.welcomed === true);
  }

  /** Whether there is room for a connection from there; where there is a roster, that is not asked here. */
  hasRoomFor(peer: PeerId, origin: string | undefined): boolean {
    return this.#dependencies.places?.admits(peer, origin) !== false;
  }

  /** What a peer is to this one. */
  standingOf(peer: PeerId): Standing {
    const { neighbours, places } = this.#dependencies;
    if (!neighbours.has(peer)) return "nobody";
    return places === undefined || places.isKnown(peer) ? "known" : "guest";
  }

  /** Memberships have changed: cut off at once every peer that is no member any more. */
  review(): void {
    for (const [peer, acquaintance] of this.#acquaintances) {
      if (this.#options.isMember(peer)) {
        // It was welcome before this peer had heard of it.
        if (acquaintance.welcomed) this.#admit(peer, acquaintance);
        this.#tell(peer, acquaintance);
      } else if (acquaintance.admitted) {
        // The gate hangs up, having told it why; refusing does so itself after a while.
        this.#refuse(peer, acquaintance, "it is not a member of the network any more");
      }
    }
  }

  #hello(known?: Reply["heads"]): Uint8Array {
    const { manifest, membership, features } = this.#options;
    return membership === undefined ? this.#openHello : encodeHello(manifest, membership.shown(known), features);
  }

  /** A hello of a manifest that is not much longer than this one, and of what it may show where there is a roster. */
  #helloBytesMax(hellos: number): number {
    const { opened } = this.protocol.bytesMax;
    const isShown = this.#options.membership !== undefined && hellos > 0;
    const shownMax = isShown ? LIMITS.rosterMessageBytesMax : 0;
    return Math.min(opened, 2 * (this.#openHello.length + FRAME_HEADER_BYTES) + HELLO_ROOM_BYTES + shownMax);
  }

  /** Members that fill a peer's places keep no admin away from it, who may bring their removal. */
  #hasRoom(peer: PeerId): boolean {
    const { neighbours, places } = this.#dependencies;
    if (places !== undefined) return places.hasRoom(peer);
    const { neighboursMax, moreAdminsMax, membership } = this.#options;
    const max = neighboursMax + (membership?.roleOf(peer) === "admin" ? moreAdminsMax : 0);
    return neighbours.all().length < max;
  }

  #hangUp(peer: PeerId): void {
    const { background, transport } = this.#dependencies;
    void background.run("hanging up", () => transport.hangUp(peer));
  }

  /** A stream may arrive before the event of its connection does. */
  #meet(peer: PeerId): Acquaintance {
    const known = this.#acquaintances.get(peer);
    if (known !== undefined) return known;
    const fresh = stranger();
    if (this.#dependencies.transport.connected().includes(peer)) this.#acquaintances.set(peer, fresh);
    return fresh;
  }

  #isPresent(peer: PeerId, acquaintance: Acquaintance): boolean {
    return this.#acquaintances.get(peer) === acquaintance;
  }

  #admit(peer: PeerId, acquaintance: Acquaintance): void {
    if (acquaintance.refused || !this.#isPresent(peer, acquaintance)) return;
    // A welcome by the other side does not make it a member.
    if (!acquaintance.admitted && !this.#options.isMember(peer)) return;
    const { logger, neighbours, places } = this.#dependencies;
    // Its welcome makes no room here either.
    if (!acquaintance.admitted && (!this.#hasRoom(peer) || places?.take(peer) === false)) {
      this.#refuse(peer, acquaintance, REFUSALS.BUSY);
      return;
    }
    neighbours.admit(peer, acquaintance.features);
    if (!acquaintance.admitted) logger.debug("peer admitted", { peer });
    acquaintance.admitted = true;
  }

  #tell(peer: PeerId, acquaintance: Acquaintance): void {
    if (this.#isPresent(peer, acquaintance)) this.#dependencies.neighbours.announce(peer);
  }

  #refuse(peer: PeerId, acquaintance: Acquaintance, reason: string): void {
    if (acquaintance.refused) return;
    acquaintance.refused = true;
    const { logger, clock, neighbours } = this.#dependencies;
    // Also of a peer that has hung up meanwhile: it knew the reason first.
    const { onRefused } = this.#options;
    logger[onRefused === undefined ? "warn" : "info"]("peer refused", { peer, reason });
    onRefused?.(peer, reason);
    if (!this.#isPresent(peer, acquaintance)) return;
    acquaintance.cancel = clock.after(this.#options.timeoutMs, () => this.#hangUp(peer));
    acquaintance.admitted = false;
    neighbours.remove(peer);
  }

  /**
   * Once both have asked and answered, the side that was told the reason hangs up. The side that told it waits a little:
   * closing a connection drops all unread bytes of the other side, and the reason is among them.
   */
  #partIfDone(peer: PeerId, acquaintance: Acquaintance): void {
    if (!acquaintance.refused || !acquaintance.greeted || !acquaintance.answered) return;
    const { membership, isMember, manifest } = this.#options;
    const { elsewhere } = acquaintance;
    const isOfRoster = elsewhere !== undefined && rosterIdOf(elsewhere) === rosterIdOf(manifest);
    if (isOfRoster && membership !== undefined && isMember(peer)) {
      // Both learn how the network has gone on; the timer of the refusal ends it at the latest.
      acquaintance.farewell ??= membership.meetElsewhere(peer, elsewhere).then(() => this.#hangUp(peer));
    } else if (!acquaintance.welcomed) this.#hangUp(peer);
    else {
      acquaintance.cancel();
      acquaintance.cancel = this.#dependencies.clock.after(PARTING_MS, () => this.#hangUp(peer));
    }
  }

  async #greet(peer: PeerId, signal: AbortSignal): Promise<void> {
    const acquaintance = this.#meet(peer);
    try {
      const reply = await this.#greeted(peer, signal);
      const reason = explainReply(reply, this.#options.manifest);
      acquaintance.welcomed = reply.code === "WELCOME";
      acquaintance.elsewhere = reply.manifest;
      if (reason === undefined) {
        acquaintance.features = reply.features;
        this.#admit(peer, acquaintance);
      } else this.#refuse(peer, acquaintance, reason);
      acquaintance.greeted = true;
      this.#tell(peer, acquaintance);
      this.#partIfDone(peer, acquaintance);
    } catch (error) {
      this.#greetingFailed(peer, acquaintance, error);
    }
  }

  /** The other side's last reply. */
  async #greeted(peer: PeerId, signal: AbortSignal): Promise<Reply> {
    const call = { peer, protocol: this.protocol, timeoutMs: this.#options.timeoutMs, signal };
    const say = async (hello: Uint8Array): Promise<Reply> => decodeReply(await ask(this.#dependencies, call, hello));
    const first = await say(this.#hello());
    // It has not heard of the entries that made this peer a member: once more, with these entries.
    const isAskedAgain = first.code === "ROSTER" && this.#options.membership !== undefined;
    return isAskedAgain ? await say(this.#hello(first.heads)) : first;
  }

  #greetingFailed(peer: PeerId, acquaintance: Acquaintance, error: unknown): void {
    if (acquaintance.refused || !this.#isPresent(peer, acquaintance)) return;
    this.#dependencies.logger.debug("handshake failed", { peer, error });
    const { membership, isMember } = this.#options;
    // A visitor may have come to ask for admission and nothing else; the gate shows it out in time.
    if (membership !== undefined && !isMember(peer)) return;
    this.#refuse(peer, acquaintance, "it did not complete the handshake");
    // The holder of an invite has nothing to greet with yet, and comes to ask for the answer to its request; the timer of
    // a refusal ends its visit.
    if (membership === undefined) this.#hangUp(peer);
  }

  async #answer(stream: ByteStream, peer: PeerId): Promise<void> {
    const { neighbours } = this.#dependencies;
    if (neighbours.refuses(peer)) throw new NodeError("NOT_ADMITTED", `${peer} is refused for a while`);
    const acquaintance = this.#meet(peer);
    if (!acquaintance.admitted && acquaintance.hellos >= HELLOS_MAX) {
      throw new NodeError("TOO_OFTEN", `${peer} greets too often`);
    }
    if (acquaintance.admitted) this.#rates.require(peer, "a welcome");
    const bytes = await pipe(stream.source, oneFrame(this.#helloBytesMax(acquaintance.hellos++)));
    const { manifest, isMember, features: own, membership } = this.#options;
    const answered = answerHello(bytes, peer, {
      ...{ manifest, isMember, features: own },
      busy: !acquaintance.admitted && !this.#hasRoom(peer),
      ...(membership && {
        roster: { judge: membership.judgeShown.bind(membership), heads: membership.heads.bind(membership) },
      }),
    });
    const { code, reply, difference, features, missing } = answered;
    // Before the reply leaves: a peer that reads a welcome may ask for heads at once.
    if (code === "WELCOME") {
      acquaintance.features = features;
      this.#admit(peer, acquaintance);
    } else if (code === "NETWORK") this.#refuse(peer, acquaintance, explainDifference(difference));
    else if (code === "FEATURES") this.#refuse(peer, acquaintance, explainMissing(missing) ?? "");
    else if (code !== "ROSTER") this.#refuse(peer, acquaintance, REFUSALS[code]);
    await pipe([encodeFrame(reply)], cut, stream.sink);
    acquaintance.answered = code !== "ROSTER";
    // After it has left: a request of this side now finds the other side admitting it.
    this.#tell(peer, acquaintance);
    this.#partIfDone(peer, acquaintance);
  }
}

/** Why this side refuses, in the words of the log; a difference of networks is explained field by field. */
const REFUSALS: Readonly<Record<Exclude<HandshakeCode, "WELCOME" | "NETWORK" | "ROSTER" | "FEATURES">, string>> = {
  VERSION: "it speaks another version of the protocol",
  NOT_A_MEMBER: "it is not a member of the network",
  BUSY: "there is no room for another neighbour",
  MALFORMED: "its hello cannot be read",
  EXPIRED: "its membership is over",
  REMOVED: "its key was removed from the network, replaced or barred",
};
