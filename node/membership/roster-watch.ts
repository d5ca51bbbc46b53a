/** Notices that the roster has changed, or that the time of a member has come, and tells who listens. */

import { LIMITS } from "../../protocol/limits.ts";
import type { RosterState } from "../../protocol/membership/roster-state.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { RosterEvent } from "../interface/roster-event.ts";
import { rosterEvents } from "./roster-events.ts";
import type { RosterStore } from "./roster-store.ts";
import type { Standings } from "./standings.ts";

export interface RosterWatchDependencies {
  readonly roster: RosterStore;
  readonly standings: Standings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly self: PeerId;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** After the events of a change were told; `isSucceeded`: the roster has agreed to another manifest. */
  readonly onChanged: (change: { readonly isSucceeded: boolean }) => void;
}

export interface RosterWatch {
  /** What is there now is no news. */
  begin(): void;
  tell(event: RosterEvent): void;
  onEvent(listener: (event: RosterEvent) => void): void;
  /** Something entered, or somebody's time has come. */
  changed(): void;
  /** Wake when the next membership begins or ends. */
  arm(): void;
  /** Wait for nothing any more; idempotent. */
  stop(): void;
}

export function createRosterWatch(dependencies: RosterWatchDependencies): RosterWatch {
  const { roster, standings, clock, logger, self, signal } = dependencies;
  const { log } = roster;
  const now = (): number => Math.floor(clock.now() / 1000);
  const listeners: ((event: RosterEvent) => void)[] = [];
  let before: RosterState = log.state();
  let beforeSeconds = now();
  let cancelTimer: () => void = () => {};

  const tell = (event: RosterEvent): void => {
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        logger.error("a listener failed", { error });
      }
    }
  };
  const changed = (): void => {
    const state = log.state();
    const seconds = now();
    const events = rosterEvents({ self, state: before, seconds: beforeSeconds }, { self, state, seconds });
    const isSucceeded = state.succession !== undefined && state.succession.entry !== before.succession?.entry;
    before = state;
    beforeSeconds = seconds;
    standings.tidy();
    for (const event of events) tell(event);
    dependencies.onChanged({ isSucceeded });
    arm();
  };
  const arm = (): void => {
    cancelTimer();
    const seconds = now();
    const skew = LIMITS.clockSkewSeconds;
    const times = standings.terms().flatMap(({ notBefore, notAfter }) => [notBefore - skew, notAfter + skew + 1]);
    const next = times.reduce((least, time) => (time > seconds ? Math.min(least, time) : least), Infinity);
    if (signal.aborted || next === Infinity) return;
    cancelTimer = clock.after(next * 1000 - clock.now(), changed);
  };
  /** Several entries of one message are looked at together. */
  let isChangeDue = false;
  roster.onEntry(() => {
    if (isChangeDue) return;
    isChangeDue = true;
    queueMicrotask(() => {
      isChangeDue = false;
      if (!signal.aborted) changed();
    });
  });
  return {
    begin() {
      before = log.state();
    },
    tell,
    onEvent: (listener) => void listeners.push(listener),
    changed,
    arm,
    stop: () => cancelTimer(),
  };
}
