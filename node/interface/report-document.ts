/** What a report shows, as data: of one peer, or of all peers of a testnet. The page draws it, and holds it inside. */
import type {
  AloneFigure,
  ForgettingReport,
  LossFigure,
  PhaseSeconds,
  RoundSummary,
  Score,
  UpdateCounts,
} from "./peer-event.ts";

/** Bytes on the wire. */
interface Bytes {
  readonly sent: number;
  readonly received: number;
}

/** Losses on neutral text, in nats per token; interval: half of the 95 % interval of the difference. */
export interface NeutralLosses {
  readonly before: number;
  readonly after: number;
  readonly interval: number;
  readonly texts: number;
}

/** One peer in a report. What it has not come to is absent. */
export interface ReportPeer {
  /** For people, such as `peer 1`. */
  readonly name: string;
  readonly id: string;
  readonly state: string;
  readonly examples?: { readonly train: number; readonly validation: number; readonly test: number } | undefined;
  /** On the test set. */
  readonly base?: Score | undefined;
  readonly alone?: Score | undefined;
  readonly swarm?: Score | undefined;
  /** Of one training with everybody's data. */
  readonly central?: { readonly loss: number; readonly accuracy: number } | undefined;
  /** On the validation set: the base model, the swarm in its rounds, and training alone beside them. */
  readonly validation: {
    readonly base?: LossFigure | undefined;
    readonly rounds: readonly RoundSummary[];
    readonly alone?: readonly AloneFigure[] | undefined;
  };
  readonly isWorse: boolean;
  readonly forgetting?: ForgettingReport | undefined;
  readonly neutral?: NeutralLosses | undefined;
  readonly bytes: Bytes;
  readonly seconds: PhaseSeconds;
  readonly updates: UpdateCounts;
  /** The last lines of one that ended too early. */
  readonly lastLines?: readonly string[] | undefined;
}

/** A sentence, and whether it is one to worry about. */
export interface ReportSentence {
  readonly text: string;
  readonly isAlarm: boolean;
}

/** The whole report. */
export interface ReportDocument {
  readonly schema: "weft-report/1";
  readonly title: string;
  /** Was it worth it, in one sentence; what is missing for an answer where there is none. */
  readonly headline: string;
  readonly sentences: readonly ReportSentence[];
  /** When and how, in words. */
  readonly about: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly peers: readonly ReportPeer[];
  readonly manifest: { readonly [field: string]: unknown };
}
