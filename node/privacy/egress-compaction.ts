/**
 * What the egress ledger says in few lines, so that nobody makes it grow by asking much: repeats of a message that is on record
 * are counted, and where there are more messages of a kind than lines for it, those of one second share a line.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { Clock } from "../interface/clock.ts";
import type { EgressKind, EgressMessage } from "../interface/egress.ts";
import type { CountedMessage } from "./egress-record.ts";

/** How much is told line by line. */
export interface CompactionLimits {
  /** For so long a message that is the same as one on record is counted. Units: milliseconds. */
  readonly repeatMs: number;
  /** Messages that are remembered for that. */
  readonly rememberedMax: number;
  /** Lines of one kind at once, and a second on average. */
  readonly burst: number;
  readonly perSecond: number;
  /** How long a message waits for others of its kind where there is no line for it. Units: milliseconds. */
  readonly mergeMs: number;
}

/** A minute of repeats is one line; a flood of different messages of one kind is three lines a second, some 100 MB a day. */
export const COMPACTION_DEFAULTS: CompactionLimits = {
  repeatMs: 60_000,
  rememberedMax: 1024,
  burst: 256,
  perSecond: 2,
  mergeMs: 1_000,
};

/** The needs of it. */
export interface CompactionDependencies {
  readonly clock: Clock;
  /** Put a line on record; resolves when it survives this process. */
  readonly write: (message: CountedMessage) => Promise<void>;
  /** Told of a count that could not be written now; it is tried again. */
  readonly onLater: (error: unknown) => void;
}

interface Remembered {
  readonly message: EgressMessage;
  readonly written: Promise<void>;
  repeats: number;
}

interface Group {
  readonly messages: EgressMessage[];
  readonly written: Promise<void>;
  readonly settle: (written: Promise<void>) => void;
}

/** Decides which messages have a line of their own. A message waits until what is said of it is on record. */
export class EgressCompaction {
  readonly #dependencies: CompactionDependencies;
  readonly #limits: CompactionLimits;
  /** The oldest first. */
  readonly #remembered = new Map<string, Remembered>();
  readonly #groups = new Map<string, Group>();
  readonly #lines = new Map<EgressKind, { readonly left: number; readonly atMs: number }>();
  #cancelRepeats: (() => void) | undefined;
  #cancelMerge: (() => void) | undefined;

  constructor(dependencies: CompactionDependencies, limits: CompactionLimits = COMPACTION_DEFAULTS) {
    this.#dependencies = dependencies;
    this.#limits = limits;
  }

  /** Put one message on record, in a line of its own or not; resolves when it may leave.  Throws: what writing throws. */
  append(message: EgressMessage): Promise<void> {
    const key = keyOf(message);
    const known = this.#remembered.get(key);
    if (known !== undefined) {
      known.repeats++;
      return known.written;
    }
    const written = this.#takesLine(message.kind) ? this.#dependencies.write(message) : this.#join(message);
    const remembered = { message, written, repeats: 0 };
    this.#remember(key, remembered);
    written.catch(() => {
      if (this.#remembered.get(key) === remembered) this.#remembered.delete(key);
    });
    return written;
  }

  /** Write everything that was counted or waits; resolves when it is on record or was tried once.  Throws: nothing. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#writeGroups(), ...this.#writeRepeats()]);
    this.#cancelRepeats?.();
  }

  #remember(key: string, remembered: Remembered): void {
    this.#remembered.set(key, remembered);
    const [oldest] = this.#remembered;
    if (this.#remembered.size > this.#limits.rememberedMax && oldest !== undefined) {
      this.#remembered.delete(oldest[0]);
      void this.#writeCount(...oldest);
    }
    this.#cancelRepeats ??= this.#dependencies.clock.after(this.#limits.repeatMs, () => void this.#writeRepeats());
  }

  #writeRepeats(): readonly Promise<void>[] {
    this.#cancelRepeats?.();
    this.#cancelRepeats = undefined;
    const all = [...this.#remembered];
    this.#remembered.clear();
    return all.map(([key, remembered]) => this.#writeCount(key, remembered));
  }

  async #writeCount(key: string, { message, repeats }: Remembered): Promise<void> {
    if (repeats === 0) return;
    try {
      await this.#dependencies.write({ ...message, bytes: repeats * message.bytes, repeats });
    } catch (error) {
      // What it repeats is on record; how often goes there as soon as there is space.
      const known = this.#remembered.get(key);
      if (known !== undefined) known.repeats += repeats;
      else this.#remember(key, { message, written: Promise.resolve(), repeats });
      this.#dependencies.onLater(error);
    }
  }

  /** Take a line of a kind; false: they are used up for now. */
  #takesLine(kind: EgressKind): boolean {
    const { burst, perSecond } = this.#limits;
    const now = this.#dependencies.clock.now();
    const { left, atMs } = this.#lines.get(kind) ?? { left: burst, atMs: now };
    const lines = Math.min(burst, left + ((now - atMs) * perSecond) / 1000);
    this.#lines.set(kind, { left: lines >= 1 ? lines - 1 : lines, atMs: now });
    return lines >= 1;
  }

  #join(message: EgressMessage): Promise<void> {
    const key = `${message.kind} ${message.protocol}`;
    const known = this.#groups.get(key);
    if (known !== undefined) {
      known.messages.push(message);
      return known.written;
    }
    const { promise: written, resolve: settle } = Promise.withResolvers<void>();
    this.#groups.set(key, { messages: [message], written, settle });
    this.#cancelMerge ??= this.#dependencies.clock.after(this.#limits.mergeMs, () => void this.#writeGroups());
    return written;
  }

  #writeGroups(): readonly Promise<void>[] {
    this.#cancelMerge?.();
    this.#cancelMerge = undefined;
    const all = [...this.#groups.values()];
    this.#groups.clear();
    for (const { messages, settle } of all) settle(this.#dependencies.write(merged(messages)));
    return all.map(({ written }) => written);
  }
}

/** Whom it goes to and what it is; the same words mean the same message. */
const keyOf = ({ kind, protocol, to, bytes, content, epsilon }: EgressMessage): string =>
  [kind, protocol, bytes, content, epsilon, ...to].join(" ");

/** One line for several messages of a kind: all recipients, the sum of the bytes, and the hash of all their hashes. */
function merged(messages: readonly EgressMessage[]): CountedMessage {
  const [first] = messages;
  const last = messages.at(-1);
  if (first === undefined || last === undefined) throw new RangeError("no message to merge");
  if (messages.length === 1) return first;
  return {
    ...last,
    to: [...new Set(messages.flatMap(({ to }) => to))].sort(),
    bytes: messages.reduce((sum, { bytes }) => sum + bytes, 0),
    content: bytesToHex(sha256(utf8ToBytes(messages.map(({ content }) => `${content}\n`).join("")))),
    messages: messages.length,
  };
}
