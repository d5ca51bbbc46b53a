/** What is known of one peer from the events it has sent so far. A pure fold: view + event -> view. */
import type {
  ForgettingReport,
  ModelNeed,
  PeerEvent,
  PeerReport,
  RoundSummary,
  UpdateCounts,
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
  readonly updates: UpdateCounts;
  readonly rounds: readonly RoundSummary[];
  /** After the newest of these rounds. */
  readonly forgetting?: ForgettingReport;
  readonly pausedBecause?: string;
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
  updates: { accepted: 0, ignored: 0, rejected: 0 },
  rounds: [],
};

const COUNTED_AS = { accept: "accepted", ignore: "ignored", reject: "rejected" } as const;

/** The view after one more event. */
export function foldPeerEvent(view: PeerView, event: PeerEvent): PeerView {
  switch (event.type) {
    case "started": {
      const { peer, addresses, dataDirectory, round, resumed, examples } = event;
      return {
        ...view,
        state: "training",
        peer,
        addresses,
        dataDirectory,
        round,
        roundsDone: round,
        resumed,
        examples,
      };
    }
    case "step": {
      const { round, step, steps, loss, phase } = event;
      return { ...view, state: phase === "alone" ? "training alone" : "training", round, step, steps, loss };
    }
    case "neighbours":
      return { ...view, neighbours: event.connected };
    case "update": {
      const kind = COUNTED_AS[event.verdict];
      return { ...view, updates: { ...view.updates, [kind]: view.updates[kind] + 1 } };
    }
    case "round": {
      // A round that is told again after a restart replaces what was told before.
      const { forgetting } = event;
      const rounds = [...view.rounds.filter(({ round }) => round < event.summary.round), event.summary];
      return {
        ...view,
        state: "training",
        round: event.summary.round,
        roundsDone: event.summary.round + 1,
        rounds,
        forgetting,
      };
    }
    case "roster": {
      const { role, members, entries, digest } = event;
      return { ...view, roster: { role: role ?? "none", members, entries, digest } };
    }
    case "ending":
      return { ...view, endings: { ...view.endings, [event.what]: event.at ?? undefined } };
    case "member":
    case "clock":
    case "equivocation":
    case "succession":
      // News for people; what it amounts to is in the roster.
      return view;
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
