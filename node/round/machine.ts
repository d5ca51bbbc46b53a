/**
 * The round machine decides when things are done, never how. It is pure: `step(state, event)` gives the next state and the
 * effects, the driver carries them out and answers with events.
 *
 * training → publishing → collecting → aggregating → the next round's training … → serving → finished
 *
 * Rounds are numbered from 0 and every peer walks through them at its own pace. Collecting ends as soon as every peer
 * that is waited for has sent an update of this round or a later one, and at the deadline at the latest. A peer that is
 * not connected, or was silent during the last two rounds, is not waited for until it is heard again. With nobody to
 * wait for, collecting lasts the shortest deadline, so that a peer which is just arriving is still heard.
 *
 * Catching up: when the others that still train (the lower median of their newest rounds) are ahead by more than
 * `ageMax` rounds, the updates of this peer are too old to be used by them. It then aggregates as of their round and goes
 * on with the round after it. The rounds in between are left out; the ones that it did itself count. A peer that has
 * published its last round is through: nobody jumps to it, its update counts as fresh in every round, and this peer does
 * all its own rounds. The median is no shield. Where membership is open, identities are free, and an attacker with enough
 * of them moves the median, and with it a peer past rounds that it would have trained. The last round is always trained.
 *
 * Waiting to be caught up with: when more than half of the others are behind by more than `ageMax` rounds, they will not
 * jump. Their updates are too old for this peer, though they say where the others are. This peer then waits in each round
 * up to the longest deadline, until the others have come near enough or have made no progress for two rounds. So of two
 * sides that trained apart, the smaller one jumps or waits, and of equal ones both do. Peers that are that far behind and
 * are not most of the others are not waited for: half of the others hold nobody up by talking of old rounds.
 *
 * An observer makes nothing of its own: nobody jumps to it, and nobody waits for it. Alone it would leave the others' rounds
 * behind for good, so it stays in its round until it holds an update that is fresh there.
 *
 * Serving: after the last round a peer stays until every peer it waits for has published its last round, at least the
 * shortest and at most the longest deadline, so that others can still fetch its update; meanwhile it evaluates.
 */
import { LIMITS } from "../../protocol/limits.ts";
import { deadlineOf, observeLag, type Pace } from "./pace.ts";

/** The part of its round that a peer is in. */
export type RoundPhase = "idle" | "training" | "publishing" | "collecting" | "aggregating" | "serving" | "finished";

/** What the network's manifest says about rounds. */
export interface RoundSettings {
  readonly count: number;
  readonly localSteps: number;
  readonly deadlineMs: { readonly min: number; readonly max: number };
  readonly ageMax: number;
}

/** The known progress of another peer. */
export interface PeerProgress {
  /** Round of its newest update that was heard of, used or not; -1 before the first. */
  readonly latest: number;
  /** Value of `turn` when it was last heard: an update of a later round than those before, or a new connection. */
  readonly heardIn: number;
  /** When that was. */
  readonly heardAt: number;
  /** Whether the update was too old to be used then. */
  readonly trails: boolean;
  /** false after its connection closed, until it is heard again. */
  readonly present: boolean;
}

/** Plain data, except that the peers are a Map. */
export interface RoundState {
  readonly settings: RoundSettings;
  readonly phase: RoundPhase;
  readonly round: number;
  /** Rounds that this peer has worked through since it was started; unlike `round` it never jumps. */
  readonly turn: number;
  readonly peers: ReadonlyMap<string, PeerProgress>;
  readonly pace: Pace;
  /** When this peer published its latest rounds, newest last. */
  readonly published: readonly { readonly round: number; readonly at: number }[];
  /** Since when the phase waits for others; its deadline counts from here. */
  readonly waitingSince: number;
  readonly deadlineAt: number | undefined;
  /** In phase aggregating: the round against which ages count, which is the one this peer leaves. */
  readonly asOf: number;
  /** In phase serving: which of its two parts are over. */
  readonly over: { readonly evaluation: boolean; readonly service: boolean };
}

/**
 * The place where a peer goes on after a restart. `trained`: its local steps are done; `serving`: all its rounds are.
 */
export interface RoundPosition {
  readonly round: number;
  readonly phase: "training" | "trained" | "serving";
}

/** `now` in milliseconds since the Unix epoch. */
export type RoundEvent =
  | { readonly type: "started"; readonly now: number; readonly position: RoundPosition }
  | { readonly type: "trained"; readonly now: number }
  | { readonly type: "published"; readonly now: number }
  /** Accepted, or of no use but as news of where its author is. */
  | { readonly type: "updateHeard"; readonly now: number; readonly peer: string; readonly round: number }
  | { readonly type: "peerJoined"; readonly now: number; readonly peer: string }
  | { readonly type: "peerLeft"; readonly now: number; readonly peer: string }
  /** `at`: which deadline it is; one that was replaced or cancelled meanwhile is nothing. */
  | { readonly type: "deadline"; readonly now: number; readonly at: number }
  /** `again`: the same round comes once more, for who makes nothing of its own and has heard nothing fresh. */
  | { readonly type: "aggregated"; readonly now: number; readonly again?: boolean }
  /** The network ends after this number of rounds, which may be fewer than there were to be. */
  | { readonly type: "shortened"; readonly now: number; readonly count: number }
  | { readonly type: "evaluated"; readonly now: number };

/** What the machine asks the driver to do. */
export type RoundEffect =
  | { readonly type: "train"; readonly round: number; readonly steps: number }
  | { readonly type: "publish"; readonly round: number }
  /** Replaces the deadline before it. */
  | { readonly type: "setDeadline"; readonly at: number }
  | { readonly type: "cancelDeadline" }
  /** `asOf`: the round against which the ages of updates count; later than `round` when catching up. */
  | { readonly type: "aggregate"; readonly round: number; readonly asOf: number }
  | { readonly type: "checkpoint" }
  | { readonly type: "evaluate" }
  | { readonly type: "finish" };

/** The state after an event, and what is to be done because of it. */
export interface RoundStep {
  readonly state: RoundState;
  /** To be done one after another, in this order. */
  readonly effects: readonly RoundEffect[];
}

/** A peer silent for so many rounds is not waited for. */
export const SILENT_ROUNDS_MAX = 2;

/** Peers remembered: as many authors as the protocol knows. */
export const PEERS_MAX = LIMITS.headsCountMax;

/** Own rounds whose publishing time is remembered, so that late answers to them are still measured. */
const PUBLISHED_MAX = 8;

/** The state before `started`.  pace: what was observed before a restart. */
export function initialRoundState(settings: RoundSettings, pace: Pace = []): RoundState {
  return {
    settings,
    phase: "idle",
    round: 0,
    turn: 0,
    peers: new Map(),
    pace,
    published: [],
    waitingSince: 0,
    deadlineAt: undefined,
    asOf: 0,
    over: { evaluation: false, service: false },
  };
}

/** One event. An event that does not belong to the phase changes nothing and asks for nothing. */
export function step(state: RoundState, event: RoundEvent): RoundStep {
  switch (event.type) {
    case "started":
      return state.phase === "idle" ? start(state, event.position, event.now) : nothing(state);
    case "trained":
      return state.phase === "training" ? publish(state) : nothing(state);
    case "published":
      return state.phase === "publishing" ? collect(state, event.now) : nothing(state);
    case "updateHeard":
      return settle(heard(state, event), event.now);
    case "peerJoined":
      return settle(joined(state, event), event.now);
    case "peerLeft":
      return settle(left(state, event.peer), event.now);
    case "deadline":
      return event.at === state.deadlineAt ? proceed({ ...state, deadlineAt: undefined }, []) : nothing(state);
    case "aggregated":
      return state.phase === "aggregating" ? leaveRound(state, event) : nothing(state);
    case "shortened": {
      const count = Math.min(state.settings.count, Math.max(1, event.count));
      return nothing({ ...state, settings: { ...state.settings, count } });
    }
    case "evaluated":
      return state.phase === "serving"
        ? finishWhenOver(state, { ...state.over, evaluation: true }, [])
        : nothing(state);
  }
}

/** The peers that the phase waits for: connected or heard lately, and not too far behind for what they send next. */
export function waitedFor(state: RoundState): readonly string[] {
  const { phase, peers, round, turn, settings } = state;
  if (isFarAhead(state)) return gettingOn(state).map(([peer]) => peer);
  const oldest = phase === "serving" ? 0 : round - settings.ageMax - 1;
  return [...peers]
    .filter(([, { present, heardIn }]) => present && turn - heardIn <= SILENT_ROUNDS_MAX)
    .filter(([, { latest }]) => latest < 0 || latest >= oldest)
    .map(([peer]) => peer);
}

/** The place where the peer would go on if the process ended now. */
export function positionOf({ phase, round }: RoundState): RoundPosition {
  switch (phase) {
    case "idle":
    case "training":
      return { round, phase: "training" };
    case "publishing":
    case "collecting":
    case "aggregating":
      return { round, phase: "trained" };
    case "serving":
    case "finished":
      return { round, phase: "serving" };
  }
}

const nothing = (state: RoundState): RoundStep => ({ state, effects: [] });

function start(state: RoundState, { round, phase }: RoundPosition, now: number): RoundStep {
  const started: RoundState = { ...state, round };
  switch (phase) {
    case "training":
      return train(started, []);
    case "trained":
      return publish(started);
    case "serving":
      return serve(started, now, []);
  }
}

function train(state: RoundState, effects: readonly RoundEffect[]): RoundStep {
  const { round, settings } = state;
  return {
    state: { ...state, phase: "training" },
    effects: [...effects, { type: "train", round, steps: settings.localSteps }],
  };
}

function publish(state: RoundState): RoundStep {
  return {
    state: { ...state, phase: "publishing" },
    effects: [{ type: "checkpoint" }, { type: "publish", round: state.round }],
  };
}

function collect(state: RoundState, now: number): RoundStep {
  const { round, peers, settings } = state;
  let pace = state.pace;
  for (const { latest } of peers.values()) if (latest >= round) pace = observeLag(pace, 0, settings.deadlineMs);
  const published = [...state.published, { round, at: now }].slice(-PUBLISHED_MAX);
  return settle({ ...state, phase: "collecting", pace, published, waitingSince: now, deadlineAt: undefined }, now);
}

/** After the last round. */
function serve(state: RoundState, now: number, effects: readonly RoundEffect[]): RoundStep {
  const serving: RoundState = { ...state, phase: "serving", waitingSince: now, deadlineAt: undefined };
  const settled = settle(serving, now);
  return { state: settled.state, effects: [...effects, { type: "evaluate" }, ...settled.effects] };
}

/** Go on when there is nobody left to wait for, else see that the deadline is the right one. */
function settle(state: RoundState, now: number): RoundStep {
  const target = waitingTarget(state);
  if (target === undefined) return nothing(state);
  const at = state.waitingSince + patience(state, target);
  if (at <= now) return proceed(state, []);
  if (at === state.deadlineAt) return nothing(state);
  return { state: { ...state, deadlineAt: at }, effects: [{ type: "setDeadline", at }] };
}

/** The round whose update the phase waits to see from the others; undefined when it waits for nobody. */
function waitingTarget({ phase, round, settings, over }: RoundState): number | undefined {
  if (phase === "collecting") return round;
  return phase === "serving" && !over.service ? settings.count - 1 : undefined;
}

/** How long the phase waits at most, counted from its beginning. */
function patience(state: RoundState, target: number): number {
  const { phase, pace, peers } = state;
  const { min, max } = state.settings.deadlineMs;
  const waited = waitedFor(state);
  if (waited.length === 0) return min;
  const isComplete = waited.every((peer) => peers.get(peer)!.latest >= target);
  if (phase === "serving") return isComplete ? min : max;
  if (isComplete) return 0;
  return isFarAhead(state) ? max : deadlineOf(pace, { min, max });
}

/** Waiting is over. */
function proceed(state: RoundState, effects: readonly RoundEffect[]): RoundStep {
  const cancelled: readonly RoundEffect[] =
    state.deadlineAt === undefined ? effects : [...effects, { type: "cancelDeadline" }];
  const waited = { ...state, deadlineAt: undefined };
  if (state.phase === "serving") return finishWhenOver(waited, { ...state.over, service: true }, cancelled);
  const asOf = currentRound(state);
  return {
    state: { ...waited, phase: "aggregating", asOf },
    effects: [...cancelled, { type: "aggregate", round: state.round, asOf }],
  };
}

function finishWhenOver(state: RoundState, over: RoundState["over"], effects: readonly RoundEffect[]): RoundStep {
  if (!over.evaluation || !over.service) return { state: { ...state, over }, effects };
  return { state: { ...state, over, phase: "finished" }, effects: [...effects, { type: "finish" }] };
}

function leaveRound(state: RoundState, { now, again = false }: { now: number; again?: boolean }): RoundStep {
  const { count } = state.settings;
  const next = { ...state, round: again ? state.round : state.asOf + 1, turn: state.turn + 1 };
  return next.round < count ? train(next, [{ type: "checkpoint" }]) : serve(next, now, [{ type: "checkpoint" }]);
}

/**
 * The round as of which to aggregate: one's own, or that of the others that still train when they are too far ahead.
 * Theirs is before the last one, so that a jump leaves at least one round to do.
 */
function currentRound({ round, peers, settings }: RoundState): number {
  const training = [...peers.values()].filter((progress) => isTraining(progress, settings));
  const rounds = training.map(({ latest }) => latest).sort((a, b) => a - b);
  const others = rounds[(rounds.length - 1) >> 1] ?? round;
  return others - round > settings.ageMax ? others : round;
}

/** Whether more than half of those that still train, and are getting on, are too far behind for their updates to be used here. */
function isFarAhead(state: RoundState): boolean {
  if (state.phase === "serving") return false;
  const training = gettingOn(state).filter(([, progress]) => isTraining(progress, state.settings));
  return 2 * training.filter(([, { trails }]) => trails).length > training.length;
}

/**
 * Who was heard during the last two rounds; of those that trail also who was heard not longer before this round's wait than the
 * longest deadline lasts, since beside quick rounds those of others take several.
 */
function gettingOn({ peers, turn, waitingSince, settings }: RoundState): readonly [string, PeerProgress][] {
  const isHeard = ({ heardIn, heardAt, trails }: PeerProgress): boolean =>
    turn - heardIn <= SILENT_ROUNDS_MAX || (trails && waitingSince - heardAt <= settings.deadlineMs.max);
  return [...peers].filter(([, progress]) => progress.present && isHeard(progress));
}

/** Whether a peer is there, has begun and is not through. */
const isTraining = ({ present, latest }: PeerProgress, { count }: RoundSettings): boolean =>
  present && latest >= 0 && latest < count - 1;

/** An update that was heard before, or is older, is no news: repeating it keeps nobody waited for. */
function heard(state: RoundState, event: { peer: string; round: number; now: number }): RoundState {
  const { peers, turn, settings } = state;
  if (event.round <= (peers.get(event.peer)?.latest ?? -1)) return state;
  const published = state.published.findLast(({ round }) => round === event.round);
  const pace = published ? observeLag(state.pace, event.now - published.at, settings.deadlineMs) : state.pace;
  const trails = state.round - event.round > settings.ageMax;
  const progress = { latest: event.round, heardIn: turn, heardAt: event.now, trails, present: true };
  return { ...state, pace, peers: withPeer(peers, event.peer, progress) };
}

function joined(state: RoundState, { peer, now }: { peer: string; now: number }): RoundState {
  const latest = state.peers.get(peer)?.latest ?? -1;
  const progress = { latest, heardIn: state.turn, heardAt: now, trails: false, present: true };
  return { ...state, peers: withPeer(state.peers, peer, progress) };
}

function left(state: RoundState, peer: string): RoundState {
  const before = state.peers.get(peer);
  if (before === undefined) return state;
  return { ...state, peers: withPeer(state.peers, peer, { ...before, present: false }) };
}

/** Beyond the bound the peer that was heard longest ago is forgotten. */
function withPeer(
  peers: ReadonlyMap<string, PeerProgress>,
  peer: string,
  progress: PeerProgress,
): ReadonlyMap<string, PeerProgress> {
  const next = new Map(peers);
  next.set(peer, progress);
  if (next.size > PEERS_MAX) {
    const others = [...next].filter(([name]) => name !== peer);
    const [oldest] = others.reduce((a, b) => (b[1].heardIn < a[1].heardIn ? b : a));
    next.delete(oldest);
  }
  return next;
}
