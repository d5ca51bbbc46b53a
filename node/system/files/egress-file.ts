/**
 * The egress ledger as a file: one line for each message, appended and never changed. Lines that come together are
 * written together; they survive the process at once and the machine within SYNC_MS.
 */
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { NodeError } from "../../errors.ts";
import type { Clock } from "../../interface/clock.ts";
import type { EgressLedger, EgressMessage } from "../../interface/egress.ts";
import type { Logger } from "../../interface/logger.ts";
import {
  EGRESS_LINE_BYTES_MAX,
  EGRESS_START,
  type EgressHead,
  formatRecord,
  parseRecord,
} from "../../privacy/egress-record.ts";
import { fileError, syncFolder, systemCode } from "./atomic-file.ts";

/** What a power cut can lose of the ledger; a sync costs milliseconds, and gossip comes many times a second. */
const SYNC_MS = 1_000;

interface Waiting {
  readonly message: EgressMessage;
  readonly at: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Open a ledger for appending; it is made where there is none. What a crash left behind the last whole record is cut
 * off, with a warning.  Throws: NodeError EGRESS_LEDGER when the last records are no records, DATA_DIRECTORY, DISK_FULL.
 */
export async function openEgressFile(
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  { path }: { readonly path: string },
): Promise<EgressLedger> {
  const file = await open(path, "a+", 0o600).catch((cause: unknown) => {
    throw fileError(cause, path);
  });
  try {
    const { head, length, tornBytes } = await findEnd(file, path);
    if (tornBytes > 0) {
      logger.warn("the egress ledger ended in the middle of a record, which is cut off", { bytes: tornBytes });
      await file.truncate(length);
    }
    await file.sync();
    await syncFolder(dirname(path));
    return new EgressFile({ file, clock, logger }, { path, head, length });
  } catch (error) {
    await file.close();
    throw fileError(error, path);
  }
}

class EgressFile implements EgressLedger {
  readonly #file: FileHandle;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #path: string;
  #head: EgressHead;
  #length: number;
  #waiting: Waiting[] = [];
  #work: Promise<void> = Promise.resolve();
  #dirty = false;
  #cancelSync: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    { file, clock, logger }: { readonly file: FileHandle; readonly clock: Clock; readonly logger: Logger },
    { path, head, length }: { readonly path: string; readonly head: EgressHead; readonly length: number },
  ) {
    this.#file = file;
    this.#clock = clock;
    this.#logger = logger;
    this.#path = path;
    this.#head = head;
    this.#length = length;
  }

  append(message: EgressMessage): Promise<void> {
    if (this.#closed) return Promise.reject(new NodeError("EGRESS_LEDGER", "the egress ledger is closed"));
    return new Promise((resolve, reject) => {
      const at = new Date(this.#clock.now()).toISOString();
      this.#waiting.push({ message, at, resolve, reject });
      // What comes before the turn of this one is written with it.
      if (this.#waiting.length === 1) this.#work = this.#work.then(() => this.#write());
    });
  }

  sync(): Promise<void> {
    const done = this.#work.then(() => this.#sync());
    this.#work = done.catch(() => undefined);
    return done;
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#cancelSync?.();
      await this.sync().finally(() => this.#file.close());
    })();
    return this.#closed;
  }

  async #write(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    let head = this.#head;
    const lines = batch.map(({ message, at }) => {
      const next = formatRecord(message, { at, head });
      head = next.head;
      return next.line;
    });
    try {
      const bytes = new TextEncoder().encode(lines.join(""));
      await this.#file.appendFile(bytes);
      this.#head = head;
      this.#length += bytes.byteLength;
      this.#dirty = true;
      for (const { resolve } of batch) resolve();
      this.#cancelSync ??= this.#clock.after(SYNC_MS, () => {
        this.#cancelSync = undefined;
        this.sync().catch((error: unknown) => this.#logger.warn("the egress ledger is not synced", { error }));
      });
    } catch (cause) {
      // A half-written line would break the chain for what comes after it.
      await this.#file.truncate(this.#length).catch(() => undefined);
      for (const { reject } of batch) reject(fileError(cause, this.#path));
    }
  }

  async #sync(): Promise<void> {
    if (!this.#dirty) return;
    try {
      await this.#file.sync();
      this.#dirty = false;
    } catch (cause) {
      throw fileError(cause, this.#path);
    }
  }
}

/** The last whole record, and how many bytes stand behind it. */
async function findEnd(file: FileHandle, path: string) {
  const { size } = await file.stat();
  const windowBytes = Math.min(size, 4 * EGRESS_LINE_BYTES_MAX);
  const tail = new Uint8Array(windowBytes);
  await file.read(tail, 0, windowBytes, size - windowBytes);
  let end = tail.lastIndexOf(10);
  while (end >= 0) {
    const start = end === 0 ? 0 : tail.lastIndexOf(10, end - 1) + 1;
    const record = parseRecord(new TextDecoder().decode(tail.subarray(start, end)));
    if (record) {
      const length = size - windowBytes + end + 1;
      return { head: { number: record.number + 1, hash: record.hash }, length, tornBytes: size - length };
    }
    end = start === 0 ? -1 : start - 1;
  }
  // The very first line may be the torn one; anything longer is not what a crash leaves.
  if (size <= EGRESS_LINE_BYTES_MAX && (size === 0 || !tail.includes(10))) {
    return { head: EGRESS_START, length: 0, tornBytes: size };
  }
  const text = `the end of ${path} holds no record of an egress ledger; keep the file elsewhere, and a new one is begun`;
  throw new NodeError("EGRESS_LEDGER", text, { path });
}

/**
 * The lines of a ledger on disk; a last one without its end is left out, being written or torn. No ledger is an empty one.
 * Throws: NodeError DATA_DIRECTORY.
 */
export async function* egressLines(path: string): AsyncGenerator<string> {
  let rest = "";
  try {
    for await (const chunk of createReadStream(path, { encoding: "utf8" })) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return;
    throw fileError(cause, path);
  }
}
