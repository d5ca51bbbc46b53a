/**
 * Asks providers for the same bytes until one has handed them out: the next one as soon as one says no, and beside one
 * that keeps this peer waiting, for its first byte or for its last. Whoever is first ends the others.
 */
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { ProviderSlots } from "./provider-slots.ts";

/** How one provider is asked.  Resolves with the bytes; undefined, once it is known that it does not hand them out. */
export type AskProvider = (
  provider: PeerId,
  options: { readonly signal: AbortSignal; readonly onBegun: () => void },
) => Promise<Uint8Array | undefined>;

/** What a race is held with. */
export interface ProviderRaceDependencies {
  readonly clock: Pick<Clock, "after">;
  readonly slots: ProviderSlots;
  /** Never rejects. */
  readonly ask: AskProvider;
}

/** Who is asked and how long one is waited for before the next one is asked as well. */
export interface ProviderRaceOptions {
  /** In the order of asking. */
  readonly providers: readonly PeerId[];
  readonly nextAfterMs: number;
  /** How long the first one that has begun is waited for before the next one is asked as well; twice as long for each further one. */
  readonly slowAfterMs: number;
  /** Waited for as long as it takes, once it has begun. */
  readonly trusted?: PeerId;
  /** How long a race waits for a slot of providers that are all busy. */
  readonly slotWaitMs: number;
  /** Ends the race with nothing. */
  readonly signal: AbortSignal;
}

/** The bytes of the first provider that hands them out; undefined when none does.  Throws: nothing. */
export function raceProviders(
  dependencies: ProviderRaceDependencies,
  options: ProviderRaceOptions,
): Promise<Uint8Array | undefined> {
  return new ProviderRace(dependencies, options).result;
}

class ProviderRace {
  readonly result: Promise<Uint8Array | undefined>;
  readonly #dependencies: ProviderRaceDependencies;
  readonly #options: ProviderRaceOptions;
  readonly #settled = Promise.withResolvers<Uint8Array | undefined>();
  readonly #over = new AbortController();
  readonly #waiting: PeerId[];
  readonly #cancels = new Set<() => void>();
  #underWay = 0;
  #begun = 0;
  #isWaitingForSlot = false;

  constructor(dependencies: ProviderRaceDependencies, options: ProviderRaceOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
    this.#waiting = [...options.providers];
    this.result = this.#settled.promise;
    const stop = (): void => this.#finish(undefined);
    options.signal.addEventListener("abort", stop);
    this.#cancels.add(() => options.signal.removeEventListener("abort", stop));
    this.#cancels.add(dependencies.slots.onFree(() => this.#next()));
    if (options.signal.aborted) stop();
    else this.#next();
  }

  /** Ask another provider where one has room; nobody waits behind one that is late and busy. */
  #next(): void {
    if (this.#over.signal.aborted) return;
    const { clock, slots } = this.#dependencies;
    const at = this.#waiting.findIndex((provider) => slots.hasRoom(provider));
    const provider = this.#waiting[at];
    if (provider !== undefined) {
      this.#waiting.splice(at, 1);
      void this.#ask(provider);
    } else if (this.#underWay === 0 && this.#waiting.every((one) => slots.isLate(one))) this.#finish(undefined);
    else if (this.#underWay === 0 && !this.#isWaitingForSlot) {
      this.#isWaitingForSlot = true;
      this.#cancels.add(clock.after(this.#options.slotWaitMs, () => this.#giveUp()));
    }
  }

  async #ask(provider: PeerId): Promise<void> {
    const { clock, slots, ask } = this.#dependencies;
    this.#underWay++;
    const release = slots.take(provider);
    let cancelTimer = (): void => {};
    const cancel = (): void => cancelTimer();
    const overtakeAfter = (ms: number): void => {
      cancelTimer();
      cancelTimer = clock.after(ms, () => {
        slots.noteLate(provider);
        this.#next();
      });
    };
    overtakeAfter(this.#options.nextAfterMs);
    this.#cancels.add(cancel);
    const onBegun = (): void => {
      if (provider === this.#options.trusted) cancel();
      else if (!this.#over.signal.aborted) overtakeAfter(this.#options.slowAfterMs * 2 ** this.#begun++);
    };
    const bytes = await ask(provider, { signal: this.#over.signal, onBegun });
    cancel();
    this.#cancels.delete(cancel);
    this.#underWay--;
    if (bytes !== undefined && !this.#over.signal.aborted) {
      slots.noteServed(provider);
      this.#finish(bytes);
    }
    release();
    this.#next();
  }

  #giveUp(): void {
    this.#isWaitingForSlot = false;
    if (this.#underWay === 0) this.#finish(undefined);
  }

  #finish(bytes: Uint8Array | undefined): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#settled.resolve(bytes);
    this.#over.abort(new Error("another provider was faster, or the peer is stopping"));
  }
}
