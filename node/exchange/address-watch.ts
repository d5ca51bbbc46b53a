/**
 * Watches whether others get through to the public addresses of this peer: now and then some neighbours are asked to dial them
 * anew (`checkup.ts`). An address at which nobody gets through is told no longer, until somebody does. Neighbours alone are
 * asked, each about this peer's own addresses; one honest neighbour that gets through outweighs all others.
 */
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { AddressEvent } from "../interface/company-event.ts";
import type { Logger } from "../interface/logger.ts";
import type { Transport } from "../interface/transport.ts";
import { type Background, createBackground } from "./background.ts";

/** How often neighbours are asked, and how many. */
export interface AddressWatchLimits {
  /** From the first neighbour to the first question: greetings are over by then, and neighbours have said where they are. */
  readonly firstMs: number;
  /** Pause between two looks while something is undecided. */
  readonly pauseMs: number;
  /** Looks between two questions about an address on which is decided. */
  readonly looksBetween: number;
  /** Neighbours that are asked in one look: each dials. */
  readonly askedMax: number;
  /** Addresses in one question: a peer has at most four connections with another one. */
  readonly addressesMax: number;
  /** Neighbours from different addresses that have to say no, where there are so many; all of them where there are fewer. */
  readonly noesMax: number;
  /** Looks at which nobody got through before an address is told no longer. */
  readonly looksMin: number;
}

/** Ten minutes between questions about an address that is known to lead here; half a minute while it is not. */
export const ADDRESS_WATCH_DEFAULTS: AddressWatchLimits = {
  ...{ firstMs: 10_000, pauseMs: 30_000, looksBetween: 20, askedMax: 4, addressesMax: 2, noesMax: 8, looksMin: 2 },
};

/** The means to ask, and whom. */
export interface AddressWatchDependencies {
  readonly transport: Pick<Transport, "told" | "originOf">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Neighbours that answer such questions. */
  readonly neighbours: () => readonly PeerId[];
  /** Whether a neighbour gets through to each of these addresses. May throw. */
  readonly ask: (peer: PeerId, addresses: readonly string[], signal: AbortSignal) => Promise<readonly boolean[]>;
  /** Told when something changes; must not throw. */
  readonly onEvent: (event: AddressEvent) => void;
}

/** What is known of one address. */
interface Judged {
  /** Whether a person has heard that nobody gets through. */
  isSaid: boolean;
  /** Who did not get through since somebody did. */
  readonly noes: Set<PeerId>;
  /** Looks since somebody got through. */
  looks: number;
  /** The look at which it is asked about again. */
  dueLook: number;
}

/** Waits for a neighbour. */
export class AddressWatch {
  readonly #dependencies: AddressWatchDependencies;
  readonly #limits: AddressWatchLimits;
  readonly #background: Background;
  readonly #judged = new Map<string, Judged>();
  /** The look at which a neighbour was asked last. */
  readonly #asked = new Map<PeerId, number>();
  #look = 0;
  #cancel: (() => void) | undefined;

  constructor(dependencies: AddressWatchDependencies, limits: Partial<AddressWatchLimits> = {}) {
    this.#dependencies = dependencies;
    this.#limits = { ...ADDRESS_WATCH_DEFAULTS, ...limits };
    this.#background = createBackground(dependencies);
  }

  /** There is a neighbour. A peer without public addresses asks nothing. */
  meet(): void {
    if (this.#cancel !== undefined || this.#dependencies.transport.told.all().length === 0) return;
    this.#wait(this.#limits.firstMs);
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#cancel?.();
    this.#cancel = () => undefined;
    await this.#background.stop();
  }

  #wait(pauseMs: number): void {
    if (this.#background.signal.aborted) return;
    this.#cancel = this.#dependencies.clock.after(pauseMs, () => {
      void this.#background
        .run("asking whether addresses lead here", (signal) => this.#lookNow(signal))
        .then(() => this.#wait(this.#limits.pauseMs));
    });
  }

  async #lookNow(signal: AbortSignal): Promise<void> {
    const look = ++this.#look;
    const due = this.#due();
    const neighbours = this.#dependencies.neighbours();
    for (const peer of this.#asked.keys()) if (!neighbours.includes(peer)) this.#asked.delete(peer);
    if (due.length === 0 || neighbours.length === 0) return;
    const lastAsked = (peer: PeerId): number => this.#asked.get(peer) ?? 0;
    const asked = [...neighbours].sort((a, b) => lastAsked(a) - lastAsked(b)).slice(0, this.#limits.askedMax);
    for (const peer of asked) this.#asked.set(peer, look);
    const answers = await Promise.all(asked.map((peer) => this.#ask(peer, due, signal)));
    signal.throwIfAborted();
    for (const [i, address] of due.entries()) {
      const said = answers.flatMap((answer) => (answer === undefined ? [] : [{ ...answer, yes: answer.reached[i] }]));
      await this.#judge(address, said, neighbours);
    }
  }

  /** What is asked about now, whatever has waited longest first; addresses that are gone are forgotten. */
  #due(): readonly string[] {
    const all = this.#dependencies.transport.told.all().map(({ address }) => address);
    for (const address of this.#judged.keys()) if (!all.includes(address)) this.#judged.delete(address);
    const due = all.filter((address) => this.#of(address).dueLook <= this.#look);
    return due.sort((a, b) => this.#of(a).dueLook - this.#of(b).dueLook).slice(0, this.#limits.addressesMax);
  }

  #of(address: string): Judged {
    const judged = this.#judged.get(address) ?? { isSaid: false, noes: new Set(), looks: 0, dueLook: 0 };
    this.#judged.set(address, judged);
    return judged;
  }

  async #ask(peer: PeerId, addresses: readonly string[], signal: AbortSignal) {
    const { ask, logger } = this.#dependencies;
    try {
      return { peer, reached: await ask(peer, addresses, signal) };
    } catch (error) {
      logger.debug("a neighbour did not say whether it gets through", { peer, error });
      return undefined;
    }
  }

  async #judge(
    address: string,
    said: readonly { readonly peer: PeerId; readonly yes: boolean | undefined }[],
    neighbours: readonly PeerId[],
  ): Promise<void> {
    const judged = this.#of(address);
    const { looksBetween, looksMin } = this.#limits;
    if (said.some(({ yes }) => yes === true)) {
      judged.noes.clear();
      judged.looks = 0;
      judged.dueLook = this.#look + looksBetween;
      this.#tell(address, true);
      return;
    }
    if (said.length > 0) judged.looks++;
    for (const { peer } of said) judged.noes.add(peer);
    judged.dueLook = this.#look + (judged.isSaid ? looksBetween : 1);
    if (judged.looks >= looksMin && (await this.#nobodyIsLeft(address, neighbours))) this.#tell(address, false);
  }

  /** Whether all neighbours that could get through have said that they do not, or enough of different addresses. */
  async #nobodyIsLeft(address: string, neighbours: readonly PeerId[]): Promise<boolean> {
    const { transport } = this.#dependencies;
    const { noes } = this.#of(address);
    const origins = new Map<string, boolean>();
    for (const peer of neighbours) {
      if (!(await transport.told.mayJudge(peer, address))) continue;
      const origin = transport.originOf(peer) ?? peer;
      origins.set(origin, origins.get(origin) === true || noes.has(peer));
    }
    const silent = [...origins.values()].filter(Boolean).length;
    return silent > 0 && silent >= Math.min(origins.size, this.#limits.noesMax);
  }

  /** Have others hear of an address or not, and say so where that changes. */
  #tell(address: string, isReached: boolean): void {
    const { transport, onEvent } = this.#dependencies;
    const judged = this.#of(address);
    const found = transport.told.all().find((one) => one.address === address);
    if (found === undefined || judged.isSaid === !isReached) return;
    judged.isSaid = !isReached;
    const isTold = isReached || found.isAnnounced;
    judged.dueLook = this.#look + this.#limits.looksBetween;
    const asked = judged.noes.size;
    judged.noes.clear();
    transport.told.tell(address, isTold);
    onEvent({ type: "address", address, isReached, isTold, asked });
  }
}
