/**
 * The way of an update into this peer: announcement judged → fetch queued → bytes fetched → update judged → inbox.
 * What the network calls here only decodes, checks and enqueues.
 */

import { type Announcement, readAnnouncement } from "../../protocol/announcement.ts";
import type { ContentId } from "../../protocol/content-id.ts";
import { isSparse, payloadBytesMax } from "../../protocol/encoding/update-payload.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { JudgeContext, JudgeState, UpdateContext } from "../../protocol/judge-context.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { NeighbourSample } from "../../protocol/neighbour-sample.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { readUpdate } from "../../protocol/update.ts";
import {
  type JudgedUpdate,
  type Judgement,
  judgeAnnouncement,
  judgeUpdate,
  type Verdict,
  type VerdictCode,
  verdictOf,
} from "../../protocol/verdict.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import { NOT_SAMPLED, type UpdateNotice } from "../interface/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import type { GossipJudgement, Transport } from "../interface/transport.ts";
import type { Background } from "./background.ts";
import { type BlobRequest, fetchBlob } from "./blob-transfer.ts";
import { collectLinks } from "./collect-links.ts";
import { createFetchQueue } from "./fetch-queue.ts";
import type { Inbox } from "./inbox.ts";
import type { KnownHeads } from "./known-heads.ts";
import type { OwnChain } from "./own-chain.ts";
import { linksAfter } from "./stored-update.ts";
import type { UpdateLink } from "./update-links.ts";

export interface IntakeDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly background: Background;
  readonly inbox: Inbox;
  readonly heads: KnownHeads;
  readonly ownChain: OwnChain;
  /** Neighbours past their handshake. */
  readonly admitted: () => readonly PeerId[];
  readonly isAdmitted: (peer: PeerId) => boolean;
  readonly refuses: (peer: PeerId) => boolean;
  readonly blame: (peer: PeerId) => void;
  /** Whether what a neighbour passes on is looked at; of every admitted one when absent. */
  readonly mayForward?: (peer: PeerId) => boolean;
  /** Whether this peer fetches updates by its role; it does when absent. */
  readonly mayFetch?: () => boolean;
  /** Two announcements of one author with one sequence, as bytes. */
  readonly onEquivocation?: (first: Uint8Array, second: Uint8Array) => void;
  /** Its code is one of protocol/verdict.ts, INBOX_FULL or NOT_SAMPLED. */
  readonly onUpdate: (notice: UpdateNotice & { readonly from: PeerId }) => void;
}

export interface IntakeOptions {
  /** What the manifest and this peer's round allow at the moment. */
  readonly rules: () => Omit<JudgeContext, keyof JudgeState> &
    Pick<JudgeState, "self" | "isMember" | "maySend" | "verify" | "createSha256" | "round">;
  readonly fetchesMax: number;
  /** Neighbours that are asked for one update before it is given up until it is announced again. */
  readonly providersMax: number;
  readonly authorsMax: number;
  readonly fetchTimeoutMs: number;
  /** Of the round this peer is in, where it hears only some of its neighbours; undefined where it hears all. */
  readonly sample: () => NeighbourSample | undefined;
}

/** An announcement and the bytes that say it, signed. */
export interface Announced {
  readonly announcement: Announcement;
  readonly bytes: Uint8Array;
}

export interface Intake {
  judgeGossip(bytes: Uint8Array, from: PeerId): GossipJudgement<Announced>;
  /** What judgeGossip accepted. */
  takeGossip(announced: Announced, from: PeerId): void;
  takeHeads(announcements: readonly Uint8Array[], from: PeerId): void;
  /** Another round: what those of its sample have announced for it already is fetched. */
  roundChanged(): void;
}

/** An announced update that is to be fetched, and who spoke of it. */
interface Wanted {
  readonly announcement: Announcement;
  readonly bytes: Uint8Array;
  readonly from: PeerId;
}

/** What is said of announcements whose signature holds and that come too late. */
const OUTDATED: readonly VerdictCode[] = ["OLD", "ROUND_OLD"];

/** Bytes of an update's envelope besides its values. */
const ENVELOPE_BYTES_MAX = LIMITS.updateBytesMax - LIMITS.updatePayloadBytesMax;

export function createIntake(dependencies: IntakeDependencies, options: IntakeOptions): Intake {
  const { transport, clock, logger, background, inbox, heads, ownChain } = dependencies;

  const { createSha256 } = options.rules();
  const bytesMax = payloadBytesMax(options.rules()) + ENVELOPE_BYTES_MAX;
  const contextWith = (headOf: JudgeState["headOf"]): JudgeContext => ({ ...options.rules(), headOf });

  const refuse = (verdict: Verdict, about: { bytes?: Uint8Array; announcement?: Announcement; from: PeerId }): void => {
    // Whatever the verdict is, a signature that was looked at and is not the author's vouches for nobody.
    const announcement = about.announcement ?? (verdict.fault === "sender" ? undefined : peek(about.bytes));
    const culprit = verdict.fault === "author" ? announcement?.author : about.from;
    if (verdict.kind === "reject" && culprit !== undefined) dependencies.blame(culprit);
    logger.debug("update refused", { code: verdict.code, from: about.from, author: announcement?.author });
    const { kind, code } = verdict;
    dependencies.onUpdate({
      from: announcement?.author ?? about.from,
      round: announcement?.round,
      verdict: kind,
      code,
    });
  };

  /** The announcement when it is news to be taken, otherwise what is to be said of the message. */
  const judge = (bytes: Uint8Array, from: PeerId): GossipJudgement<Announced> => {
    const seen = peek(bytes);
    if (seen !== undefined && isOwnHead(seen, ownChain)) return { verdict: "ignore" };
    if (seen !== undefined && heads.has(seen.author, bytes)) {
      // Judged before, byte for byte; only its update may still be missing.
      wantAgain(seen, bytes, from);
      return { verdict: "ignore" };
    }
    const judgement = judgeAnnouncement(bytes, { ...contextWith(heads.headOf), linkOf: heads.linkOf });
    if (judgement.kind !== "accept") {
      if (judgement.code === "EQUIVOCATION" && seen !== undefined) {
        const known = heads.bytesAt(seen.author, seen.sequence);
        if (known !== undefined) dependencies.onEquivocation?.(known, bytes);
      }
      // Useless for training, and signed all the same: its author may have said something else to others.
      if (seen !== undefined && OUTDATED.includes(judgement.code)) heads.remember(seen, bytes);
      if (judgement.code === "OWN") hearOfSelf(readAnnouncement(bytes));
      else refuse(judgement, { bytes, from });
      return { verdict: judgement.kind };
    }
    // Longer than the values can be: nobody needs to fetch it in order to know.
    const announcement = judgement.message;
    if (announcement.bytesLength <= bytesMax) return { verdict: "accept", message: { announcement, bytes } };
    refuse(verdictOf("PAYLOAD_LENGTH"), { announcement, from });
    return { verdict: "reject" };
  };

  /** Neighbours remember a link of this peer's own chain. */
  const hearOfSelf = (announcement: Announcement): void => {
    const own = ownChain.head()?.update;
    const { sequence, contentId } = announcement;
    if (ownChain.adopt(announcement)) {
      logger.warn("neighbours know a later update of this peer than its own store does; going on after it", {
        sequence,
      });
    } else if (own !== undefined && own.sequence === sequence && own.contentId !== contentId) {
      logger.error("another process signs updates with this peer's identity", { sequence });
    }
  };

  const accept = (announcement: Announcement, bytes: Uint8Array, from: PeerId): void => {
    if (!heads.accept(announcement, bytes)) return;
    if (isSampled(announcement.author)) want({ announcement, bytes: bytes.slice(), from });
    // Its author is there and in this round, which is all that is to be known of it.
    else
      dependencies.onUpdate({
        from: announcement.author,
        round: announcement.round,
        verdict: "ignore",
        code: NOT_SAMPLED,
      });
  };
  const isSampled = (author: PeerId): boolean => {
    const sample = options.sample();
    if (sample === undefined) return true;
    const { round, roundsBehindMax } = options.rules();
    return sample.has(author, heads.authorsSince(round - roundsBehindMax));
  };
  const want = (wanted: Wanted): void => {
    if (dependencies.mayFetch?.() === false) return;
    if (!queue.offer(wanted.announcement.author, wanted)) logger.warn("too many updates wait to be fetched");
  };
  /** An announcement that was accepted before: its update may still be missing. */
  const wantAgain = (announcement: Announcement, bytes: Uint8Array, from: PeerId): void => {
    const { author, contentId } = announcement;
    if (inbox.headOf(author)?.contentId === contentId || queue.has(author) || !isSampled(author)) return;
    want({ announcement, bytes: bytes.slice(), from });
  };

  const providersOf = ({ announcement, from }: Wanted): readonly PeerId[] => {
    const admitted = new Set(dependencies.admitted());
    const preferred = [announcement.author, from].filter((peer) => admitted.has(peer));
    return [...new Set([...preferred, ...admitted])].slice(0, options.providersMax);
  };

  const fetch = async (wanted: Wanted, signal: AbortSignal): Promise<void> => {
    const { contentId, bytesLength: length } = wanted.announcement;
    const envelope = await fetchBytes(wanted, { contentId, length }, signal);
    if (envelope !== undefined) await settle(wanted, envelope, signal);
    else logger.debug("nobody had the update; it is fetched when it is announced again", { contentId });
  };

  /** The bytes of a content id, from the first neighbour that has them. */
  const fetchBytes = async (
    wanted: Wanted,
    { contentId, length }: Pick<BlobRequest, "contentId" | "length">,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> => {
    for (const peer of providersOf(wanted)) {
      if (signal.aborted) return undefined;
      try {
        const request = { peer, contentId, length, timeoutMs: options.fetchTimeoutMs, signal };
        return await fetchBlob({ transport, clock, ...(createSha256 && { createSha256 }) }, request);
      } catch (error) {
        if (isFault(error)) dependencies.blame(peer);
        logger.debug("fetch failed", { peer, contentId, error });
      }
    }
    return undefined;
  };

  /** The verdict on an update, and what it rests on, which is fetched where it is missing. */
  const judgeFetched = async (
    wanted: Wanted,
    envelope: Uint8Array,
    signal: AbortSignal,
  ): Promise<{ readonly judgement: Judgement<JudgedUpdate>; readonly links: readonly UpdateLink[] }> => {
    const { announcement } = wanted;
    const judgeOn = (valuesOf: NonNullable<UpdateContext["valuesOf"]>) =>
      judgeUpdate(envelope, { ...contextWith(inbox.headOf), announcement, valuesOf });
    const known = inbox.of(announcement.author);
    const judgement = judgeOn(({ previous }) => (known?.update.contentId === previous ? known?.theta : undefined));
    if (judgement.code !== "BASE_UNKNOWN") {
      const rests = judgement.kind === "accept" && isSparse(judgement.message.encoding);
      return { judgement, links: rests && known !== undefined ? linksAfter(known) : [] };
    }
    const update = readUpdate(envelope, createSha256);
    const fetch = (contentId: ContentId) => fetchBytes(wanted, { contentId, length: { max: bytesMax } }, signal);
    try {
      const found = await collectLinks(update, { rules: options.rules(), known, fetch });
      // Judged again: other updates may have come meanwhile.
      return found === undefined
        ? { judgement, links: [] }
        : { judgement: judgeOn(() => found.values), links: found.links };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      logger.debug("an update rests on others that are not its author's chain", { author: update.author, error });
      return { judgement: verdictOf("CHAIN_BROKEN"), links: [] };
    }
  };

  const settle = async (wanted: Wanted, envelope: Uint8Array, signal: AbortSignal): Promise<void> => {
    const { announcement, bytes } = wanted;
    const { author, round } = announcement;
    const { judgement, links } = await judgeFetched(wanted, envelope, signal);
    if (judgement.kind !== "accept") {
      // The author signed the hash of exactly these bytes: the neighbour that passed them on is not to blame.
      const fault = judgement.kind === "reject" ? "author" : "none";
      refuse({ ...judgement, fault }, { announcement, from: author });
      return;
    }
    const { values: theta, ...update } = judgement.message;
    let kept = true;
    try {
      kept = await inbox.put({ announcement: bytes, envelope, update, links, theta });
    } catch (error) {
      // It is used all the same; after a restart the neighbours announce it again.
      logger.warn("an update could not be stored", { author, round, error });
    }
    const [verdict, code] = kept ? (["accept", "ACCEPTED"] as const) : (["ignore", "INBOX_FULL"] as const);
    dependencies.onUpdate({ from: author, round, verdict, code });
  };

  const queue = createFetchQueue<Wanted>(
    { fetch: (wanted) => background.run("fetch", (signal) => fetch(wanted, signal)) },
    { concurrentMax: options.fetchesMax, authorsMax: options.authorsMax },
  );

  return {
    judgeGossip(bytes, from) {
      if (!dependencies.isAdmitted(from) || dependencies.mayForward?.(from) === false) return { verdict: "ignore" };
      return judge(bytes, from);
    },
    takeGossip: ({ announcement, bytes }, from) => accept(announcement, bytes, from),
    takeHeads(announcements, from) {
      for (const bytes of announcements) {
        if (dependencies.refuses(from)) return;
        const judged = judge(bytes, from);
        if (judged.verdict === "accept") accept(judged.message.announcement, bytes, from);
      }
    },
    roundChanged() {
      if (options.sample() === undefined) return;
      const { round } = options.rules();
      for (const bytes of heads.all()) {
        const announcement = readAnnouncement(bytes);
        // An older one is fetched when heads are asked for again, since its author may still send a fresh one.
        if (announcement.round >= round) wantAgain(announcement, bytes, announcement.author);
      }
    },
  };
}

/** What an announcement says, before anything in it is verified. */
function peek(bytes: Uint8Array | undefined): Announcement | undefined {
  if (bytes === undefined) return undefined;
  try {
    return readAnnouncement(bytes);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function isOwnHead({ author, contentId }: Announcement, ownChain: OwnChain): boolean {
  const own = ownChain.head()?.update;
  return own !== undefined && own.author === author && own.contentId === contentId;
}

/** Whether a failed fetch is the other side's doing: it sent what it must not, rather than nothing. */
function isFault(error: unknown): boolean {
  if (error instanceof ProtocolError) return true;
  return error instanceof NodeError && ["BLOB_HASH", "BLOB_LENGTH", "FRAME_INVALID"].includes(error.code);
}
