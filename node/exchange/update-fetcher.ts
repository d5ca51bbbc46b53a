/** Fetches announced updates, and the updates they rest on, from neighbours, judges them, and puts them into the inbox. */
import { isSparse } from "../../protocol/encoding/update-payload.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { JudgeContext, JudgeState, UpdateContext } from "../../protocol/judge-context.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { readUpdate } from "../../protocol/update.ts";
import { type JudgedUpdate, type Judgement, judgeUpdate, verdictOf } from "../../protocol/verdict.ts";
import { NodeError } from "../errors.ts";
import type { Logger } from "../interface/logger.ts";
import type { Neighbours } from "../interface/neighbours.ts";
import type { BlobRequest, BlobTransfer } from "./blob-transfer.ts";
import { collectLinks } from "./collect-links.ts";
import type { Inbox } from "./inbox.ts";
import type { Announced } from "./known-heads.ts";
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
  readonly neighbours: Neighbours;
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
    const { contentId, bytesLength: length } = wanted.announcement;
    const envelope = await this.#bytesOf(wanted, { contentId, length }, signal);
    if (envelope !== undefined) await this.#settle(wanted, envelope, signal);
    else {
      const { logger } = this.#dependencies;
      logger.debug("nobody had the update; it is fetched when it is announced again", { contentId });
    }
  }

  #providersOf({ announcement, from }: Wanted): readonly PeerId[] {
    const neighbours = new Set(this.#dependencies.neighbours.all());
    const preferred = [announcement.author, from].filter((peer) => neighbours.has(peer));
    return [...new Set([...preferred, ...neighbours])].slice(0, this.#options.providersMax);
  }

  /** The bytes of a content id, from the first neighbour that has them. */
  async #bytesOf(
    wanted: Wanted,
    { contentId, length }: Pick<BlobRequest, "contentId" | "length">,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const { blobs, neighbours, logger } = this.#dependencies;
    for (const peer of this.#providersOf(wanted)) {
      if (signal.aborted) return undefined;
      try {
        return await blobs.fetch({ peer, contentId, length, signal });
      } catch (error) {
        if (isFault(error)) neighbours.blame(peer);
        logger.debug("fetch failed", { peer, contentId, error });
      }
    }
    return undefined;
  }

  /** The verdict on an update, and the updates that it rests on; missing ones are fetched. */
  async #judge(wanted: Wanted, envelope: Uint8Array, signal: AbortSignal): Promise<JudgedFetch> {
    const { inbox, logger } = this.#dependencies;
    const { rules, bytesMax } = this.#options;
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
    const fetch: Parameters<typeof collectLinks>[1]["fetch"] = (contentId) =>
      this.#bytesOf(wanted, { contentId, length: { max: bytesMax } }, signal);
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
