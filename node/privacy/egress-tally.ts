/** An egress ledger that also knows what it has been given since it was opened. */
import type { EgressKind, EgressLedger, EgressMessage, EgressTotals } from "../interface/egress.ts";

/** Counts what is on record. */
export class EgressTally implements EgressLedger {
  readonly #ledger: EgressLedger;
  readonly #totals: Partial<Record<EgressKind, { readonly messages: number; readonly bytes: number }>> = {};

  constructor(ledger: EgressLedger) {
    this.#ledger = ledger;
  }

  async append(message: EgressMessage): Promise<void> {
    await this.#ledger.append(message);
    const { messages, bytes } = this.#totals[message.kind] ?? { messages: 0, bytes: 0 };
    this.#totals[message.kind] = { messages: messages + 1, bytes: bytes + message.bytes };
  }

  /** By kind, since it was opened. */
  totals(): EgressTotals {
    return { ...this.#totals };
  }

  sync(): Promise<void> {
    return this.#ledger.sync();
  }

  close(): Promise<void> {
    return this.#ledger.close();
  }
}
