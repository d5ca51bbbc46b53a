/** What the admin interface answers, as the page reads it. `node/admin/admin-answers.ts` describes it in full. */
import type {
  LossFigure,
  NeighbourMix,
  PeerReport,
  RoundSummary,
  ScoreFigures,
  UpdateCounts,
} from "../../interface/peer-event.ts";
import type { PrivacyStatus } from "../../interface/privacy.ts";

/** Bytes on the wire. */
export interface Bytes {
  readonly sent: number;
  readonly received: number;
}

/** GET /v1/status. */
export interface Status {
  readonly version: string;
  readonly network: string;
  readonly name: string;
  readonly rounds: number;
  readonly paused: boolean;
  readonly startedAt: string;
  readonly bytes: Bytes;
  readonly view: {
    readonly state: string;
    readonly peer?: string;
    readonly round: number;
    readonly roundsDone: number;
    readonly step: number;
    readonly steps: number;
    readonly loss?: number | null;
    readonly neighbours: number;
    readonly updates: UpdateCounts;
    readonly pausedBecause?: string;
    readonly privacy?: PrivacyStatus;
    readonly roster?: { readonly role: string; readonly members: number };
  };
}

/** One connection. */
export interface Link {
  readonly address: string;
  readonly direction: "inbound" | "outbound";
  readonly isRelayed: boolean;
  readonly roundTripMs: number | null;
  readonly openedAt: string;
}

/** GET /v1/peers. */
export interface Peers {
  readonly self: string | null;
  readonly peers: readonly {
    readonly peer: string;
    /** What it called itself when it asked this peer. */
    readonly label?: string;
    readonly isNeighbour: boolean;
    readonly links: readonly Link[];
    readonly mix: (Omit<NeighbourMix, "peer"> & { readonly round: number }) | null;
  }[];
  readonly unreachable: readonly {
    readonly address: string;
    readonly label?: string;
    readonly reason: string;
    readonly failures: number;
  }[];
}

/** Whose adapters entered a round. */
export interface Mix {
  readonly round: number;
  readonly lambda: number;
  readonly neighbours: readonly NeighbourMix[];
}

/** The scores of neighbours after a round. */
export interface ScoredRound {
  readonly round: number;
  readonly scores: readonly ScoreFigures[];
}

/** GET /v1/rounds. */
export interface Rounds {
  readonly rounds: readonly RoundSummary[];
  readonly mixes: readonly Mix[];
  /** Of the newest rounds; absent of a peer that does not tell them. */
  readonly scores?: readonly ScoredRound[];
  /** See the admin interface; null of a peer without the model. */
  readonly loraUpdateBytes?: number | null;
  readonly report: Pick<PeerReport, "base" | "alone" | "aloneRounds" | "swarm"> | null;
  /** Of the base model, on the validation set. */
  readonly base?: LossFigure | null;
}

/** GET /v1/updates. */
export interface Updates {
  readonly reasons: readonly { readonly verdict: string; readonly code: string; readonly count: number }[];
}

/** GET /v1/members. */
export interface Members {
  readonly self: { readonly role?: string };
  readonly members: readonly {
    readonly peer: string;
    readonly role: string;
    readonly notAfter: number;
    readonly standing: string;
    readonly isConnected: boolean;
    /** What it called itself when it asked this peer. */
    readonly label?: string;
  }[];
  /** Of those that are no members any more too. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Something that waits for admins. */
export interface Motion {
  readonly id: string;
  readonly statement: { readonly kind: string; readonly subject?: string; readonly role?: string };
  readonly request?: { readonly candidate: string; readonly label: string; readonly fingerprint: string };
  readonly approvedBy: readonly string[];
  readonly deniedBy: readonly string[];
  readonly threshold: number;
}

/** GET /v1/ledger. */
export interface Ledger {
  readonly totals: Readonly<Record<string, { readonly messages: number; readonly bytes: number }>>;
  readonly newest: readonly {
    readonly number: number;
    readonly at: string;
    readonly kind: string;
    readonly to: readonly string[];
    readonly bytes: number;
  }[];
}

/** An event as it comes. */
export interface PeerNotice {
  readonly number: number;
  readonly at: string;
  readonly type: string;
  readonly [field: string]: unknown;
}

/** GET /v1/log. */
export interface LogLines {
  readonly lines: readonly {
    readonly level: string;
    readonly time: string;
    readonly text: string;
    readonly module?: string;
    readonly [field: string]: unknown;
  }[];
}
