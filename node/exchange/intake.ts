/**
 * The way of an announcement into this peer: decoded once, judged, remembered, and its update queued to be fetched.
 * The functions that the network calls here only decode, check and enqueue.
 */
import type { Announcement } from "../../protocol/announcement.ts";
import { payloadBytesMax } from "../../protocol/encoding/update-payload.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { mayFetch, mayForward } from "../../protocol/membership/roles.ts";
import type { NeighbourSample } from "../../protocol/neighbour-sample.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import {
  announcementIn,
  type Fault,
  judgeAnnouncement,
  type OpenedAnnouncement,
  openAnnouncement,
  type Verdict,
  type VerdictCode,
  verdictOf,
} from "../../protocol/verdict.ts";
import type { Clock } from "../interface/clock.ts";
import type { LoopMarks } from "../interface/event-loop.ts";
import { NOT_SAMPLED } from "../interface/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import type { Neighbours } from "../interface/neighbours.ts";
import type { GossipJudgement } from "../interface/transport.ts";
import type { Background } from "./background.ts";
import type { BlobTransfer } from "./blob-transfer.ts";
import type { ExchangeLimits } from "./exchange-limits.ts";
import { createFetchQueue, type FetchQueue } from "./fetch-queue.ts";
import { type HeadsMessage, HeadsReader } from "./heads-reader.ts";
import type { IdentityWatch } from "./identity-watch.ts";
import type { Inbox } from "./inbox.ts";
import type { Announced, KnownHeads } from "./known-heads.ts";
import type { OwnChain } from "./own-chain.ts";
import { ProviderSlots } from "./provider-slots.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { type Rules, UpdateFetcher, type Wanted } from "./update-fetcher.ts";
import type { UpdateNotices } from "./update-notices.ts";

/** The needs of an intake, and its listener. */
export interface IntakeDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly background: Background;
  readonly neighbours: Neighbours;
  readonly blobs: Pick<BlobTransfer, "fetch">;
  readonly inbox: Inbox;
  readonly heads: KnownHeads;
  readonly ownChain: OwnChain;
  /** Hears of what carries this peer's own signature. */
  readonly identity: Pick<IdentityWatch, "hear">;
  readonly notices: UpdateNotices;
  /** Told who has the event loop. */
  readonly loop?: Pick<LoopMarks, "entered">;
  /** Two announcements of one author with one sequence, as bytes. */
  readonly onEquivocation: (first: Uint8Array, second: Uint8Array) => void;
}

/** What is judged by, and bounds of what is fetched. */
export interface IntakeOptions
  extends Pick<
    ExchangeLimits,
    | "fetchesMax"
    | "lateFetchesMax"
    | "fetchesPerProviderMax"
    | "providersMax"
    | "nextProviderAfterMs"
    | "slowProviderAfterMs"
    | "providerWaitMs"
    | "authorsMax"
    | "signatureChecksBurst"
    | "signatureChecksPerSecond"
    | "headsPerTurnMax"
  > {
  readonly rules: () => Rules;
  /** Of the round this peer is in, where it hears only some of its neighbours; undefined where it hears all. */
  readonly sample: () => NeighbourSample | undefined;
}

/** Verdicts on announcements whose signature holds and that come too late. */
const OUTDATED: readonly VerdictCode[] = ["OLD", "ROUND_OLD"];

/** What is to be said of an announcement, and whose fault it is where it is refused. */
type Judged = GossipJudgement<Announced> & {
  readonly fault?: Fault;
  /** Its sender has had so much verified lately that this one was not looked at. */
  readonly isOverBudget?: true;
};

/** An announcement as it came: what was decoded of it already, and whether it came by gossip, as it was made. */
interface Opening {
  readonly opened?: OpenedAnnouncement;
  readonly isFresh: boolean;
}

/** Bytes of an update's envelope besides its values. */
const ENVELOPE_BYTES_MAX = LIMITS.updateBytesMax - LIMITS.updatePayloadBytesMax;

/** Takes announcements from gossip and out of heads. */
export class Intake {
  readonly #dependencies: IntakeDependencies;
  readonly #options: IntakeOptions;
  readonly #bytesMax: number;
  readonly #queue: FetchQueue<Wanted>;
  readonly #checks: RateLimiter;
  readonly #reader: HeadsReader;

  constructor(dependencies: IntakeDependencies, options: IntakeOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
    const { background } = dependencies;
    const { rules, fetchesMax, lateFetchesMax, fetchesPerProviderMax, authorsMax } = options;
    this.#bytesMax = payloadBytesMax(rules()) + ENVELOPE_BYTES_MAX;
    const { signatureChecksBurst: burst, signatureChecksPerSecond: perPeriod, headsPerTurnMax } = options;
    this.#checks = new RateLimiter(dependencies, { burst, perPeriod, periodMs: 1000, peersMax: authorsMax });
    /** Authors that a message has spoken of. */
    const heard = new WeakMap<HeadsMessage, Set<PeerId>>();
    const judge = (bytes: Uint8Array, message: HeadsMessage): boolean => {
      const authors = heard.get(message) ?? new Set<PeerId>();
      heard.set(message, authors);
      return this.#takeHead(bytes, message, authors);
    };
    const onTurn = () => dependencies.loop?.entered("announcements out of heads");
    this.#reader = new HeadsReader({ judge, onTurn }, { perTurnMax: headsPerTurnMax });
    const slots = new ProviderSlots({ perProviderMax: fetchesPerProviderMax, lateMax: authorsMax });
    const fetcher = new UpdateFetcher({ ...dependencies, slots }, { ...options, bytesMax: this.#bytesMax });
    this.#queue = createFetchQueue<Wanted>(
      {
        fetch: (wanted) => background.run("fetch", (signal) => fetcher.fetch(wanted, signal)),
        canStart: (wanted) => fetcher.canStart(wanted),
        isLate: (author) => slots.isLate(author),
      },
      { concurrentMax: fetchesMax, lateMax: lateFetchesMax, authorsMax },
    );
  }

  /** Gossip; nobody is listened to but neighbours whose role lets them forward. */
  judgeGossip(bytes: Uint8Array, from: PeerId): GossipJudgement<Announced> {
    const { neighbours } = this.#dependencies;
    if (!neighbours.has(from) || !mayForward(neighbours.roleOf(from))) return { verdict: "ignore" };
    const { fault, isOverBudget: _, ...judged } = this.#judge(bytes, from, { isFresh: true });
    // A transport may punish whoever forwarded what is rejected, and an author's fault is none of its doing (section 8).
    return fault === "author" ? { verdict: "ignore" } : judged;
  }

  /** Gossip that `judgeGossip` accepted. */
  takeGossip(announced: Announced, from: PeerId): void {
    this.#accept(announced, from);
  }

  /** What a neighbour knows, each announcement on its own and a few at a time; resolves when all are judged. */
  takeHeads(announcements: readonly Uint8Array[], from: PeerId): Promise<void> {
    return this.#reader.read({ announcements, from });
  }

  /** One announcement of a Heads message; false: no more of it is looked at. */
  #takeHead(bytes: Uint8Array, { from }: HeadsMessage, heard: Set<PeerId>): boolean {
    const { background, neighbours } = this.#dependencies;
    if (neighbours.refuses(from) || background.signal.aborted) return false;
    const opened = openAnnouncement(bytes);
    const author = announcementIn(opened)?.author;
    if (author !== undefined && heard.has(author)) {
      // The newest of each author is one; a sender knows which of two that is.
      neighbours.blame(from);
      return false;
    }
    const judged = this.#judge(bytes, from, { opened, isFresh: false });
    if (judged.isOverBudget === true) return false;
    if (judged.verdict === "accept") this.#accept(judged.message, from);
    if (author !== undefined && judged.fault !== "sender") heard.add(author);
    return true;
  }

  /** Another round: fetch the updates that authors of its sample have announced for it already. */
  roundChanged(): void {
    if (this.#options.sample() === undefined) return;
    const { round } = this.#options.rules();
    for (const { announcement, bytes } of this.#dependencies.heads.announced()) {
      // An older one is fetched when heads are asked for again, since its author may still send a fresh one.
      if (announcement.round >= round) this.#wantAgain({ announcement, bytes, from: announcement.author });
    }
  }

  /** The announcement when it is news to be taken, otherwise what is to be said of the message. */
  #judge(bytes: Uint8Array, from: PeerId, { opened = openAnnouncement(bytes), isFresh }: Opening): Judged {
    const { heads, ownChain } = this.#dependencies;
    /** What it says, before anything in it is verified. */
    const seen = announcementIn(opened);
    if (seen !== undefined && isOwnHead(seen, ownChain)) return { verdict: "ignore" };
    if (seen !== undefined && heads.has(seen.author, bytes)) {
      // Judged before, byte for byte; only its update may still be missing.
      this.#wantAgain({ announcement: seen, bytes, from });
      return { verdict: "ignore" };
    }
    // What it takes to verify a signature is what the sender has of this peer's time.
    if (!this.#checks.take(from)) return { verdict: "ignore", isOverBudget: true };
    const context = { ...this.#options.rules(), headOf: heads.headOf, linkOf: heads.linkOf };
    const judgement = judgeAnnouncement(opened, context);
    if (judgement.kind !== "accept") {
      this.#refused(judgement, { announcement: seen, bytes, from, isFresh });
      return { verdict: judgement.kind, fault: judgement.fault };
    }
    const announcement = judgement.message;
    // Longer than the values can be: nobody needs to fetch it in order to know.
    if (announcement.bytesLength <= this.#bytesMax) return { verdict: "accept", message: { announcement, bytes } };
    const tooLong = verdictOf("PAYLOAD_LENGTH");
    this.#dependencies.notices.refused(tooLong, { announcement, from });
    return { verdict: tooLong.kind, fault: tooLong.fault };
  }

  #refused(
    verdict: Verdict,
    refused: Omit<Wanted, "announcement"> & { announcement: Announcement | undefined; isFresh: boolean },
  ): void {
    const { heads, notices, onEquivocation } = this.#dependencies;
    const { announcement: seen, bytes, from, isFresh } = refused;
    if (verdict.code === "EQUIVOCATION" && seen !== undefined) {
      const known = heads.bytesAt(seen.author, seen.sequence);
      if (known !== undefined) onEquivocation(known, bytes);
    }
    // Useless for training, and signed all the same: its author may have said something else to others.
    if (seen !== undefined && OUTDATED.includes(verdict.code)) heads.remember(seen, bytes);
    if (verdict.code === "OWN" && seen !== undefined) this.#dependencies.identity.hear(seen, { isFresh });
    // Whatever the verdict is, a signature that was looked at and is not the author's vouches for nobody.
    else notices.refused(verdict, { announcement: verdict.fault === "sender" ? undefined : seen, from });
  }

  #accept({ announcement, bytes }: Announced, from: PeerId): void {
    const { heads, notices } = this.#dependencies;
    if (!heads.accept(announcement, bytes, from)) return;
    const { author, round } = announcement;
    if (this.#isSampled(author)) this.#want({ announcement, bytes, from });
    // Its author is there and in this round, which is all that is to be known of it.
    else notices.tell({ from: author, round, verdict: "ignore", code: NOT_SAMPLED });
  }

  #isSampled(author: PeerId): boolean {
    const sample = this.#options.sample();
    if (sample === undefined) return true;
    const { round, roundsBehindMax } = this.#options.rules();
    return sample.has(author, this.#dependencies.heads.authorsSince(round - roundsBehindMax));
  }

  #want(wanted: Wanted): void {
    const { neighbours, logger } = this.#dependencies;
    if (!mayFetch(neighbours.roleOf(neighbours.self))) return;
    // A copy: the bytes may be a view into a larger message.
    const copy = { ...wanted, bytes: wanted.bytes.slice() };
    if (!this.#queue.offer(wanted.announcement.author, copy)) logger.warn("too many updates wait to be fetched");
  }

  /** An announcement that was accepted before: its update may still be missing. */
  #wantAgain(wanted: Wanted): void {
    const { author, contentId } = wanted.announcement;
    const isHere = this.#dependencies.inbox.headOf(author)?.contentId === contentId;
    if (!isHere && !this.#queue.has(author) && this.#isSampled(author)) this.#want(wanted);
  }
}

function isOwnHead({ author, contentId }: Announcement, ownChain: OwnChain): boolean {
  const own = ownChain.head()?.update;
  return own !== undefined && own.author === author && own.contentId === contentId;
}
