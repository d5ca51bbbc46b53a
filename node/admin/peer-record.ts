/** What people want to look back at while a peer runs, and its status does not hold: updates with their reasons, mixes. */
import type { Clock } from "../interface/clock.ts";
import type { PeerEvent, ScoreFigures } from "../interface/peer-event.ts";

type UpdateEvent = Extract<PeerEvent, { type: "update" }>;
type MixedEvent = Extract<PeerEvent, { type: "mixed" }>;
type RoundEvent = Extract<PeerEvent, { type: "round" }>;

/** An update of another peer that came, and the verdict on it. */
export type HeardUpdate = Omit<UpdateEvent, "type"> & { readonly at: string };

/** Whose adapters entered a round, and how. */
export type MixedRound = Omit<MixedEvent, "type">;

/** The scores of neighbours as they were after a round. */
export interface ScoredRound {
  readonly round: number;
  readonly scores: readonly ScoreFigures[];
}

/** How often a verdict was given for one reason. */
export interface VerdictCount {
  readonly verdict: UpdateEvent["verdict"];
  /** "" where the verdict had none. */
  readonly code: string;
  readonly count: number;
}

/** The newest updates that are kept. */
export const UPDATES_KEPT_MAX = 200;
/** The newest rounds whose mixes and scores are kept: with 64 neighbours about three megabytes. */
export const MIXES_KEPT_MAX = 200;

/** Fills from a peer's events. */
export class PeerRecord {
  readonly #clock: Pick<Clock, "now">;
  readonly #updates: HeardUpdate[] = [];
  readonly #mixes: MixedRound[] = [];
  readonly #scores: ScoredRound[] = [];
  readonly #counts = new Map<string, VerdictCount>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** One more event. */
  note(event: { readonly type: string }): void {
    if (isUpdate(event)) this.#noteUpdate(event);
    if (isMixed(event)) this.#noteMix(event);
    if (isRound(event)) this.#noteScores(event);
  }

  /** The newest updates, the newest last. */
  updates(): readonly HeardUpdate[] {
    return this.#updates;
  }

  /** Since the peer was started, by verdict and reason. */
  verdicts(): readonly VerdictCount[] {
    return [...this.#counts.values()];
  }

  /** The mixes of the newest rounds, the newest last. */
  mixes(): readonly MixedRound[] {
    return this.#mixes;
  }

  /** The scores after each of the newest rounds that has any, the newest last. */
  scores(): readonly ScoredRound[] {
    return this.#scores;
  }

  #noteUpdate({ type: _, ...update }: UpdateEvent): void {
    const { verdict, code = "" } = update;
    const key = `${verdict} ${code}`;
    this.#counts.set(key, { verdict, code, count: (this.#counts.get(key)?.count ?? 0) + 1 });
    this.#updates.push({ ...update, at: new Date(this.#clock.now()).toISOString() });
    if (this.#updates.length > UPDATES_KEPT_MAX) this.#updates.shift();
  }

  /** A round that is told again after a restart replaces what was told before. */
  #noteMix({ type: _, ...mix }: MixedEvent): void {
    keepRound(this.#mixes, mix);
  }

  #noteScores({ summary: { round }, scores }: RoundEvent): void {
    if (scores !== undefined) keepRound(this.#scores, { round, scores });
  }
}

function keepRound<Round extends { readonly round: number }>(kept: Round[], newest: Round): void {
  while ((kept.at(-1)?.round ?? -1) >= newest.round) kept.pop();
  kept.push(newest);
  if (kept.length > MIXES_KEPT_MAX) kept.shift();
}

const isUpdate = (event: { readonly type: string }): event is UpdateEvent => event.type === "update";
const isMixed = (event: { readonly type: string }): event is MixedEvent => event.type === "mixed";
const isRound = (event: { readonly type: string }): event is RoundEvent => event.type === "round";
