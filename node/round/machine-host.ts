/**
 * The surroundings of the round machine: its state, the events that move it, the deadline that it asked for, and the queue
 * of its effects. Everything that comes from other peers goes into the machine's state at once.
 */
import type { Clock } from "../interface/clock.ts";
import { NOT_SAMPLED, type UpdateExchange } from "../interface/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import type { PeerEvent } from "../interface/peer-event.ts";
import {
  initialRoundState,
  type RoundEffect,
  type RoundEvent,
  type RoundSettings,
  type RoundState,
  step,
} from "./machine.ts";
import type { Pace } from "./pace.ts";

/** Effects that take time and are done one after another. Deadlines are set at once. */
export type Work = Exclude<RoundEffect, { readonly type: "setDeadline" | "cancelDeadline" }>;

/** A machine's event without its time, which the host adds. */
export type Untimed<E> = E extends RoundEvent ? Omit<E, "now"> : never;

/** What the host needs of the peer. */
export interface MachineHostDependencies {
  readonly exchange: UpdateExchange;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly emit: (event: PeerEvent) => void;
  /** Whether this peer's last aggregate had no neighbour in it. */
  readonly heardNothing: () => boolean;
}

/** Feeds the round machine and queues its effects. */
export class MachineHost {
  readonly #dependencies: MachineHostDependencies;
  readonly #signal: AbortSignal;
  readonly #effects: Work[] = [];
  #state: RoundState;
  #wake: (() => void) | undefined;
  #cancelDeadline: (() => void) | undefined;
  #hasEnded = false;

  /** pace: what was observed before a restart; signal: aborted when the driver stops. */
  constructor(
    dependencies: MachineHostDependencies,
    { settings, pace, signal }: { readonly settings: RoundSettings; readonly pace: Pace; readonly signal: AbortSignal },
  ) {
    this.#dependencies = dependencies;
    this.#signal = signal;
    this.#state = initialRoundState(settings, pace);
  }

  /** The machine's state now. */
  get state(): RoundState {
    return this.#state;
  }

  /** The next thing to do; undefined when stopping. */
  async next(): Promise<Work | undefined> {
    while (this.#effects.length === 0 && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#signal.aborted ? undefined : this.#effects.shift();
  }

  /** Make `next` look again, because the signal was aborted. */
  wake(): void {
    this.#wake?.();
  }

  /** Take no event any more, and let no deadline come. */
  end(): void {
    this.#hasEnded = true;
    this.#cancelDeadline?.();
  }

  /** From now on the machine hears of updates, and of neighbours that come and go. */
  listen(): void {
    const { exchange, emit } = this.#dependencies;
    // Somebody may keep old announcements of an absent author and pass them on one after another.
    const isNeighbour = (peer: string): boolean => exchange.admitted().includes(peer);
    exchange.onUpdate(({ from, round, verdict, code }) => {
      if (this.#hasEnded) return;
      emit({ type: "update", round: round ?? this.#state.round, from, verdict, code });
      const isNews = verdict === "accept" || code === NOT_SAMPLED || (isOfAnotherTime(code) && isNeighbour(from));
      if (isNews && round !== undefined) this.tell({ type: "updateHeard", peer: from, round });
    });
    const join = (peer: string): void => {
      if (exchange.isAuthor(peer)) this.tell({ type: "peerJoined", peer });
    };
    exchange.onAdmitted(join);
    exchange.onLeft((peer) => this.tell({ type: "peerLeft", peer }));
    // What was received before a restart says how far the others were, not that they are there.
    for (const { peer, round } of exchange.latest()) {
      this.tell({ type: "updateHeard", peer, round });
      this.tell({ type: "peerLeft", peer });
    }
    for (const peer of exchange.admitted()) join(peer);
  }

  /** One event, at this moment. */
  tell(event: Untimed<RoundEvent>): void {
    if (this.#hasEnded) return;
    const { clock } = this.#dependencies;
    const before = this.#state;
    const next = step(before, { ...event, now: clock.now() } as RoundEvent);
    this.#state = next.state;
    if (next.state.turn !== before.turn || event.type === "started") this.#tellRound();
    for (const effect of next.effects) {
      if (effect.type === "setDeadline") this.#setDeadline(effect.at);
      else if (effect.type === "cancelDeadline") this.#cancelDeadline?.();
      else this.#effects.push(effect);
    }
    this.#wake?.();
  }

  /** A peer that has just started, or has heard nothing fresh, may be far behind. Then updates of any later round are welcome. */
  #tellRound(): void {
    const { exchange, heardNothing } = this.#dependencies;
    const { round, turn } = this.#state;
    exchange.setRound(round, { catchingUp: turn === 0 || heardNothing() });
  }

  #setDeadline(at: number): void {
    const { clock, exchange, logger } = this.#dependencies;
    this.#cancelDeadline?.();
    const waitMs = at - clock.now();
    // Half of it is long enough to believe that an announcement was lost rather than late.
    const cancelAsking = clock.after(waitMs / 2, () => {
      exchange.announceAgain().catch((error: unknown) => logger.debug("asking again failed", { error }));
    });
    const cancelDeadline = clock.after(waitMs, () => this.tell({ type: "deadline", at }));
    this.#cancelDeadline = () => {
      cancelAsking();
      cancelDeadline();
    };
  }
}

/** Verdicts on an update that is of no use here, though it is signed: its round still tells where its author is. */
const isOfAnotherTime = (code: string): boolean => code === "ROUND_OLD" || code === "ROUND_AHEAD";
