/** What is known of one peer from the events it has sent so far. A pure fold: view + event -> view. */
import type { LoopReport } from "../interface/event-loop.ts";
import {
  type ForgettingReport,
  type LossFigure,
  type ModelNeed,
  type PeerEvent,
  type PeerReport,
  type RoundSummary,
  type ScoreFigures,
  SUMMARIES_MAX,
  type UpdateCounts,
} from "../interface/peer-event.ts";
import type { PrivacyStatus } from "../interface/privacy.ts";

/** What a peer does at the moment, in a word. */
export type PeerState = "starting" | "training" | "training alone" | "paused" | "observing" | "finished" | "stopped";

/** What is known of one peer. */
export interface PeerView {
  readonly state: PeerState;
  /** Peer id; unknown until it has started. */
  readonly peer?: string;
  readonly addresses: readonly string[];
  readonly dataDirectory?: string;
  /** Whether it went on from a checkpoint. */
  readonly resumed: boolean;
  readonly examples?: { readonly train: number; readonly validation: number; readonly test: number };
  /** The round it is in, counted from 0 as on the wire; people are shown one more. */
  readonly round: number;
  /** Rounds behind it, those before a restart included. */
  readonly roundsDone: number;
  /** Local step within the round, and how many the round has. */
  readonly step: number;
  readonly steps: number;
  /** Training loss of the newest local step, nats per response token. */
  readonly loss?: number;
  readonly neighbours: number;
  /** Since when it has had no neighbour (ISO 8601), as far as that was said. */
  readonly aloneSince?: string | undefined;
  /** Whom it could not reach, the newest last. */
  readonly unreachable: readonly Omit<Extract<PeerEvent, { type: "unreachable" }>, "type">[];
  readonly updates: UpdateCounts;
  readonly rounds: readonly RoundSummary[];
  /** Of the base model, on the validation set. */
  readonly base?: LossFigure;
  /** After the newest of these rounds. */
  readonly forgetting?: ForgettingReport;
  /** Of the neighbours that it has looked at, the most harmful ones first. */
  readonly scores?: readonly ScoreFigures[];
  readonly pausedBecause?: string;
  /** How the event loop of its process fares. */
  readonly loop?: LoopReport;
  /** Of a peer that observes because it lacks the model: what, and where it belongs. */
  readonly lacks?: { readonly directory: string; readonly needs: readonly ModelNeed[] };
  /** Of a peer with a privacy budget. */
  readonly privacy?: PrivacyStatus;
  /** Of a network with a roster: this peer's role ("none": no member), and the digest of all entries. */
  readonly roster?: {
    readonly role: string;
    readonly members: number;
    readonly entries: number;
    readonly digest: string;
  };
  /** Who asks to be admitted, of an admin's peer. */
  readonly requests?: readonly Extract<PeerEvent, { type: "request" }>[];
  /** What is about to end, or has: seconds since 1970. */
  readonly endings?: { readonly membership?: number | undefined; readonly quorum?: number | undefined };
  readonly report?: PeerReport;
}

/** A peer of which nothing is known yet. */
export const UNSEEN_PEER: PeerView = {
  state: "starting",
  addresses: [],
  resumed: false,
  round: 0,
  roundsDone: 0,
  step: 0,
  steps: 0,
  neighbours: 0,
  unreachable: [],
  updates: { accepted: 0, ignored: 0, rejected: 0 },
  rounds: [],
};

/** What is left of a view once its peer runs no more. */
export function restingView(view: PeerView): PeerView {
  return { ...view, state: view.state === "finished" ? "finished" : "stopped", neighbours: 0, aloneSince: undefined };
}

const COUNTED_AS = { accept: "accepted", ignore: "ignored", reject: "rejected" } as const;

/** Addresses that a person can still read. */
const UNREACHABLE_MAX = 8;

/** Requests for admission that a person can still read. */
const REQUESTS_MAX = 16;

function withFailure(
  before: PeerView["unreachable"],
  { type: _, ...failure }: Extract<PeerEvent, { type: "unreachable" }>,
): PeerView["unreachable"] {
  const others = before.filter(({ address }) => address !== failure.address);
  return [...others, failure].slice(-UNREACHABLE_MAX);
}

/** What news of neighbours changes. */
function companyNews(
  { unreachable, addresses }: PeerView,
  event: Extract<PeerEvent, { type: "neighbours" | "company" | "alone" | "unreachable" | "address" }>,
): Partial<PeerView> {
  switch (event.type) {
    case "neighbours":
      return { neighbours: event.connected };
    case "alone":
      return { aloneSince: event.since };
    case "address": {
      const others = addresses.filter((address) => address !== event.address);
      return { addresses: event.isTold ? [...others, event.address] : others };
    }
    case "unreachable":
      return { unreachable: withFailure(unreachable, event) };
    case "company": {
      const { change, peer, at } = event;
      if (change === "lost") return { aloneSince: at };
      const rest = unreachable.filter(({ address }) => !address.endsWith(`/p2p/${peer}`));
      return { aloneSince: undefined, unreachable: rest };
    }
  }
}

/** What the end of a round changes; a round that is told again after a restart replaces what was told before. */
function roundDone(
  view: PeerView,
  { summary, forgetting, base, scores }: Extract<PeerEvent, { type: "round" }>,
): Partial<PeerView> {
  const rounds = [...view.rounds.filter(({ round }) => round < summary.round), summary].slice(-SUMMARIES_MAX);
  return {
    state: "training",
    round: summary.round,
    roundsDone: summary.round + 1,
    rounds,
    forgetting,
    ...(base && { base }),
    ...(scores && { scores }),
  };
}

/** The requests of other peers than this one. */
const others = (requests: PeerView["requests"] = [], one: string): NonNullable<PeerView["requests"]> =>
  requests.filter(({ peer }) => peer !== one);

/** The view after one more event. */
export function foldPeerEvent(view: PeerView, event: PeerEvent): PeerView {
  switch (event.type) {
    case "started": {
      const { type: _, ...told } = event;
      return { ...view, ...told, state: "training", roundsDone: event.round };
    }
    case "step": {
      const { round, step, steps, loss, phase } = event;
      return { ...view, state: phase === "alone" ? "training alone" : "training", round, step, steps, loss };
    }
    case "neighbours":
    case "company":
    case "alone":
    case "address":
    case "unreachable":
      return { ...view, ...companyNews(view, event) };
    case "request":
      return { ...view, requests: [...others(view.requests, event.peer), event].slice(-REQUESTS_MAX) };
    case "update": {
      const kind = COUNTED_AS[event.verdict];
      return { ...view, updates: { ...view.updates, [kind]: view.updates[kind] + 1 } };
    }
    case "round":
      return { ...view, ...roundDone(view, event) };
    case "roster": {
      const { role, members, entries, digest } = event;
      return { ...view, roster: { role: role ?? "none", members, entries, digest } };
    }
    case "ending":
      return { ...view, endings: { ...view.endings, [event.what]: event.at ?? undefined } };
    case "member":
      return { ...view, requests: others(view.requests, event.peer) };
    case "clock":
    case "declined":
    case "equivocation":
    case "succession":
      // News for people; what it amounts to is in the roster.
      return view;
    case "mixed":
    case "published":
      // The round's summary tells of it.
      return view;
    case "refused":
      // The round's summary has lambda 0.
      return view;
    case "jumped":
      return { ...view, round: event.to, roundsDone: event.to };
    case "observing":
      return { ...view, state: "observing", lacks: { directory: event.directory, needs: event.needs } };
    case "paused":
      return { ...view, state: "paused", pausedBecause: event.reason };
    case "loop":
      return { ...view, loop: event.report };
    case "resumed":
      return { ...view, state: "training" };
    case "privacy":
      return { ...view, privacy: event.status };
    case "finished":
      return {
        ...view,
        state: "finished",
        report: event.report,
        rounds: event.report.rounds,
        forgetting: event.report.forgetting,
      };
    default: {
      const unknown: never = event;
      throw new Error(`unknown event ${JSON.stringify(unknown)}`);
    }
  }
}
