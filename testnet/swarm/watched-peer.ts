/** One peer of a swarm as its admin interface tells of it, kept when it tells nothing any more. */
import {
  type AdminClientOptions,
  adminClientDoor,
  type LossFigure,
  type NeighbourMix,
  NodeError,
  type PeerReport,
  type PeerView,
  type RoundSummary,
  type SwarmLink,
  type SwarmPeerView,
  type SwarmPeerWords,
  type SwarmRound,
} from "../../node/index.ts";

/** A peer that answers does so at once; one that hangs holds nobody up for long. */
const ANSWER_MS = 3_000;

interface StatusAnswer {
  readonly name: string;
  readonly rounds: number;
  readonly paused: boolean;
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly view: PeerView;
}

interface PeersAnswer {
  readonly peers: readonly {
    readonly peer: string;
    readonly isNeighbour: boolean;
    readonly links: readonly { readonly isRelayed: boolean; readonly roundTripMs: number | null }[];
  }[];
}

interface RoundsAnswer {
  readonly rounds: readonly RoundSummary[];
  readonly mixes: readonly { readonly round: number; readonly neighbours: readonly NeighbourMix[] }[];
  readonly report: PeerReport | null;
  readonly base: LossFigure | null;
}

/** A peer that is looked at again and again. */
export class WatchedPeer {
  readonly #number: number;
  readonly #dataDirectory: string;
  readonly #rounds: SwarmRound[] = [];
  #contact: AdminClientOptions | undefined;
  #isThere = false;
  #since: string;
  #said: SwarmPeerWords | undefined;
  #network: { readonly name: string; readonly rounds: number } | undefined;

  /** number: counted from 1. */
  constructor(number: number, dataDirectory: string) {
    this.#number = number;
    this.#dataDirectory = dataDirectory;
    this.#since = new Date().toISOString();
  }

  /** What it has told of its network; undefined until it has answered. */
  get network(): { readonly name: string; readonly rounds: number } | undefined {
    return this.#network;
  }

  /** How it is. */
  view(): SwarmPeerView {
    const [number, isThere, since, said] = [this.#number, this.#isThere, this.#since, this.#said];
    return { number, isThere, since, ...(said && { said }) };
  }

  /** Its rounds from this one on, counted from 0. */
  rounds(from: number): readonly SwarmRound[] {
    return this.#rounds.filter(({ round }) => round >= from);
  }

  /** Ask it how it is. */
  async look(): Promise<void> {
    const isThere = await this.#ask();
    if (isThere === this.#isThere) return;
    this.#isThere = isThere;
    this.#since = new Date().toISOString();
  }

  async #ask(): Promise<boolean> {
    const { askAdmin, findAdmin } = await adminClientDoor();
    try {
      this.#contact ??= await findAdmin(this.#dataDirectory);
      if (this.#contact === undefined) return false;
      const contact = { ...this.#contact, timeoutMs: ANSWER_MS };
      const from = this.#rounds.at(-1)?.round ?? 0;
      const [status, peers, rounds] = await Promise.all(
        ["/v1/status", "/v1/peers", `/v1/rounds?from=${from}`].map((path) => askAdmin(path, contact)),
      );
      this.#note(status as StatusAnswer, peers as PeersAnswer, rounds as RoundsAnswer);
      return true;
    } catch (error) {
      // Started again, it answers somewhere else; a file that is damaged, or cannot be read, tells of nobody.
      this.#contact = undefined;
      if (error instanceof NodeError || error instanceof SyntaxError) return false;
      throw error;
    }
  }

  #note({ name, rounds: count, paused, bytes, view }: StatusAnswer, { peers }: PeersAnswer, told: RoundsAnswer): void {
    this.#network = { name, rounds: count };
    // It has gone on from an earlier round than the last one that is known.
    while ((this.#rounds.at(-1)?.round ?? -1) >= Math.max(view.roundsDone, told.rounds[0]?.round ?? Infinity)) {
      this.#rounds.pop();
    }
    this.#rounds.push(...told.rounds.map(roundOf));
    const { report } = told;
    this.#said = {
      id: view.peer ?? "",
      state: paused ? "paused" : view.state,
      ...(view.pausedBecause !== undefined && { pausedBecause: view.pausedBecause }),
      ...{ roundsDone: view.roundsDone, step: view.step, steps: view.steps, loss: view.loss },
      ...{ updates: view.updates, bytes },
      links: peers.map(linkOf),
      mix: told.mixes.at(-1) ?? this.#said?.mix ?? null,
      base: told.base,
      report: report && {
        ...{ base: report.base, swarm: report.swarm },
        ...(report.alone && { alone: report.alone }),
        ...(report.aloneRounds && { aloneRounds: report.aloneRounds }),
      },
    };
  }
}

/** The best of several connections: a direct one before one through a relay. */
function linkOf({ peer, isNeighbour, links }: PeersAnswer["peers"][number]): SwarmLink {
  const best = links.find(({ isRelayed }) => !isRelayed) ?? links[0];
  return { peer, isNeighbour, isRelayed: best?.isRelayed ?? false, roundTripMs: best?.roundTripMs ?? null };
}

function roundOf(round: RoundSummary): SwarmRound {
  const { trainLoss, validationLoss, validationInterval, lambda, neighbours, bytes, updateBytes } = round;
  return {
    ...{ round: round.round, trainLoss, validationLoss, lambda, neighbours, bytes, updateBytes },
    ...(validationInterval != null && { validationInterval }),
  };
}
