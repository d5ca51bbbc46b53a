/** The newest events of a peer, numbered: every reader has a place in them, and who is too slow misses the oldest. */
import type { EventSource, FedEvent } from "../interface/admin.ts";
import type { Clock } from "../interface/clock.ts";

/** So many events are kept: some minutes of a busy peer, and a few hundred kilobytes. */
export const FED_EVENTS_MAX = 1_000;

/** The feed of one peer. */
export class EventFeed implements EventSource {
  readonly #clock: Pick<Clock, "now">;
  readonly #eventsMax: number;
  /** The event of number n stands at n modulo its length. */
  readonly #kept: FedEvent[] = [];
  readonly #listeners = new Set<() => void>();
  #newest = 0;

  constructor(clock: Pick<Clock, "now">, { eventsMax = FED_EVENTS_MAX }: { readonly eventsMax?: number } = {}) {
    this.#clock = clock;
    this.#eventsMax = eventsMax;
  }

  get newest(): number {
    return this.#newest;
  }

  /** One more event. */
  add(event: FedEvent["event"]): void {
    this.#newest++;
    const at = new Date(this.#clock.now()).toISOString();
    this.#kept[this.#newest % this.#eventsMax] = { number: this.#newest, at, event };
    for (const listener of this.#listeners) listener();
  }

  after(number: number): { readonly event: FedEvent; readonly lost: number } | undefined {
    if (number >= this.#newest) return undefined;
    const oldest = Math.max(1, this.#newest - this.#eventsMax + 1);
    const next = Math.max(number + 1, oldest);
    const event = this.#kept[next % this.#eventsMax];
    return event && { event, lost: next - number - 1 };
  }

  onAdded(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
