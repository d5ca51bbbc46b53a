/** Space that the egress ledger keeps for the time when the disk is full, so that a peer can go on until somebody makes room. */
import { open, unlink } from "node:fs/promises";
import type { Clock } from "../../interface/clock.ts";
import type { Logger } from "../../interface/logger.ts";
import { systemCode } from "./atomic-file.ts";

/** Of a ledger by the path of the segment that is written. */
export const reservePath = (path: string): string => `${path}.reserve`;

/** Some 3,000 lines: half an hour of what an honest network sends, at the least. */
export const EGRESS_RESERVE_BYTES = 2 ** 20;

/** Time between two attempts to keep the space again. */
const AGAIN_MS = 60_000;

/** What it needs. */
export interface EgressReserveDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The reserve of one ledger. The operator is told once that the disk is full, and once that nothing is sent any more. */
export class EgressReserve {
  readonly #dependencies: EgressReserveDependencies;
  readonly #path: string;
  /** `reserve`: the disk was full and the space is given away; `stopped`: that is used up, too. */
  #disk: "free" | "reserve" | "stopped" = "free";
  #isStopSaid = false;
  #keptAtMs: number;

  /** path: the segment of the ledger that is written. */
  constructor(dependencies: EgressReserveDependencies, path: string) {
    this.#dependencies = dependencies;
    this.#path = path;
    this.#keptAtMs = dependencies.clock.now();
  }

  /** Write, if need be in the space that was kept.  write: leaves nothing behind where it fails.  Throws: what it throws. */
  async spend(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (cause) {
      if (!isDiskFull(cause)) throw cause;
      if (!(await this.#release())) return this.#stop(cause);
      await write().catch((again: unknown) => (isDiskFull(again) ? this.#stop(again) : Promise.reject(again)));
      return;
    }
    if (this.#disk !== "stopped") return;
    this.#disk = "reserve";
    this.#dependencies.logger.info("there is space on the disk again: messages are put on record and sent again");
  }

  /** Keep space for the next time, once there is some.  Throws: nothing that the system says of the disk. */
  async keep(): Promise<void> {
    const now = this.#dependencies.clock.now();
    if (this.#disk === "free" || now - this.#keptAtMs < AGAIN_MS) return;
    this.#keptAtMs = now;
    if (!(await keepReserve(this.#path))) return;
    this.#disk = "free";
    this.#isStopSaid = false;
  }

  async #release(): Promise<boolean> {
    if (!(await releaseReserve(this.#path))) return false;
    this.#disk = "reserve";
    this.#keptAtMs = this.#dependencies.clock.now();
    const text =
      "the disk is full: the egress ledger goes on in space that was kept; nothing is sent once that is used up";
    this.#dependencies.logger.warn(text, { bytes: EGRESS_RESERVE_BYTES });
    return true;
  }

  async #stop(cause: unknown): Promise<never> {
    this.#disk = "stopped";
    if (!this.#isStopSaid) {
      const text =
        "the disk is full: nothing is sent until there is space, because nothing leaves that is not on record";
      this.#dependencies.logger.warn(text, { path: this.#path });
    }
    this.#isStopSaid = true;
    throw cause;
  }
}

const isDiskFull = (error: unknown): boolean => ["ENOSPC", "EDQUOT"].includes(systemCode(error) ?? "");

/** Keep the space where it is there; false: it is not. */
export async function keepReserve(path: string): Promise<boolean> {
  const at = reservePath(path);
  try {
    const file = await open(at, "a", 0o600);
    try {
      const missing = EGRESS_RESERVE_BYTES - (await file.stat()).size;
      // A file with holes would keep no space.
      if (missing > 0) await file.appendFile(new Uint8Array(missing).fill(0x2e));
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    await unlink(at).catch(() => undefined);
    return false;
  }
}

async function releaseReserve(path: string): Promise<boolean> {
  try {
    await unlink(reservePath(path));
    return true;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}
