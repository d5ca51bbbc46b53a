/**
 * Entries over `/weft/roster/1`: a member says which entries it holds, and gets those that it lacks and what waits for
 * signatures. Both sides of a new connection ask, so that late joiners and healed partitions converge; later a peer asks when
 * a neighbour is seen to hold more, and now and then. A peer that was removed is asked once, too: it sees from the question
 * that there is more, asks in turn, and learns why.
 */
import { pipe } from "it-pipe";
import { ProtocolError } from "../../protocol/errors.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { EntryId } from "../../protocol/membership/entry.ts";
import {
  decodeEntries,
  decodeInventory,
  encodeInventory,
  encodeMissing,
} from "../../protocol/membership/roster-exchange.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";
import {
  decodeRosterMessages,
  encodeRosterMessage,
  encodeRosterMessages,
  type RosterMessage,
} from "../../protocol/membership/roster-message.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import type { Background } from "../exchange/background.ts";
import { cut, frames, oneFrame } from "../exchange/byte-pipeline.ts";
import { answerWithin, withStream } from "../exchange/deadline.ts";
import { RateLimiter } from "../exchange/rate-limiter.ts";
import type { Clock } from "../interface/clock.ts";
import type { Conversation } from "../interface/conversation.ts";
import type { ByteStream, GossipJudgement, Transport } from "../interface/transport.ts";
import type { MembershipLimits } from "./membership-limits.ts";
import type { MessageIntake, MessageJudgement } from "./message-intake.ts";
import type { RosterStore } from "./roster-store.ts";

/** What exchanging entries needs. */
export interface RosterExchangeDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly roster: RosterStore;
  readonly background: Background;
  readonly intake: MessageIntake;
  /** What is told beside the entries. */
  readonly messages: () => readonly RosterMessage[];
  readonly isMember: (peer: PeerId) => boolean;
  /** Members that are connected now. */
  readonly present: () => readonly PeerId[];
  readonly publish: (message: RosterMessage) => void;
  readonly hangUp: (peer: PeerId) => void;
  /** A peer that was asked has said all that it holds, and it is on disk. */
  readonly onAnswered: (peer: PeerId) => void;
}

/** Bytes that nobody has looked at; what these throw ends the conversation. */
interface Taker {
  readonly onEntry: (bytes: Uint8Array) => void;
  readonly onMessage: (bytes: Uint8Array) => void;
}

/** Messages of entries in one answer: as many as a full roster of the longest entries takes. */
const MESSAGES_MAX = 1 + (LIMITS.rosterEntryCountMax * LIMITS.rosterEntryBytesMax) / LIMITS.rosterMessageBytesMax;

/** The conversation about entries, at one peer. */
export class RosterExchange implements Conversation {
  readonly protocol = STREAM_PROTOCOLS.roster;
  readonly #dependencies: RosterExchangeDependencies;
  readonly #limits: MembershipLimits;
  readonly #rates: RateLimiter;
  /** How often what a neighbour sends has it asked what it holds. */
  readonly #prompted: RateLimiter;
  readonly #asking = new Map<PeerId, Promise<void>>();
  /** Peers that were removed and are being told so, with what cancels the hang-up. */
  readonly #dismissed = new Map<PeerId, () => void>();
  #cancelNext: () => void = () => {};

  constructor(dependencies: RosterExchangeDependencies, limits: MembershipLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
    const often = {
      ...{ burst: limits.pullsPerWindowMax, perPeriod: limits.pullsPerWindowMax },
      ...{ periodMs: limits.pullWindowMs, peersMax: limits.visitsRememberedMax },
    };
    this.#rates = new RateLimiter(dependencies, often);
    this.#prompted = new RateLimiter(dependencies, often);
  }

  /** Answer others, and ask one of them now and then. */
  async start(): Promise<void> {
    const { transport } = this.#dependencies;
    await transport.handle(this.protocol, (stream, from) => this.#answer(stream, from));
    this.#askNext(0);
  }

  /** Wait for nothing any more; idempotent. */
  async stop(): Promise<void> {
    this.#cancelNext();
    for (const cancel of this.#dismissed.values()) cancel();
  }

  /** Ask a neighbour, unless it is being asked, and tell the others of what is new; resolves when it has answered or failed. */
  ask(peer: PeerId): Promise<void> {
    const running = this.#asking.get(peer);
    if (running !== undefined) return running;
    const started = this.#dependencies.background
      .run("asking for roster entries", (signal) => this.#takeFrom(peer, signal))
      .finally(() => this.#asking.delete(peer));
    this.#asking.set(peer, started);
    return started;
  }

  /** Judge gossip; whoever sends an entry is asked for what it rests on where that is missing.  Throws: nothing. */
  validate(bytes: Uint8Array, from: PeerId): GossipJudgement<MessageJudgement> {
    const judgement = this.#dependencies.intake.gossip(bytes, from);
    const { verdict, code } = judgement;
    if (code === "PENDING") this.#askBack(from);
    return verdict === "accept" ? { verdict, message: judgement } : { verdict };
  }

  /** Let somebody who was removed fetch why, then hang up. */
  dismiss(peer: PeerId): void {
    if (this.#dismissed.has(peer)) return;
    const { clock, background, hangUp } = this.#dependencies;
    const cancel = clock.after(this.#limits.farewellMs, () => hangUp(peer));
    this.#dismissed.set(peer, cancel);
    // It sees from the question that this peer holds more, and asks in turn; what it answers is not read.
    void background.run("telling somebody that it was removed", async (signal) => {
      try {
        await this.#converse(peer, { onEntry: () => {}, onMessage: () => {} }, signal);
      } catch (error) {
        hangUp(peer);
        throw error;
      }
    });
  }

  /** Somebody is not connected any more. */
  forget(peer: PeerId): void {
    this.#dismissed.get(peer)?.();
    this.#dismissed.delete(peer);
  }

  async #answer(stream: ByteStream, from: PeerId): Promise<void> {
    const { clock, roster, isMember, messages, hangUp } = this.#dependencies;
    const isDismissed = (): boolean => this.#dismissed.has(from);
    if (!isMember(from) && !isDismissed()) {
      throw new NodeError("NOT_ADMITTED", `${from} asked for the roster and is no member`);
    }
    this.#rates.require(from, "entries");
    const { log } = roster;
    const timeoutMs = this.#limits.pullTimeoutMs;
    await answerWithin(clock, { stream, timeoutMs, protocol: this.protocol }, async ({ source, sink }) => {
      const held = decodeInventory(await pipe(source, oneFrame(LIMITS.rosterMessageBytesMax)));
      const told = encodeRosterMessages(messages().map(encodeRosterMessage));
      await pipe([told, ...encodeMissing(log, held)].map(encodeFrame), cut, sink);
      if (lacksAny(log, held)) this.#askBack(from);
    });
    if (isDismissed()) hangUp(from);
  }

  /** It says that it holds more: ask it, unless it says so again and again. */
  #askBack(peer: PeerId): void {
    if (!this.#asking.has(peer) && this.#prompted.take(peer)) void this.ask(peer);
  }

  async #takeFrom(peer: PeerId, signal: AbortSignal): Promise<void> {
    const { roster, intake, present, publish, onAnswered } = this.#dependencies;
    const fresh: Uint8Array[] = [];
    let waiting = 0;
    const onEntry = (body: Uint8Array): void => {
      const { verdict, code } = intake.entry(body);
      if (verdict === "reject") throw new ProtocolError("FIELD_INVALID", `roster entry of ${peer}: ${code}`);
      if (verdict === "accept") fresh.push(body);
      if (code !== "PENDING" || ++waiting <= this.#limits.waitingEntriesMax) return;
      throw new ProtocolError("FIELD_INVALID", `${peer} sends roster entries before those that they follow`);
    };
    await this.#converse(peer, { onEntry, onMessage: (bytes) => void intake.bytes(bytes) }, signal);
    await roster.written();
    onAnswered(peer);
    if (fresh.length === 0) return;
    if (fresh.length <= this.#limits.gossipEntriesMax) for (const body of fresh) publish({ kind: "entry", body });
    // They see from what they are asked with that this peer holds more, and ask in turn.
    else for (const other of present()) if (other !== peer) void this.ask(other);
  }

  /** Throws: NodeError STREAM_FAILED, TIMEOUT, FRAME_INVALID; ProtocolError; what the taker throws. */
  async #converse(peer: PeerId, { onEntry, onMessage }: Taker, signal: AbortSignal): Promise<void> {
    const { transport, clock, roster } = this.#dependencies;
    const call = { peer, protocol: this.protocol, timeoutMs: this.#limits.pullTimeoutMs, signal };
    await withStream({ transport, clock }, call, async ({ source, sink }) => {
      await pipe([encodeFrame(encodeInventory(roster.log))], cut, sink);
      let told: Uint8Array | undefined;
      const bounds = { bytesMax: LIMITS.rosterMessageBytesMax, countMax: MESSAGES_MAX };
      for await (const message of frames(source, bounds)) {
        if (told === undefined) told = message;
        else {
          await this.#inTurns(decodeEntries(message), onEntry);
        }
      }
      // After the entries: what a message rests on is known then.
      if (told !== undefined) await this.#inTurns(decodeRosterMessages(told), onMessage);
    });
  }

  /** A few at a time: each costs signatures to verify. */
  async #inTurns<One>(all: readonly One[], take: (one: One) => void): Promise<void> {
    for (const [i, one] of all.entries()) {
      if (i > 0 && i % this.#limits.entriesPerTurnMax === 0) await afterOthers();
      take(one);
    }
  }

  #askNext(turn: number): void {
    const { clock, present } = this.#dependencies;
    this.#cancelNext = clock.after(this.#limits.pullIntervalMs, () => {
      const neighbours = present();
      const peer = neighbours[turn % Math.max(1, neighbours.length)];
      if (peer !== undefined) void this.ask(peer);
      this.#askNext(turn + 1);
    });
  }
}

/** Everybody else has a turn. */
const afterOthers = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function lacksAny(log: RosterLog, held: ReadonlySet<EntryId>): boolean {
  for (const id of held) if (log.get(id) === undefined) return true;
  return false;
}
