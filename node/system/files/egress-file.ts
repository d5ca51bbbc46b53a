/**
 * The egress ledger as files: lines that are appended and never changed. Lines that come together are written together; they
 * survive the process at once and the machine within SYNC_MS.
 */
import { NodeError } from "../../errors.ts";
import type { Clock } from "../../interface/clock.ts";
import type { EgressLedger, EgressMessage } from "../../interface/egress.ts";
import { EgressCompaction } from "../../privacy/egress-compaction.ts";
import type { CountedMessage } from "../../privacy/egress-record.ts";
import { fileError } from "./atomic-file.ts";
import {
  type EgressBounds,
  type EgressChain,
  type EgressChainDependencies,
  openEgressChain,
  type TimedRecord,
} from "./egress-chain.ts";
import { EgressReserve, keepReserve } from "./egress-reserve.ts";

export { egressLines } from "./egress-segments.ts";

/** What a power cut can lose of the ledger; a sync costs milliseconds, and gossip comes many times a second. */
const SYNC_MS = 1_000;

/** Ten days of a neighbour that has one kind of message sent to it without end; years of an honest network. */
export const EGRESS_BOUNDS: EgressBounds = { segmentBytes: 16 * 2 ** 20, totalBytes: 2 ** 30 };

/** What a ledger needs. */
export interface EgressFileDependencies extends EgressChainDependencies {
  readonly clock: Clock;
}

interface Waiting extends TimedRecord {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Open a ledger for appending; it is made where there is none. What a crash left behind the last whole record is cut
 * off, with a warning.  path: the segment that is written.
 * Throws: NodeError EGRESS_LEDGER when the last records are no records, DATA_DIRECTORY, DISK_FULL.
 */
export async function openEgressFile(
  dependencies: EgressFileDependencies,
  { path, ...bounds }: { readonly path: string } & Partial<EgressBounds>,
): Promise<EgressLedger> {
  try {
    const chain = await openEgressChain(dependencies, { path, bounds: { ...EGRESS_BOUNDS, ...bounds } });
    await keepReserve(path);
    return new EgressFile({ ...dependencies, chain, reserve: new EgressReserve(dependencies, path) }, path);
  } catch (error) {
    throw fileError(error, path);
  }
}

class EgressFile implements EgressLedger {
  readonly #dependencies: EgressFileDependencies & { readonly chain: EgressChain; readonly reserve: EgressReserve };
  readonly #path: string;
  readonly #compaction: EgressCompaction;
  #waiting: Waiting[] = [];
  #work: Promise<void> = Promise.resolve();
  #cancelSync: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    dependencies: EgressFileDependencies & { readonly chain: EgressChain; readonly reserve: EgressReserve },
    path: string,
  ) {
    this.#dependencies = dependencies;
    this.#path = path;
    const { clock, logger } = dependencies;
    this.#compaction = new EgressCompaction({
      clock,
      write: (message) => this.#append(message),
      onLater: (error) => logger.debug("a count of the egress ledger is written later", { error }),
    });
  }

  append(message: EgressMessage): Promise<void> {
    if (this.#closed) return Promise.reject(new NodeError("EGRESS_LEDGER", "the egress ledger is closed"));
    return this.#compaction.append(message);
  }

  sync(): Promise<void> {
    const done = this.#work.then(() => this.#sync());
    this.#work = done.catch(() => undefined);
    return done;
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      await this.#compaction.close();
      this.#cancelSync?.();
      await this.sync().finally(() => this.#dependencies.chain.close());
    })();
    return this.#closed;
  }

  #append(record: CountedMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      const at = new Date(this.#dependencies.clock.now()).toISOString();
      this.#waiting.push({ record, at, resolve, reject });
      // What comes before the turn of this one is written with it.
      if (this.#waiting.length === 1) this.#work = this.#work.then(() => this.#write());
    });
  }

  async #write(): Promise<void> {
    const { chain, reserve, clock, logger } = this.#dependencies;
    const batch = this.#waiting;
    this.#waiting = [];
    try {
      await reserve.spend(() => chain.put(batch));
    } catch (cause) {
      for (const { reject } of batch) reject(fileError(cause, this.#path));
      return;
    }
    for (const { resolve } of batch) resolve();
    this.#cancelSync ??= clock.after(SYNC_MS, () => {
      this.#cancelSync = undefined;
      this.sync().catch((error: unknown) => logger.warn("the egress ledger is not synced", { error }));
    });
  }

  async #sync(): Promise<void> {
    try {
      await this.#dependencies.chain.sync();
      await this.#dependencies.reserve.keep();
    } catch (cause) {
      throw fileError(cause, this.#path);
    }
  }
}
