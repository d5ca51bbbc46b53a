/** The verdict on each update that arrives: told to listeners, counted, and held against the peer at fault. */
import type { Announcement } from "../../protocol/announcement.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Verdict } from "../../protocol/verdict.ts";
import type { UpdateNotice } from "../interface/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import type { Neighbours } from "../interface/neighbours.ts";
import type { UpdateCounts } from "../interface/peer-event.ts";
import { Listeners } from "./listeners.ts";

/** Its code is one of protocol/verdict.ts, INBOX_FULL or NOT_SAMPLED. */
export type Notice = UpdateNotice & { readonly from: PeerId };

/** Counts of verdicts. */
export interface NoticeCounts extends UpdateCounts {
  /** How often each code was given. */
  readonly codes: Readonly<Record<string, number>>;
}

/** Tells the outcome of each update. */
export class UpdateNotices {
  readonly #neighbours: Pick<Neighbours, "blame">;
  readonly #logger: Logger;
  readonly #listeners: Listeners<Notice>;
  readonly #verdicts = { accept: 0, ignore: 0, reject: 0 };
  readonly #codes: Record<string, number> = {};

  constructor({ neighbours, logger }: { readonly neighbours: Pick<Neighbours, "blame">; readonly logger: Logger }) {
    this.#neighbours = neighbours;
    this.#logger = logger;
    this.#listeners = new Listeners(logger);
  }

  onNotice(listener: (notice: Notice) => void): void {
    this.#listeners.add(listener);
  }

  tell(notice: Notice): void {
    this.#verdicts[notice.verdict]++;
    this.#codes[notice.code] = (this.#codes[notice.code] ?? 0) + 1;
    this.#listeners.tell(notice);
  }

  /** An update was refused. `announcement`: the believed part; absent where nobody's signature vouches for it. */
  refused(
    { kind, code, fault }: Verdict,
    { announcement, from }: { readonly announcement: Announcement | undefined; readonly from: PeerId },
  ): void {
    const culprit = fault === "author" ? announcement?.author : from;
    if (kind === "reject" && culprit !== undefined) this.#neighbours.blame(culprit);
    this.#logger.debug("update refused", { code, from, author: announcement?.author });
    this.tell({ from: announcement?.author ?? from, round: announcement?.round, verdict: kind, code });
  }

  /** Since this exchange was made. */
  counts(): NoticeCounts {
    const { accept, ignore, reject } = this.#verdicts;
    return { accepted: accept, ignored: ignore, rejected: reject, codes: { ...this.#codes } };
  }
}
