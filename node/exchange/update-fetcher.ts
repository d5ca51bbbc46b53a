/** Fetches announced updates and what they rest on from neighbours, judges them, and puts them into the inbox. */
import type { ContentId } from "../../protocol/content-id.ts";
import { isSparse } from "../../protocol/encoding/update-payload.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { JudgeContext, JudgeState, UpdateContext } from "../../protocol/judge-context.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { readUpdate } from "../../protocol/update.ts";
import { type JudgedUpdate, type Judgement, judgeUpdate, verdictOf } from "../../protocol/verdict.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Neighbours } from "../interface/neighbours.ts";
import type { BlobTransfer } from "./blob-transfer.ts";
import { collectLinks } from "./collect-links.ts";
import type { Inbox } from "./inbox.ts";
import type { Announced } from "./known-heads.ts";
import { type AskProvider, raceProviders } from "./provider-race.ts";
import type { ProviderSlots } from "./provider-slots.ts";
import { linksAfter } from "./stored-update.ts";
import type { UpdateLink } from "./update-links.ts";
import type { UpdateNotices } from "./update-notices.ts";

/** The rules of the manifest and of this peer's present round, without the knowledge of an author's chain. */
export type Rules = Omit<JudgeContext, keyof JudgeState> &
  Pick<JudgeState, "self" | "isMember" | "maySend" | "verify" | "createSha256" | "round">;

/** An announced update that is to be fetched, and the peer that spoke of it. */
export interface Wanted extends Announced {
  readonly from: PeerId;
}

/** Whom bytes are asked of and where updates go. */
export interface UpdateFetcherDependencies {
  readonly logger: Logger;
  readonly clock: Pick<Clock, "after">;
  readonly neighbours: Neighbours;
  /** Shared by all fetches. */
  readonly slots: ProviderSlots;
  readonly blobs: Pick<BlobTransfer, "fetch">;
  readonly inbox: Inbox;
  readonly notices: UpdateNotices;
}

/** Rules of judging, and bounds. */
export interface UpdateFetcherOptions {
  readonly rules: () => Rules;
  /** The longest envelope that an update of this network can have. */
  readonly bytesMax: number;
  /** Neighbours that are asked for one update before it is given up until it is announced again. */
  readonly providersMax: number;
  /** How long one provider is waited for before the next one is asked as well. */
  readonly nextProviderAfterMs: number;
  /** The same where it has begun, and is not the author. */
  readonly slowProviderAfterMs: number;
  /** How long a fetch waits where all that it could ask are busy. */
  readonly providerWaitMs: number;
}

interface JudgedFetch {
  readonly judgement: Judgement<JudgedUpdate>;
  readonly links: readonly UpdateLink[];
}

/** Brings an announced update into the inbox. */
export class UpdateFetcher {
  readonly #dependencies: UpdateFetcherDependencies;
  readonly #options: UpdateFetcherOptions;

  constructor(dependencies: UpdateFetcherDependencies, options: UpdateFetcherOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
  }

  /** Get an update into the inbox, or find out why it does not belong there. */
  async fetch(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const { author, contentId, bytesLength } = wanted.announcement;
    const { logger, slots } = this.#dependencies;
    const envelope = await this.#bytesOf(wanted, contentId, signal);
    if (envelope !== undefined) slots.noteServed(author);
    if (envelope !== undefined && envelope.byteLength !== bytesLength) this.#convict(wanted);
    else if (envelope !== undefined) await this.#settle(wanted, envelope, signal);
    else {
      // Who passed it on is late for it already; who only announces what nobody hands out is late as its author.
      if (this.#providersOf(wanted).some((peer) => slots.isLate(peer))) slots.noteLate(author);
      logger.debug("nobody had the update; it is fetched when it is announced again", { contentId });
    }
  }

  /** Whether somebody can be asked for it now; nobody is waited for who has enough to answer. */
  canStart(wanted: Wanted): boolean {
    const providers = this.#providersOf(wanted);
    return providers.length === 0 || providers.some((peer) => this.#dependencies.slots.hasRoom(peer));
  }

  /** Who hangs is asked last: its author and who spoke of it go first only where they did not. */
  #providersOf({ announcement, from }: Wanted): readonly PeerId[] {
    const { neighbours: table, slots } = this.#dependencies;
    const neighbours = new Set(table.all());
    const preferred = [announcement.author, from].filter((peer) => neighbours.has(peer));
    return slots.ordered([...new Set([...preferred, ...neighbours])]).slice(0, this.#options.providersMax);
  }

  /**
   * The bytes of a content id, from the first neighbour that has them. Their length is bounded by what an update of this
   * network can have, not by what was announced: whoever hands them out does not know what this peer was told of it.
   */
  #bytesOf(wanted: Wanted, contentId: ContentId, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { blobs, neighbours, logger, slots } = this.#dependencies;
    const { nextProviderAfterMs: nextAfterMs, slowProviderAfterMs: slowAfterMs, bytesMax } = this.#options;
    const { providerWaitMs: slotWaitMs } = this.#options;
    const { author: trusted } = wanted.announcement;
    const ask: AskProvider = async (peer, { signal: ended, onBegun }) => {
      try {
        return await blobs.fetch({ peer, contentId, length: { max: bytesMax }, signal: ended, onBegun });
      } catch (error) {
        if (ended.aborted) return undefined;
        if (isFault(error)) neighbours.blame(peer);
        // Who hangs, and who ends too soon, be it because it is stopped: nothing to blame it for, and it is asked last.
        if (error instanceof NodeError && ["TIMEOUT", "BLOB_CUT"].includes(error.code)) slots.noteLate(peer);
        logger.debug("fetch failed", { peer, contentId, error });
        return undefined;
      }
    };
    const providers = this.#providersOf(wanted);
    return raceProviders(
      { ...this.#dependencies, ask },
      { providers, nextAfterMs, slowAfterMs, trusted, slotWaitMs, signal },
    );
  }

  /** The verdict on an update, and the updates that it rests on; missing ones are fetched. */
  async #judge(wanted: Wanted, envelope: Uint8Array, signal: AbortSignal): Promise<JudgedFetch> {
    const { inbox, logger } = this.#dependencies;
    const { rules } = this.#options;
    const { announcement } = wanted;
    const judgeOn = (valuesOf: NonNullable<UpdateContext["valuesOf"]>) =>
      judgeUpdate(envelope, { ...rules(), headOf: (author) => inbox.headOf(author), announcement, valuesOf });
    const known = inbox.of(announcement.author);
    const judgement = judgeOn(({ previous }) => (known?.update.contentId === previous ? known?.theta : undefined));
    if (judgement.code !== "BASE_UNKNOWN") {
      const rests = judgement.kind === "accept" && isSparse(judgement.message.encoding);
      return { judgement, links: rests && known !== undefined ? linksAfter(known) : [] };
    }
    const update = readUpdate(envelope, rules().createSha256);
    const fetch: Parameters<typeof collectLinks>[1]["fetch"] = (contentId) => this.#bytesOf(wanted, contentId, signal);
    try {
      const found = await collectLinks(update, { rules: rules(), known, fetch });
      // Judged again: other updates may have come meanwhile.
      return found === undefined
        ? { judgement, links: [] }
        : { judgement: judgeOn(() => found.values), links: found.links };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      logger.debug("an update rests on others that are not its author's chain", { author: update.author, error });
      return { judgement: verdictOf("CHAIN_BROKEN"), links: [] };
    }
  }

  /** The bytes hash to what was announced and have another length: only who signed the announcement can have known. */
  #convict({ announcement }: Wanted): void {
    const { notices } = this.#dependencies;
    notices.refused(verdictOf("ANNOUNCEMENT_MISMATCH"), { announcement, from: announcement.author });
  }

  async #settle(wanted: Wanted, envelope: Uint8Array, signal: AbortSignal): Promise<void> {
    const { inbox, logger, notices } = this.#dependencies;
    const { announcement, bytes } = wanted;
    const { author, round } = announcement;
    const { judgement, links } = await this.#judge(wanted, envelope, signal);
    if (judgement.kind !== "accept") {
      // The author signed the hash of exactly these bytes: the neighbour that passed them on is not to blame.
      const fault = judgement.kind === "reject" ? "author" : "none";
      notices.refused({ ...judgement, fault }, { announcement, from: author });
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
    notices.tell({ from: author, round, verdict, code });
  }
}

/** Whether a failed fetch is the other side's doing: it sent forbidden bytes, rather than nothing. */
function isFault(error: unknown): boolean {
  if (error instanceof ProtocolError) return true;
  return error instanceof NodeError && ["BLOB_HASH", "BLOB_LENGTH", "FRAME_INVALID"].includes(error.code);
}
