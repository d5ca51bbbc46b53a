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
  judgeAnnouncement,
  openAnnouncement,
  type Verdict,
  type VerdictCode,
  verdictOf,
} from "../../protocol/verdict.ts";
import { NOT_SAMPLED } from "../interface/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import type { Neighbours } from "../interface/neighbours.ts";
import type { GossipJudgement } from "../interface/transport.ts";
import type { Background } from "./background.ts";
import type { BlobTransfer } from "./blob-transfer.ts";
import { createFetchQueue, type FetchQueue } from "./fetch-queue.ts";
import type { Inbox } from "./inbox.ts";
import type { Announced, KnownHeads } from "./known-heads.ts";
import type { OwnChain } from "./own-chain.ts";
import { type Rules, UpdateFetcher, type Wanted } from "./update-fetcher.ts";
import type { UpdateNotices } from "./update-notices.ts";

/** The needs of an intake, and its listener. */
export interface IntakeDependencies {
  readonly logger: Logger;
  readonly background: Background;
  readonly neighbours: Neighbours;
  readonly blobs: Pick<BlobTransfer, "fetch">;
  readonly inbox: Inbox;
  readonly heads: KnownHeads;
  readonly ownChain: OwnChain;
  readonly notices: UpdateNotices;
  /** Two announcements of one author with one sequence, as bytes. */
  readonly onEquivocation: (first: Uint8Array, second: Uint8Array) => void;
}

/** Rules of judging, and bounds on fetches. */
export interface IntakeOptions {
  readonly rules: () => Rules;
  /** Updates that are fetched at the same time. */
  readonly fetchesMax: number;
  /** Neighbours that are asked for one update before it is given up until it is announced again. */
  readonly providersMax: number;
  readonly authorsMax: number;
  /** Of the round this peer is in, where it hears only some of its neighbours; undefined where it hears all. */
  readonly sample: () => NeighbourSample | undefined;
}

/** Verdicts on announcements whose signature holds and that come too late. */
const OUTDATED: readonly VerdictCode[] = ["OLD", "ROUND_OLD"];

/** Bytes of an update's envelope besides its values. */
const ENVELOPE_BYTES_MAX = LIMITS.updateBytesMax - LIMITS.updatePayloadBytesMax;

/** Takes announcements from gossip and out of heads. */
export class Intake {
  readonly #dependencies: IntakeDependencies;
  readonly #options: IntakeOptions;
  readonly #bytesMax: number;
  readonly #queue: FetchQueue<Wanted>;

  constructor(dependencies: IntakeDependencies, options: IntakeOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
    const { background } = dependencies;
    const { rules, providersMax, fetchesMax, authorsMax } = options;
    this.#bytesMax = payloadBytesMax(rules()) + ENVELOPE_BYTES_MAX;
    const fetcher = new UpdateFetcher(dependencies, { rules, bytesMax: this.#bytesMax, providersMax });
    this.#queue = createFetchQueue<Wanted>(
      { fetch: (wanted) => background.run("fetch", (signal) => fetcher.fetch(wanted, signal)) },
      { concurrentMax: fetchesMax, authorsMax },
    );
  }

  /** Gossip; nobody is listened to but neighbours whose role lets them forward. */
  judgeGossip(bytes: Uint8Array, from: PeerId): GossipJudgement<Announced> {
    const { neighbours } = this.#dependencies;
    if (!neighbours.has(from) || !mayForward(neighbours.roleOf(from))) return { verdict: "ignore" };
    return this.#judge(bytes, from);
  }

  /** Gossip that `judgeGossip` accepted. */
  takeGossip(announced: Announced, from: PeerId): void {
    this.#accept(announced, from);
  }

  /** The announcements that a neighbour knows, each on its own. */
  takeHeads(announcements: readonly Uint8Array[], from: PeerId): void {
    for (const bytes of announcements) {
      if (this.#dependencies.neighbours.refuses(from)) return;
      const judged = this.#judge(bytes, from);
      if (judged.verdict === "accept") this.#accept(judged.message, from);
    }
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

  /** The announcement when it is news to be taken, otherwise the judgement of the message. */
  #judge(bytes: Uint8Array, from: PeerId): GossipJudgement<Announced> {
    const { heads, ownChain } = this.#dependencies;
    const opened = openAnnouncement(bytes);
    /** Its content, before anything in it is verified. */
    const seen = announcementIn(opened);
    if (seen !== undefined && isOwnHead(seen, ownChain)) return { verdict: "ignore" };
    if (seen !== undefined && heads.has(seen.author, bytes)) {
      // Judged before, byte for byte; only its update may still be missing.
      this.#wantAgain({ announcement: seen, bytes, from });
      return { verdict: "ignore" };
    }
    const context = { ...this.#options.rules(), headOf: heads.headOf, linkOf: heads.linkOf };
    const judgement = judgeAnnouncement(opened, context);
    if (judgement.kind !== "accept") {
      this.#refused(judgement, { announcement: seen, bytes, from });
      return { verdict: judgement.kind };
    }
    const announcement = judgement.message;
    // Longer than the values can be: nobody needs to fetch it in order to know.
    if (announcement.bytesLength <= this.#bytesMax) return { verdict: "accept", message: { announcement, bytes } };
    this.#dependencies.notices.refused(verdictOf("PAYLOAD_LENGTH"), { announcement, from });
    return { verdict: "reject" };
  }

  #refused(verdict: Verdict, refused: Omit<Wanted, "announcement"> & { announcement: Announcement | undefined }): void {
    const { heads, notices, onEquivocation } = this.#dependencies;
    const { announcement: seen, bytes, from } = refused;
    if (verdict.code === "EQUIVOCATION" && seen !== undefined) {
      const known = heads.bytesAt(seen.author, seen.sequence);
      if (known !== undefined) onEquivocation(known, bytes);
    }
    // Useless for training, and signed all the same: its author may have said something else to others.
    if (seen !== undefined && OUTDATED.includes(verdict.code)) heads.remember(seen, bytes);
    if (verdict.code === "OWN" && seen !== undefined) this.#hearOfSelf(seen);
    // Under any verdict, a signature that was looked at and is not the author's vouches for nobody.
    else notices.refused(verdict, { announcement: verdict.fault === "sender" ? undefined : seen, from });
  }

  /** Neighbours remember a link of this peer's own chain. */
  #hearOfSelf(announcement: Announcement): void {
    const { ownChain, logger } = this.#dependencies;
    const own = ownChain.head()?.update;
    const { sequence, contentId } = announcement;
    if (ownChain.adopt(announcement)) {
      logger.warn("neighbours know a later update of this peer than its own store does; going on after it", {
        sequence,
      });
    } else if (own !== undefined && own.sequence === sequence && own.contentId !== contentId) {
      logger.error("another process signs updates with this peer's identity", { sequence });
    }
  }

  #accept({ announcement, bytes }: Announced, from: PeerId): void {
    const { heads, notices } = this.#dependencies;
    if (!heads.accept(announcement, bytes)) return;
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
