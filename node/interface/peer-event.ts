/** What a running peer tells its surroundings: one event a line, as JSON, on the channel that started it. */
import type { CompanyEvent } from "./company-event.ts";
import type { LoopReport } from "./event-loop.ts";
import type { PeerLabel } from "./peer-names.ts";
import type { PrivacyStatus } from "./privacy.ts";
import type { RosterEvent } from "./roster-event.ts";
import type { Evaluation } from "./trainer.ts";

/** A loss on a set of examples, in nats per response token. */
export interface LossFigure {
  readonly loss: number;
  /** Half of its 95 % interval over examples drawn like these; absent where it is not known. */
  readonly interval?: number | undefined;
}

/** The loss of training alone after as many local steps as so many rounds have. */
export interface AloneFigure extends LossFigure {
  /** Counted from 0: the round of the swarm that it stands beside. */
  readonly round: number;
}

/** The scores of an adapter on a set of examples, as `Evaluation` has them. */
export interface Score extends LossFigure {
  readonly accuracy: number;
  readonly exactMatch: number;
}

/** How many updates of others got each verdict. */
export interface UpdateCounts {
  readonly accepted: number;
  readonly ignored: number;
  readonly rejected: number;
}

/** Seconds of wall time by what they were spent on. */
export interface PhaseSeconds {
  readonly train: number;
  readonly network: number;
  readonly aggregate: number;
  readonly total: number;
}

/** psi: how far scores are behind the best that they were after any round; 0 for none, never below. */
export interface Forgetting {
  /** In nats per response token. */
  readonly loss: number;
  /** As a share of response tokens. */
  readonly accuracy: number;
}

/** The forgetting of one task. */
export interface TaskForgetting extends Forgetting {
  readonly task: string;
}

/** On the whole validation set, and on each task in it; no tasks where the examples name none. */
export interface ForgettingReport extends Forgetting {
  readonly tasks: readonly TaskForgetting[];
}

/** What it took to choose lambda. */
export interface LambdaCost {
  /** Adapters that were evaluated on the held-out batch. */
  readonly evaluations: number;
  /** Local steps of a rival that searched instead. */
  readonly steps: number;
  /** Of wall time; part of `aggregate`. */
  readonly seconds: number;
}

/** One round of one peer: its losses, its aggregation and its cost. */
export interface RoundSummary {
  readonly round: number;
  readonly trainLoss: number;
  readonly stepsSkipped: number;
  /** Validation loss of the adapter as it leaves the round. */
  readonly validationLoss: number;
  /** Half of the 95 % interval of that loss; absent where it is not known. */
  readonly validationInterval?: number | undefined;
  /** On the whole validation set, after this round. */
  readonly forgetting: Forgetting;
  readonly lambda: number;
  readonly lambdaCost: LambdaCost;
  /** Neighbours whose update entered the aggregate. */
  readonly neighbours: number;
  /** Rounds by which the oldest of them was behind. */
  readonly stalenessMax: number;
  readonly bytes: { readonly sent: number; readonly received: number };
  /** Of this peer's own update, as signed; 0 when none was sent. */
  readonly updateBytes: number;
  readonly seconds: PhaseSeconds;
  readonly updates: UpdateCounts;
  readonly deadlineMs: number;
}

/** One neighbour in a round's aggregate. */
export interface NeighbourMix {
  readonly peer: string;
  readonly label?: PeerLabel;
  /** Its share of the neighbours' weight; those of a round add up to 1. */
  readonly weight: number;
  /** Rounds that its update was behind. */
  readonly staleness: number;
  /** Euclidean distance of its adapter from the own one, before they were mixed. */
  readonly distance: number;
}

/** The running mean of what a neighbour's updates, each mixed in evenly and alone, did to this peer's held-out loss. */
export interface ScoreFigures {
  readonly peer: string;
  readonly label?: PeerLabel;
  readonly looks: number;
  /** Nats per response token by which the loss falls; below 0 the neighbour harms. */
  readonly gain: number;
  /** Half of the 95 % interval of that mean; absent after a single look. */
  readonly interval?: number;
}

/** A part of the base model that a peer lacks. */
export interface ModelNeed {
  /** Of the manifest. */
  readonly field: string;
  readonly file: string;
  /** What the manifest says of it. */
  readonly expected: string;
  /** What is there instead; undefined: nothing. */
  readonly found?: string;
}

/**
 * Why a round's aggregate was not taken up. spoilt: it is no adapter. values: its values are not finite, or beyond what training
 * gives. loss: its held-out loss is not finite, or explodes. reference: the peer's reference model did that, and is
 * forgotten. diverged: local training went nowhere from it. checkpoint: a checkpoint held one that an older version took up.
 */
export type RefusalReason = "spoilt" | "values" | "loss" | "reference" | "diverged" | "checkpoint";

/** An event of a running peer, told apart by `type`. */
export type PeerEvent =
  | RosterEvent
  | CompanyEvent
  | {
      readonly type: "started";
      readonly peer: string;
      readonly addresses: readonly string[];
      readonly dataDirectory: string;
      readonly round: number;
      readonly resumed: boolean;
      readonly examples: { readonly train: number; readonly validation: number; readonly test: number };
    }
  | {
      readonly type: "step";
      readonly round: number;
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
      readonly phase: "swarm" | "alone";
    }
  | { readonly type: "neighbours"; readonly connected: number }
  | {
      readonly type: "update";
      readonly round: number;
      readonly from: string;
      readonly label?: PeerLabel;
      readonly verdict: "accept" | "ignore" | "reject";
      readonly code?: string;
    }
  /** This peer's own update of a round is out: bytes as signed, a number of protocol's ENCODINGS. */
  | { readonly type: "published"; readonly round: number; readonly bytes: number; readonly encoding: number }
  /** Whose adapters were mixed in, and how far this peer went towards them; told before its `round`. */
  | {
      readonly type: "mixed";
      readonly round: number;
      readonly lambda: number;
      readonly neighbours: readonly NeighbourMix[];
    }
  | {
      readonly type: "round";
      readonly summary: RoundSummary;
      readonly forgetting: ForgettingReport;
      /** Of the base model, on the validation set. */
      readonly base?: LossFigure;
      /** Of the neighbours looked at so far, the most harmful ones first; absent without any. */
      readonly scores?: readonly ScoreFigures[];
    }
  /** What came from the others would have ruined its adapter, and was refused: it keeps its own. */
  | { readonly type: "refused"; readonly round: number; readonly reason: RefusalReason }
  /** It fell behind and goes on where the others are: from the round it has just left to the one it does next. */
  | { readonly type: "jumped"; readonly from: number; readonly to: number }
  /** It lacks the network's model and takes part without training, until these files are in this directory. */
  | { readonly type: "observing"; readonly directory: string; readonly needs: readonly ModelNeed[] }
  | { readonly type: "paused"; readonly reason: string }
  /** How the event loop of its process fares; told every ten seconds, and when something held it. */
  | { readonly type: "loop"; readonly report: LoopReport }
  /** It goes on after somebody had it pause. */
  | { readonly type: "resumed" }
  /** What this peer has spent of its privacy budget. */
  | { readonly type: "privacy"; readonly status: PrivacyStatus }
  | { readonly type: "finished"; readonly report: PeerReport };

/** Rounds remembered for the report: 4 MB of JSON in a checkpoint, and far more rounds than fine-tuning takes. */
export const SUMMARIES_MAX = 10_000;

/** So many points of training alone are evaluated and kept: a line over the rounds needs no more. */
export const ALONE_FIGURES_MAX = 50;

/** What one peer has to show at the end. Bytes, seconds and updates are totals of all rounds. */
export interface PeerReport {
  readonly id: string;
  readonly base: Score;
  /** The same number of local steps on the same data without anybody else; absent when not asked for. */
  readonly alone?: Score;
  /** Of that training, on the validation set: of some rounds where there are many. */
  readonly aloneRounds?: readonly AloneFigure[];
  readonly swarm: Score;
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly seconds: PhaseSeconds;
  readonly updates: UpdateCounts;
  /** After the last round. */
  readonly forgetting: ForgettingReport;
  /** Of the rounds the best one on the validation set, where its adapter was kept. */
  readonly best?: BestRound;
  readonly rounds: readonly RoundSummary[];
}

/** The round after which the loss on the validation set was lowest. */
export interface BestRound {
  readonly round: number;
  readonly validationLoss: number;
}

/** The scores of an evaluation, without its counts and tasks. */
export function scoreOf({ loss, accuracy, exactMatch, interval }: Evaluation): Score {
  return { loss, accuracy, exactMatch, ...(interval !== undefined && { interval }) };
}

/** The loss of an evaluation, with its interval where that is known. */
export function lossOf({ loss, interval }: Evaluation): LossFigure {
  return { loss, ...(interval !== undefined && { interval }) };
}
