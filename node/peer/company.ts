/** Says when a peer finds its first neighbour, loses its last one, has one again or none for long, and whom it cannot reach. */
import type { PeerId } from "../../protocol/peer-id.ts";
import type { DialFailure } from "../exchange/dialer.ts";
import type { Clock } from "../interface/clock.ts";
import type { CompanyEvent } from "../interface/company-event.ts";

/** What it is told by, and whom it tells. */
export interface CompanyDependencies {
  readonly clock: Clock;
  readonly onEvent: (event: CompanyEvent) => void;
  /** How many addresses are dialled again and again. */
  readonly addressCount: () => number;
  /** Whether an address that a person gave leads to a peer: then what becomes of that address is told. */
  readonly isGiven: (peer: PeerId) => boolean;
}

/** The first word about having no neighbour; each further one comes after three times as long. */
const ALONE_FIRST_MS = 10_000;
/** The second word about an address that cannot be reached. */
const UNREACHABLE_AGAIN_MS = 60_000;
const GROWTH = 3;
const PAUSE_MAX_MS = 3_600_000;
/** Reasons of one address or peer that are each said at once. */
const REASONS_MAX = 8;
/** Addresses and peers of which it is remembered what was said. */
const TOLD_MAX = 512;
/** Strangers make keys as they like: so many that are no neighbours are told of in a minute; the log has them all. */
const DECLINED_MAX = 6;
const DECLINED_MS = 60_000;

/** What was said of an address, or of a peer. */
interface Told {
  /** A peer with several addresses is dialled at all of them at once, and the reasons take turns. */
  readonly reasons: Set<string>;
  failures: number;
  pauseMs: number;
  /** When it may be said again. */
  nextMs: number;
}

/** The neighbours of a running peer, as far as a person has to hear of them. */
export class Company {
  readonly #dependencies: CompanyDependencies;
  readonly #neighbours = new Set<PeerId>();
  readonly #told = new Map<string, Told>();
  /** Why peers did not become neighbours, the newest last. */
  readonly #refusals = new Map<PeerId, string>();
  /** When it was told of these. */
  #declinedAtMs: readonly number[] = [];
  #hadNeighbours = false;
  #isStopped = false;
  #sinceMs = 0;
  #cancel: () => void = () => undefined;

  constructor(dependencies: CompanyDependencies) {
    this.#dependencies = dependencies;
  }

  /** From now on this peer looks for neighbours. */
  begin(): void {
    if (this.#neighbours.size === 0) this.#beAlone();
  }

  /** A peer was admitted. */
  join(peer: PeerId): void {
    const isFirst = this.#neighbours.size === 0;
    this.#neighbours.add(peer);
    this.#refusals.delete(peer);
    this.#told.delete(peer);
    for (const address of this.#told.keys()) if (address.endsWith(`/p2p/${peer}`)) this.#told.delete(address);
    if (!isFirst) return;
    this.#cancel();
    this.#say(this.#hadNeighbours ? "back" : "found", peer);
    this.#hadNeighbours = true;
  }

  /** An admitted peer has gone. */
  leave(peer: PeerId): void {
    if (!this.#neighbours.delete(peer) || this.#neighbours.size > 0 || this.#isStopped) return;
    this.#say("lost", peer);
    this.#beAlone();
  }

  /** Nobody was reached at an address. Addresses of peers that were met before matter while there is no other one. */
  fail({ address, isGiven, reason }: DialFailure): void {
    if (this.#isStopped || (!isGiven && this.#neighbours.size > 0)) return;
    const failures = this.#dueTimes(address, reason);
    if (failures !== undefined) this.#dependencies.onEvent({ type: "unreachable", address, reason, failures });
  }

  /** A peer was connected and does not become a neighbour; a clause says why. */
  decline(peer: PeerId, reason: string): void {
    const { clock, onEvent, isGiven } = this.#dependencies;
    this.#refusals.delete(peer);
    this.#refusals.set(peer, reason);
    dropOldest(this.#refusals);
    // Of one that was a neighbour until now it is told elsewhere what has ended that.
    if (this.#isStopped || isGiven(peer) || this.#neighbours.has(peer)) return;
    const times = this.#dueTimes(peer, reason);
    const nowMs = clock.now();
    this.#declinedAtMs = this.#declinedAtMs.filter((at) => at > nowMs - DECLINED_MS);
    if (times === undefined || this.#declinedAtMs.length >= DECLINED_MAX) return;
    this.#declinedAtMs = [...this.#declinedAtMs, nowMs];
    onEvent({ type: "declined", peer, reason, times });
  }

  /** Why a peer did not become a neighbour last time, in a clause. */
  refusalOf(peer: PeerId): string | undefined {
    return this.#refusals.get(peer);
  }

  /** How often it has come to that by now, where it is to be said: for each reason at once, and then at growing intervals. */
  #dueTimes(about: string, reason: string): number | undefined {
    const nowMs = this.#dependencies.clock.now();
    const first = { reasons: new Set<string>(), failures: 0, pauseMs: UNREACHABLE_AGAIN_MS, nextMs: 0 };
    const told: Told = this.#told.get(about) ?? first;
    this.#told.set(about, told);
    dropOldest(this.#told);
    told.failures++;
    const isNew = !told.reasons.has(reason) && told.reasons.size < REASONS_MAX;
    if (!isNew && nowMs < told.nextMs) return undefined;
    told.reasons.add(reason);
    if (!isNew) told.pauseMs = Math.min(GROWTH * told.pauseMs, PAUSE_MAX_MS);
    told.nextMs = nowMs + told.pauseMs;
    return told.failures;
  }

  /** Say nothing any more: this peer itself goes. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #say(change: "found" | "lost" | "back", peer: PeerId): void {
    const { clock, onEvent } = this.#dependencies;
    if (!this.#isStopped) onEvent({ type: "company", change, peer, at: isoTime(clock.now()) });
  }

  #beAlone(): void {
    this.#sinceMs = this.#dependencies.clock.now();
    this.#wait(ALONE_FIRST_MS);
  }

  #wait(pauseMs: number): void {
    const { clock, onEvent, addressCount } = this.#dependencies;
    this.#cancel = clock.after(pauseMs, () => {
      if (this.#isStopped) return;
      onEvent({ type: "alone", since: isoTime(this.#sinceMs), addresses: addressCount() });
      this.#wait(Math.min(GROWTH * pauseMs, PAUSE_MAX_MS));
    });
  }
}

function dropOldest(told: Map<string, unknown>): void {
  const [oldest] = told.keys();
  if (told.size > TOLD_MAX && oldest !== undefined) told.delete(oldest);
}

const isoTime = (ms: number): string => new Date(ms).toISOString();
