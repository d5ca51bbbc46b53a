/**
 * Members whose clocks are ahead: what they sign is put off until its time has come here, and without a word both sides would
 * see different counts of signatures and nobody would know why.
 */
import type { Entry } from "../../protocol/membership/entry.ts";
import { wrongSigner } from "../../protocol/membership/entry.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { RateLimiter } from "../exchange/rate-limiter.ts";
import type { Clock } from "../interface/clock.ts";
import type { RosterEvent } from "../interface/roster-event.ts";

/** What telling of clocks needs. */
export interface ClocksAheadDependencies {
  readonly clock: Pick<Clock, "now">;
  readonly verify: VerifySignature;
  readonly isMember: (peer: PeerId) => boolean;
  readonly tell: (event: RosterEvent) => void;
}

/** One member's clock is told of so often. */
const PERIOD_MS = 3_600_000;
/** Members whose clocks are remembered to have been told of. */
const MEMBERS_MAX = 256;

/** What one peer says of the clocks of others. */
export class ClocksAhead {
  readonly #dependencies: ClocksAheadDependencies;
  readonly #rates: RateLimiter;

  constructor(dependencies: ClocksAheadDependencies) {
    this.#dependencies = dependencies;
    this.#rates = new RateLimiter(dependencies, { burst: 1, perPeriod: 1, periodMs: PERIOD_MS, peersMax: MEMBERS_MAX });
  }

  /** An entry or a draft came that is from later than this clock shows.  Throws: nothing. */
  note(entry: Entry): void {
    const { clock, verify, isMember, tell } = this.#dependencies;
    const { author, signers, signatures, issuedAt } = entry;
    // Members only, and by their own signature: else anybody could say it of anybody.
    if (!isMember(author) || !this.#rates.permits(author)) return;
    const at = signers.indexOf(author);
    if (signatures[at]?.length === 0) return;
    const own = signatures.map((one, i) => (i === at ? one : new Uint8Array(0)));
    if (wrongSigner({ ...entry, signatures: own }, verify) !== undefined) return;
    this.#rates.take(author);
    const aheadSeconds = issuedAt - Math.floor(clock.now() / 1000);
    tell({ type: "clock", peer: author, aheadSeconds });
  }
}
