/** Notices that the roster has changed, or that the time of a member has come, and tells who listens. */
import { LIMITS } from "../../protocol/limits.ts";
import { END_OF_TIME, type Entry, type EntryId } from "../../protocol/membership/entry.ts";
import { type RosterState, roleOf } from "../../protocol/membership/roster-state.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { RosterEvent } from "../interface/roster-event.ts";
import { DECISION_SECONDS } from "./decisions.ts";
import type { EquivocationProofs } from "./equivocation-proofs.ts";
import { nearness, quorumOf, WARNING_SECONDS } from "./quorum.ts";
import type { RosterStore } from "./roster-store.ts";
import type { Statuses } from "./status.ts";

const DAY_SECONDS = 86_400;

/** What is watched: entries, proofs, and memberships that begin or end. */
export interface RosterWatchDependencies {
  readonly roster: RosterStore;
  readonly proofs: EquivocationProofs;
  readonly statuses: Statuses;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly self: PeerId;
}

/** After the events of a change were told. */
export interface RosterChange {
  /** Whether the roster has agreed to another manifest. */
  readonly isSucceeded: boolean;
}

/** One peer's watch over its roster. */
export class RosterWatch {
  readonly #dependencies: RosterWatchDependencies;
  readonly #eventListeners: ((event: RosterEvent) => void)[] = [];
  readonly #changeListeners: ((change: RosterChange) => void)[] = [];
  #before: RosterMoment;
  /** Entries of which was told that too few have signed them. */
  #fewer: ReadonlyMap<EntryId, number>;
  #cancelTimer: () => void = () => {};
  #isChangeDue = false;
  #isStopped = false;

  constructor(dependencies: RosterWatchDependencies) {
    this.#dependencies = dependencies;
    this.#before = this.#moment();
    this.#fewer = dependencies.roster.log.signedByFewer();
    dependencies.roster.onEntry((entry) => {
      this.#warnOfLate(entry);
      this.#changeSoon();
    });
    dependencies.statuses.onRemembered(() => this.arm());
    dependencies.proofs.onProven((event) => {
      this.tell(event);
      this.#changed();
    });
  }

  /** What is there now is no news. */
  begin(): void {
    this.#before = this.#moment();
    this.#fewer = this.#dependencies.roster.log.signedByFewer();
  }

  /** Tell everybody who listens for events. */
  tell(event: RosterEvent): void {
    for (const listener of this.#eventListeners) {
      try {
        listener(event);
      } catch (error) {
        this.#dependencies.logger.error("a listener failed", { error });
      }
    }
  }

  /** Call with what operators are told. */
  onEvent(listener: (event: RosterEvent) => void): void {
    this.#eventListeners.push(listener);
  }

  /** Call after every change, once its events were told. */
  onChange(listener: (change: RosterChange) => void): void {
    this.#changeListeners.push(listener);
  }

  /** Wake when the next membership begins or ends. */
  arm(): void {
    this.#cancelTimer();
    const { clock, statuses } = this.#dependencies;
    const seconds = Math.floor(clock.now() / 1000);
    const skew = LIMITS.clockSkewSeconds;
    const times = statuses.terms().flatMap(({ notBefore, notAfter }) => [notBefore - skew, notAfter + skew + 1]);
    const { membership, quorum } = endingsOf(this.#moment());
    for (const end of [membership, quorum]) {
      if (end !== undefined) times.push(end, ...WARNING_SECONDS.map((before) => end - before));
    }
    const next = times.reduce((least, time) => (time > seconds ? Math.min(least, time) : least), Infinity);
    if (this.#isStopped || next === Infinity) return;
    this.#cancelTimer = clock.after(next * 1000 - clock.now(), () => this.#changed());
  }

  /** Wait for nothing any more; idempotent. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
  }

  /** What is about to end, or has. */
  endings(): readonly RosterEvent[] {
    return endingEvents(undefined, this.#moment());
  }

  /** Several entries of one message are looked at together. */
  #changeSoon(): void {
    if (this.#isChangeDue) return;
    this.#isChangeDue = true;
    queueMicrotask(() => {
      this.#isChangeDue = false;
      if (!this.#isStopped) this.#changed();
    });
  }

  #changed(): void {
    const [before, after] = [this.#before, this.#moment()];
    const { succession } = after.state;
    const isSucceeded = succession !== undefined && succession.entry !== before.state.succession?.entry;
    this.#before = after;
    this.#dependencies.statuses.tidy();
    if (before.state.digest !== after.state.digest) this.#warnOfFewer();
    for (const event of rosterEvents(before, after)) this.tell(event);
    for (const event of endingEvents(before, after)) this.tell(event);
    for (const listener of this.#changeListeners) listener({ isSucceeded });
    this.arm();
  }

  /** An act waits for its last signature as long as the signer likes: how old it is shows beside what others have done since. */
  #warnOfLate({ id, issuedAt, signers, statement }: Entry): void {
    const { roster, logger } = this.#dependencies;
    const others = roster.log.nextParents().filter((head) => head !== id);
    const newest = Math.max(0, ...others.map((head) => roster.log.get(head)?.issuedAt ?? 0));
    const days = Math.floor((newest - issuedAt) / DAY_SECONDS);
    if (newest - issuedAt <= DECISION_SECONDS) return;
    const text =
      "an entry came that was drawn up long before what others have signed since, which does not follow it: one of its signers held it back, " +
      "or peers were parted for as long";
    logger.warn(text, { entry: id, kind: statement.kind, signers, days });
  }

  /** An admin that acts on a branch from before a threshold was raised is seen, and can be removed: then that does not count. */
  #warnOfFewer(): void {
    const { roster, logger } = this.#dependencies;
    const before = this.#fewer;
    this.#fewer = roster.log.signedByFewer();
    for (const [id, threshold] of this.#fewer) {
      const entry = roster.log.get(id);
      if (entry === undefined || before.has(id)) continue;
      const { signers, statement } = entry;
      const text =
        "an entry counts that fewer admins have signed than the policy asks for, on a branch that does not follow the policy; where that was no " +
        "coincidence, remove who signed it: then it counts no more, unless it is a removal";
      logger.warn(text, { entry: id, kind: statement.kind, signers, threshold });
    }
  }

  #moment(): RosterMoment {
    const { roster, clock, self } = this.#dependencies;
    return { self, state: roster.log.state(), seconds: Math.floor(clock.now() / 1000) };
  }
}

/** A roster at a time (seconds since 1970), as one peer sees it. */
export interface RosterMoment {
  readonly self: PeerId;
  readonly state: RosterState;
  readonly seconds: number;
}

/** What has changed between two looks, in the words of operators: in the order of peer ids, the roster as a whole last. */
export function rosterEvents(before: RosterMoment, after: RosterMoment): readonly RosterEvent[] {
  const events: RosterEvent[] = [];
  const peers = new Set([...before.state.members.keys(), ...after.state.members.keys()]);
  for (const peer of [...peers].sort()) {
    const was = roleOf(before.state, peer, before.seconds);
    const is = roleOf(after.state, peer, after.seconds);
    if (was === undefined && is !== undefined) events.push({ type: "member", change: "admitted", peer, role: is });
    if (was !== undefined && is === undefined) {
      const { barred, removed } = after.state;
      const change = barred.has(peer) ? "barred" : removed.has(peer) ? "revoked" : "expired";
      events.push({ type: "member", change, peer, role: was });
    }
    const isRenewed = before.state.members.get(peer)?.grant !== after.state.members.get(peer)?.grant;
    if (was !== undefined && is !== undefined && isRenewed) {
      events.push({ type: "member", change: "renewed", peer, role: is });
    }
  }
  const isSame = before.state.digest === after.state.digest && events.length === 0;
  return isSame ? events : [...events, rosterEvent(after)];
}

/** When this peer's membership ends, and the quorum; undefined where no end is known. */
function endingsOf({ self, state, seconds }: RosterMoment) {
  const own = state.members.get(self)?.notAfter;
  return { membership: own === END_OF_TIME ? undefined : own, quorum: quorumOf(state, seconds).endsAt };
}

/** Ends that are near, or nearer than before, or not near any more. */
export function endingEvents(before: RosterMoment | undefined, after: RosterMoment): readonly RosterEvent[] {
  const [was, is] = [before && endingsOf(before), endingsOf(after)];
  return (["membership", "quorum"] as const).flatMap((what) => {
    const near = nearness(is[what], after.seconds);
    const wasNear = before === undefined ? 0 : nearness(was?.[what], before.seconds);
    // An end that is over stays where it was, however late it is looked at.
    const isSame = near === wasNear && (near === 0 || was?.[what] === is[what] || near > WARNING_SECONDS.length);
    return isSame ? [] : [{ type: "ending" as const, what, at: near === 0 ? null : (is[what] ?? null) }];
  });
}

/** The roster as a whole. */
export function rosterEvent({ self, state, seconds }: RosterMoment): RosterEvent {
  const members = [...state.members.keys()].filter((peer) => roleOf(state, peer, seconds) !== undefined).length;
  return {
    type: "roster",
    role: roleOf(state, self, seconds),
    members,
    entries: state.entryCount,
    digest: state.digest,
  };
}
