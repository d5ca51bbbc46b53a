/** A swarm that stays, as people and programs look at it. */
import { PeerNames } from "../../node/index.ts";
import { formatLoss, textTable } from "./text-table.ts";

/** One peer of a swarm. What only a peer that answers says is absent otherwise. */
export interface SwarmPeerStatus {
  /** Counted from 1. */
  readonly number: number;
  /** Peer id. */
  readonly id: string;
  /** Of the system. */
  readonly process: number;
  readonly dataDirectory: string;
  /** What it does, or: down, frozen, does not answer. */
  readonly state: string;
  /** Rounds that are done. */
  readonly round?: number;
  /** Training loss of the newest step. */
  readonly loss?: number;
  /** After the newest round. */
  readonly validationLoss?: number;
  readonly neighbours?: number;
  readonly bytes?: { readonly sent: number; readonly received: number };
}

/** A swarm, as programs read it. */
export interface SwarmStatus {
  readonly schema: "weft-swarm-status/1";
  readonly folder: string;
  /** Network id. */
  readonly network: string;
  readonly rounds: number;
  /** Numbers of peers on each side of a partition. */
  readonly sides?: readonly (readonly number[])[];
  readonly peers: readonly SwarmPeerStatus[];
  /** Address of the page of all peers, where a process serves one. */
  readonly page?: string;
}

const COLUMNS = [
  { heading: "peer", numeric: false },
  { heading: "id", numeric: false },
  { heading: "pid", numeric: true },
  { heading: "state", numeric: false },
  ...["round", "loss", "validation", "neighbours"].map((heading) => ({ heading, numeric: true })),
];

/** The table of a swarm, and how it is parted. */
export function swarmLines({ peers, rounds, sides, page }: SwarmStatus): readonly string[] {
  const names = new PeerNames(peers.map(({ id }) => id));
  const rows = peers.map(({ number, id, process, state, round, loss, validationLoss, neighbours }) => [
    `peer ${number}`,
    names.short(id),
    state === "down" ? "–" : String(process),
    state,
    round === undefined ? "–" : `${round}/${rounds}`,
    formatLoss(loss),
    formatLoss(validationLoss),
    neighbours === undefined ? "–" : String(neighbours),
  ]);
  return [
    ...textTable(COLUMNS, rows),
    ...(sides === undefined ? [] : [sidesLine(sides)]),
    ...(page === undefined ? [] : [`page: ${page}`]),
  ];
}

/** How a swarm is parted, such as `parted: 1, 2 / 3, 4`. */
export function sidesLine(sides: readonly (readonly number[])[]): string {
  return `parted: ${sides.map((side) => side.join(", ")).join(" / ")}`;
}
